"""generateContent and countTokens, with Google's SDK as the judge.

What is set in which state is written down from the descriptions in `google.genai.types`:
Candidate ("If empty, the model has not stopped generating"), GenerateContentResponsePromptFeedback
("only if no candidates were generated due to content violations"), FinishReason.SAFETY ("the
`content` field is empty if content filters block the output"), UsageMetadata ("When
`cached_content` is set, this also includes the number of tokens in the cached content").
"""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING, Any

import pytest
from google.genai import types
from tests.contract.simulator.gemini_sdk import MODEL, client_of, fault, raw, unknown_names
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Answer, Simulator

if TYPE_CHECKING:
    from batch_llm.testing.simulator import ModelCall

# The SDK's own warning, where it sends with aiohttp.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

GENERATE = "POST /{version}/models/{model}:generateContent"
COUNT = "POST /{version}/models/{model}:countTokens"
PATH = f"/v1beta/models/{MODEL}:generateContent"
# Not of the wire: the SDK keeps the HTTP response, and fills in the other two by itself.
OF_THE_SDK = {"sdk_http_response", "automatic_function_calling_history", "parsed"}
HARMS = ("HATE_SPEECH", "DANGEROUS_CONTENT", "HARASSMENT", "SEXUALLY_EXPLICIT")
PNG = types.Part.from_bytes(data=b"\x89PNG", mime_type="image/png")


class Says:
    """Answers that are always the same; what was asked is kept."""

    def __init__(self, answer: Answer) -> None:
        self.said = answer
        self.calls: list[ModelCall] = []

    async def answer(self, call: ModelCall) -> Answer:
        self.calls.append(call)
        return self.said


def told(response: types.GenerateContentResponse) -> dict[str, Any]:
    """Return every field that is set, at every level, in JSON; the id's text is left out."""
    fields = response.model_dump(mode="json", exclude_none=True, exclude=OF_THE_SDK)
    assert len(fields.pop("response_id")) == 22
    return fields


def usage(prompt: int, answer: int = 0, **more: Any) -> dict[str, Any]:
    """Return the usage of an answer to a prompt of text alone."""
    fields: dict[str, Any] = {
        "prompt_token_count": prompt,
        "total_token_count": prompt + answer + more.get("thoughts_token_count", 0),
        "prompt_tokens_details": [{"modality": "TEXT", "token_count": prompt}],
        **more,
    }
    return {**fields, "candidates_token_count": answer} if answer else fields


def candidate(reason: str, *parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    content = {"role": "model", **({"parts": list(parts)} if parts else {})}
    return {"content": content, "finish_reason": reason, "index": 0, **more}


def ask(simulator: Simulator, contents: Any = "hello", model: str = MODEL, **config: Any) -> Any:
    with client_of(simulator) as client:
        return told(
            client.models.generate_content(
                model=model, contents=contents, config=types.GenerateContentConfig(**config)
            )
        )


def ask_one_who_says(
    answer: Answer, **config: Any
) -> tuple[types.GenerateContentResponse, ModelCall]:
    says = Says(answer)
    with Simulator(speed=10_000, answers=says) as simulator, client_of(simulator) as client:
        response = client.models.generate_content(
            model=MODEL, contents="hello", config=types.GenerateContentConfig(**config)
        )
    return response, says.calls[0]


# --- what is set, state by state --------------------------------------------------------------


@covers("gemini", GENERATE, "models.generate_content")
def test_an_answer_that_ends(simulator: Simulator) -> None:
    assert ask(simulator) == {
        "candidates": [candidate("STOP", {"text": "hello"})],
        "model_version": MODEL,
        "usage_metadata": usage(4 + 2, 2),
    }


@covers("gemini", GENERATE, "models.generate_content")
async def test_an_answer_of_the_async_client(simulator: Simulator) -> None:
    async with client_of(simulator).aio as client:
        response = await client.models.generate_content(model=MODEL, contents="hello")
    assert told(response) == {
        "candidates": [candidate("STOP", {"text": "hello"})],
        "model_version": MODEL,
        "usage_metadata": usage(6, 2),
    }


def test_an_answer_cut_at_the_limit(simulator: Simulator) -> None:
    assert ask(simulator, "hello you", max_output_tokens=1) == {
        "candidates": [candidate("MAX_TOKENS", {"text": "hell"})],
        "model_version": MODEL,
        "usage_metadata": usage(7, 1),
    }


def test_an_answer_that_stops_at_a_text(simulator: Simulator) -> None:
    assert ask(simulator, "one two", stop_sequences=["z", " "]) == {
        "candidates": [candidate("STOP", {"text": "one"})],
        "model_version": MODEL,
        "usage_metadata": usage(6, 1),
    }


def test_thoughts_that_leave_no_room_for_a_word() -> None:
    response, _ = ask_one_who_says(Answer("", "length", output_tokens=9, reasoning_tokens=9))
    assert told(response) == {
        "candidates": [candidate("MAX_TOKENS")],
        "model_version": MODEL,
        "usage_metadata": usage(6, thoughts_token_count=9),
    }


@pytest.mark.parametrize("shown", [True, False])
def test_thoughts_are_billed_and_shown_to_those_who_ask(shown: bool) -> None:
    response, _ = ask_one_who_says(
        Answer("yes", reasoning_tokens=5), thinking_config={"include_thoughts": shown}
    )
    thought = {"text": "The model thought about the question.", "thought": True}
    parts = [thought, {"text": "yes"}] if shown else [{"text": "yes"}]
    assert told(response) == {
        "candidates": [candidate("STOP", *parts)],
        "model_version": MODEL,
        "usage_metadata": usage(6, 1, thoughts_token_count=5),
    }
    assert response.text == "yes"


def test_an_answer_that_a_filter_withholds(simulator: Simulator) -> None:
    simulator.add_fault(fault("safety"))
    ratings: list[dict[str, Any]] = [
        {"category": f"HARM_CATEGORY_{harm}", "probability": "NEGLIGIBLE"} for harm in HARMS
    ]
    ratings[1] |= {"probability": "HIGH", "blocked": True}
    assert ask(simulator) == {
        "candidates": [{"finish_reason": "SAFETY", "index": 0, "safety_ratings": ratings}],
        "model_version": MODEL,
        "usage_metadata": usage(6),
    }


def test_a_prompt_that_is_blocked(simulator: Simulator) -> None:
    simulator.add_fault(fault("refusal"))
    assert ask(simulator) == {
        "prompt_feedback": {"block_reason": "PROHIBITED_CONTENT"},
        "model_version": MODEL,
        "usage_metadata": usage(6),
    }


@pytest.mark.parametrize("word", ["RECITATION", "BLOCKLIST", "SPII"])
def test_a_fault_may_name_the_reason(simulator: Simulator, word: str) -> None:
    simulator.add_fault(fault("safety", error_type=word, times=1))
    simulator.add_fault(fault("refusal", error_type="OTHER"))
    assert ask(simulator)["candidates"] == [{"finish_reason": word, "index": 0}]
    assert ask(simulator)["prompt_feedback"] == {"block_reason": "OTHER"}


def test_an_answer_without_a_candidate(simulator: Simulator) -> None:
    simulator.add_fault(fault("empty"))
    assert ask(simulator) == {"model_version": MODEL, "usage_metadata": usage(6, 2)}


def test_whoever_sets_safety_gets_ratings(simulator: Simulator) -> None:
    settings = [
        {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"},
    ]
    answer = ask(simulator, safety_settings=settings)
    assert answer["candidates"][0]["safety_ratings"] == [
        {"category": f"HARM_CATEGORY_{harm}", "probability": "NEGLIGIBLE"} for harm in HARMS
    ]


def test_the_models_of_2_0_say_how_sure_they_are(simulator: Simulator) -> None:
    answer = ask(simulator, model="gemini-2.0-flash", response_logprobs=True)
    assert answer["candidates"] == [candidate("STOP", {"text": "hello"}, avg_logprobs=-0.1)]


def test_no_name_is_sent_that_the_sdk_does_not_know(simulator: Simulator) -> None:
    simulator.add_fault(fault("safety", calls=(2,)))
    simulator.add_fault(fault("refusal", calls=(3,)))
    body = {"contents": [{"parts": [{"text": "hello"}]}], "safetySettings": [{}]}
    for _ in range(3):
        sent = raw(simulator, "POST", PATH, json=body).json()
        assert not unknown_names(sent, types.GenerateContentResponse)
        counts = sent["usageMetadata"]
        assert not unknown_names(counts, types.GenerateContentResponseUsageMetadata)
        for one in sent.get("candidates", []):
            assert not unknown_names(one, types.Candidate)
            assert not unknown_names(one.get("content", {}), types.Content)
            assert not unknown_names(one["safetyRatings"][1], types.SafetyRating)
        feedback = sent.get("promptFeedback", {})
        assert not unknown_names(feedback, types.GenerateContentResponsePromptFeedback)


# --- what is asked ----------------------------------------------------------------------------


def test_all_that_a_request_says_reaches_the_answers() -> None:
    says = Says(Answer("{}"))
    history = [
        types.UserContent("first"),
        types.ModelContent("second"),
        types.UserContent("third"),
    ]
    with Simulator(speed=10_000, answers=says) as simulator, client_of(simulator) as client:
        client.models.generate_content(
            model=MODEL,
            contents=history,
            config={
                "system_instruction": "Be brief.",
                "max_output_tokens": 50,
                "stop_sequences": ["END"],
                "response_mime_type": "application/json",
                "response_json_schema": {"type": "object", "properties": {"a": {}}},
            },
        )
    (call,) = says.calls
    assert call.messages == [("user", "first"), ("assistant", "second"), ("user", "third")]
    assert call.prompt == "third"
    assert call.system == "Be brief."
    assert (call.max_output_tokens, call.stop) == (50, ["END"])
    assert call.schema == {"type": "object", "properties": {"a": {}}}
    # Four a turn and the system's, the texts, and the schema's 39 bytes of JSON.
    assert call.input_tokens == (4 + 2) + (4 + 2) + (4 + 2) + (4 + 3) + 10
    assert (call.provider, call.operation, call.model) == ("gemini", "generateContent", MODEL)


def test_a_schema_of_googles_becomes_a_json_schema() -> None:
    schema = types.Schema(
        type=types.Type.OBJECT,
        properties={
            "mood": types.Schema(type=types.Type.STRING, enum=["good", "bad"], nullable=True),
            "marks": types.Schema(
                type=types.Type.ARRAY, items=types.Schema(type=types.Type.INTEGER), min_items=2
            ),
            "either": types.Schema(
                any_of=[types.Schema(type=types.Type.STRING), types.Schema(type=types.Type.NUMBER)]
            ),
        },
        required=["mood"],
        property_ordering=["mood", "marks"],
    )
    _, call = ask_one_who_says(
        Answer("{}"), response_mime_type="application/json", response_schema=schema
    )
    assert call.schema == {
        "type": "object",
        "properties": {
            "mood": {"type": ["string", "null"], "enum": ["good", "bad", None]},
            "marks": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
            "either": {"anyOf": [{"type": "string"}, {"type": "number"}]},
        },
        "required": ["mood"],
    }


def test_a_word_of_a_choice_is_no_json() -> None:
    response, _ = ask_one_who_says(
        Answer('"good"'),
        response_mime_type="text/x.enum",
        response_schema={"type": "STRING", "enum": ["good", "bad"]},
    )
    assert response.text == "good"


WEATHER = {
    "name": "weather",
    "description": "Tells the weather.",
    "parameters": {"type": "OBJECT", "properties": {"place": {"type": "STRING"}}},
}


def test_a_call_of_a_function() -> None:
    response, call = ask_one_who_says(
        Answer('{"place": "Rome"}', "tool_call", "weather"),
        tools=[{"function_declarations": [WEATHER]}],
        tool_config={"function_calling_config": {"mode": "ANY"}},
    )
    asked = {"function_call": {"name": "weather", "args": {"place": "Rome"}}}
    assert told(response)["candidates"] == [candidate("STOP", asked)]
    assert [tool.name for tool in call.tools] == ["weather"]
    assert call.tools[0].schema == {"type": "object", "properties": {"place": {"type": "string"}}}
    assert call.forced_tool == ""


def test_a_function_that_must_be_called() -> None:
    _, call = ask_one_who_says(
        Answer("{}", "tool_call", "weather"),
        tools=[
            {
                "function_declarations": [
                    {"name": "other"},
                    {"name": "weather", "parameters_json_schema": {"type": "object"}},
                ]
            }
        ],
        tool_config={
            "function_calling_config": {"mode": "ANY", "allowed_function_names": ["weather"]}
        },
    )
    assert call.forced_tool == "weather"
    assert [tool.schema for tool in call.tools] == [
        {"type": "object", "properties": {}},
        {"type": "object"},
    ]


def test_the_result_of_a_function_is_a_turn(simulator: Simulator) -> None:
    contents = [
        types.UserContent("weather?"),
        types.ModelContent(types.Part.from_function_call(name="weather", args={})),
        types.UserContent(
            types.Part.from_function_response(name="weather", response={"sky": "blue"})
        ),
    ]
    assert ask(simulator, contents)["candidates"][0]["content"]["parts"] == [{"text": "weather?"}]


def test_thoughts_of_earlier_turns_are_no_words(simulator: Simulator) -> None:
    thought = types.Part(text="Let me think of it.", thought=True)
    history = [
        types.UserContent("one"),
        types.ModelContent([thought, types.Part(text="two")]),
        types.UserContent("three"),
    ]
    assert ask(simulator, history)["usage_metadata"]["prompt_token_count"] == 3 * 4 + 1 + 1 + 2


def test_images_and_files_are_counted_by_their_kind(simulator: Simulator) -> None:
    pdf = types.Part.from_bytes(data=b"%PDF", mime_type="application/pdf")
    note = types.Part.from_bytes(data=b"four", mime_type="text/plain")
    elsewhere = types.Part.from_uri(file_uri="https://example.org/a.mp3", mime_type="audio/mpeg")
    answer = ask(simulator, ["look", PNG, PNG, pdf, note, elsewhere])
    assert answer["usage_metadata"]["prompt_tokens_details"] == [
        {"modality": "TEXT", "token_count": 4 + 1 + 1},
        {"modality": "IMAGE", "token_count": 2 * 258},
        {"modality": "DOCUMENT", "token_count": 1_000},
        {"modality": "AUDIO", "token_count": 1_000},
    ]
    assert answer["usage_metadata"]["prompt_token_count"] == 2_522


def test_an_uploaded_file_is_read(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        note = client.files.upload(file=io.BytesIO(b"12345678"), config={"mime_type": "text/plain"})
        image = client.files.upload(file=io.BytesIO(b"1"), config={"mime_type": "image/png"})
        response = client.models.generate_content(model=MODEL, contents=[note, image, "hey!"])
    assert response.text == "12345678\nhey!"
    assert told(response)["usage_metadata"]["prompt_tokens_details"] == [
        {"modality": "TEXT", "token_count": 4 + 2 + 1},
        {"modality": "IMAGE", "token_count": 258},
    ]


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
def test_every_version_of_the_api_answers(simulator: Simulator, version: str) -> None:
    with client_of(simulator, api_version=version) as client:
        assert client.models.generate_content(model=MODEL, contents="hello").text == "hello"


IN_CAMEL_CASE: dict[str, Any] = {
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "hello you"},
                {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(b"1").decode()}},
            ],
        }
    ],
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "generationConfig": {"maxOutputTokens": 1, "thinkingConfig": {"includeThoughts": True}},
    "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"a_b": 1}}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
}


def in_snake_case(value: Any) -> Any:
    if isinstance(value, list):
        return [in_snake_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        "".join(f"_{c.lower()}" if c.isupper() else c for c in name): in_snake_case(inner)
        for name, inner in value.items()
    }


def unlisted(value: Any) -> Any:
    """Return a thing in the place of each list of one, as protocol buffers allow."""
    if isinstance(value, list):
        return unlisted(value[0]) if len(value) == 1 else [unlisted(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: unlisted(inner) for name, inner in value.items()}


def quoted(value: dict[str, Any]) -> Any:
    """Return numbers in quotes, and null for something that is left out."""
    config = {**value["generationConfig"], "maxOutputTokens": "1", "topP": None}
    return {**value, "generationConfig": config, "labels": None}


@pytest.mark.parametrize("spelling", [in_snake_case, unlisted, quoted])
def test_all_spellings_mean_the_same(simulator: Simulator, spelling: Any) -> None:
    first = raw(simulator, "POST", PATH, json=IN_CAMEL_CASE).json()
    second = raw(simulator, "POST", PATH, json=spelling(IN_CAMEL_CASE)).json()
    assert first.pop("responseId") != second.pop("responseId")
    assert first == second
    assert first["candidates"][0]["finishReason"] == "MAX_TOKENS"


# --- counting ---------------------------------------------------------------------------------


def counted(response: types.CountTokensResponse) -> dict[str, Any]:
    return response.model_dump(mode="json", exclude_none=True, exclude=OF_THE_SDK)


@covers("gemini", COUNT, "models.count_tokens")
def test_tokens_are_counted(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        response = client.models.count_tokens(model=MODEL, contents=["hello", PNG])
    assert counted(response) == {"total_tokens": 4 + 2 + 258}


@covers("gemini", COUNT, "models.count_tokens")
async def test_tokens_are_counted_by_the_async_client(simulator: Simulator) -> None:
    async with client_of(simulator).aio as client:
        response = await client.models.count_tokens(model=MODEL, contents="hello")
    assert counted(response) == {"total_tokens": 6}


def test_the_tokens_of_a_whole_request_are_counted(simulator: Simulator) -> None:
    request = {
        "model": f"models/{MODEL}",
        "contents": [{"parts": [{"text": "hello"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
    }
    response = raw(
        simulator,
        "POST",
        f"/v1beta/models/{MODEL}:countTokens",
        json={"generateContentRequest": request},
    )
    assert response.json() == {
        "totalTokens": 13,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 13}],
    }


def test_the_books_agree_with_the_usage(simulator: Simulator) -> None:
    answer = ask(simulator, ["hello", PNG])["usage_metadata"]
    (record,) = simulator.books.records
    assert (record.fate, record.status, record.executed) == ("answered", 200, True)
    assert (record.provider, record.operation, record.model, record.key) == (
        "gemini", "generateContent", MODEL, "any",
    )  # fmt: skip
    assert record.usage.input_tokens == answer["prompt_token_count"]
    assert record.usage.output_tokens == answer["candidates_token_count"]
