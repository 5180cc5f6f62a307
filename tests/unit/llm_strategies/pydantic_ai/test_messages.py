"""Requests in pydantic-ai's terms, and its responses as answers."""

from __future__ import annotations

import base64

import pytest
from pydantic import BaseModel
from pydantic_ai import ModelProfile
from pydantic_ai import messages as theirs
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage

from batch_llm.base import FilePart, ImagePart, LLMRequest, Message, OutputSchema, TextPart
from batch_llm.exceptions import (
    AnswerError,
    InputError,
    MalformedAnswerError,
    OutputTruncatedError,
    OutputValidationError,
    RefusalError,
    ServerError,
)
from batch_llm.llm_strategies.pydantic_ai.answer import read_answer
from batch_llm.llm_strategies.pydantic_ai.messages import (
    client_settings,
    encode_messages,
    encode_parameters,
    encode_sampling,
    retries_off,
)


class City(BaseModel):
    """A city."""

    name: str


SCHEMA = OutputSchema(City)


def test_encodes_a_conversation_with_its_system_prompt_first() -> None:
    request = LLMRequest(
        [Message("user", "A city?"), Message("assistant", "Rome"), Message("user", "Another")],
        system="Be brief.",
    )
    encoded = encode_messages(request.messages, request.system)
    contents = [[(type(part), part.content) for part in message.parts] for message in encoded]  # type: ignore[union-attr] # parts made here all have content
    assert contents == [
        [(theirs.SystemPromptPart, "Be brief.")],
        [(theirs.UserPromptPart, "A city?")],
        [(theirs.TextPart, "Rome")],
        [(theirs.UserPromptPart, "Another")],
    ]


def test_encodes_images_and_files() -> None:
    image_url = "data:image/png;base64," + base64.b64encode(b"pixels").decode()
    parts = (
        TextPart("Look:"),
        ImagePart(data=b"pixels", media_type="image/png"),
        ImagePart(url="https://x.test/a.png"),
        ImagePart(url=image_url),
        FilePart(data=b"%PDF", media_type="application/pdf", name="a.pdf"),
        FilePart(url="https://x.test/a.pdf", name="a.pdf"),
    )
    (message,) = encode_messages([Message("user", parts)], None)
    prompt = message.parts[0]
    assert isinstance(prompt, theirs.UserPromptPart)
    assert not isinstance(prompt.content, str)
    text, image, by_url, by_data_url, pdf, pdf_by_url = prompt.content
    assert text == "Look:"
    assert isinstance(image, theirs.BinaryContent)
    assert (image.data, image.media_type) == (b"pixels", "image/png")
    assert isinstance(by_url, theirs.ImageUrl)
    assert by_url.url == "https://x.test/a.png"
    assert isinstance(by_data_url, theirs.BinaryContent)
    assert (by_data_url.data, by_data_url.media_type) == (b"pixels", "image/png")
    assert isinstance(pdf, theirs.BinaryContent)
    assert (pdf.data, pdf.media_type, pdf.identifier) == (b"%PDF", "application/pdf", "a.pdf")
    assert isinstance(pdf_by_url, theirs.DocumentUrl)
    assert (pdf_by_url.url, pdf_by_url.identifier) == ("https://x.test/a.pdf", "a.pdf")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (Message("assistant", (ImagePart(url="https://x.test/a.png"),)), "text parts only"),
        (Message("user", (ImagePart(url="data:image/png,raw"),)), "data URL of 18 characters"),
    ],
)
def test_refuses_what_has_no_form_in_the_library(message: Message, words: str) -> None:
    with pytest.raises(InputError, match=words):
        encode_messages([message], None)


def test_encodes_sampling_parameters_that_are_set() -> None:
    request = LLMRequest("x", temperature=0.0, top_p=0.5, max_output_tokens=7, stop=["END"], seed=0)
    assert encode_sampling(request) == {
        "temperature": 0.0,
        "top_p": 0.5,
        "max_tokens": 7,
        "stop_sequences": ["END"],
        "seed": 0,
    }
    assert encode_sampling(LLMRequest("x")) == {}


def test_gives_the_client_a_little_longer_than_the_attempt_and_no_retries() -> None:
    class Bare(TestModel):
        unsupported_settings = frozenset({"max_retries", "timeout"})

    assert client_settings(TestModel(), 60.0) == {"timeout": 65.0, "max_retries": 0}
    assert client_settings(Bare(), 60.0) == {}
    assert retries_off("openai:gpt-5") == {"max_retries": 0}


def test_asks_natively_for_a_schema_where_the_model_can() -> None:
    model = TestModel(profile=ModelProfile(supports_json_schema_output=True))
    shape = encode_parameters(SCHEMA, model)
    assert shape.output_mode == "native"
    assert shape.output_object is not None
    assert (shape.output_object.name, shape.output_object.json_schema) == (
        "City",
        City.model_json_schema(),
    )


@pytest.mark.parametrize("mode", ["tool", "prompted"])
def test_leaves_it_to_the_models_profile_elsewhere(mode: str) -> None:
    profile: ModelProfile = {"default_structured_output_mode": mode}  # type: ignore[typeddict-item] # parametrized
    model = TestModel(profile=profile)
    _, resolved = model.prepare_request(None, encode_parameters(SCHEMA, model))
    assert resolved.output_mode == mode
    assert [tool.name for tool in resolved.output_tools] == (["City"] if mode == "tool" else [])


def test_lets_each_model_of_a_router_decide() -> None:
    router = FallbackModel(TestModel(), TestModel())
    assert encode_parameters(SCHEMA, router).output_mode == "auto"


# --- answers -------------------------------------------------------------------------------

USAGE = RequestUsage(input_tokens=10, output_tokens=3)
TOKENS = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13}


def response(
    *parts: theirs.ModelResponsePart, reason: theirs.FinishReason | None = "stop"
) -> theirs.ModelResponse:
    return theirs.ModelResponse(parts=list(parts), usage=USAGE, finish_reason=reason)


def test_reads_text() -> None:
    parts = (theirs.ThinkingPart("hm"), theirs.TextPart("Os"), theirs.TextPart("lo"))
    assert read_answer(response(*parts), None) == ("Oslo", TOKENS)
    assert read_answer(response(theirs.TextPart("Osl"), reason="length"), None)[0] == "Osl"
    assert read_answer(response(theirs.TextPart("")), None)[0] == ""


@pytest.mark.parametrize(
    "part",
    [
        theirs.TextPart('{"name": "Oslo"}'),
        theirs.TextPart('```json\n{"name": "Oslo"}\n```'),
        theirs.ToolCallPart("City", '{"name": "Oslo"}'),
        theirs.ToolCallPart("City", {"name": "Oslo"}),
    ],
)
def test_reads_a_structured_answer_from_text_or_tool(part: theirs.ModelResponsePart) -> None:
    answer, tokens = read_answer(response(part), SCHEMA)
    assert (answer, tokens) == (City(name="Oslo"), TOKENS)


@pytest.mark.parametrize(
    ("answer", "schema", "kind"),
    [
        (response(theirs.TextPart("no"), reason="content_filter"), None, RefusalError),
        (response(theirs.TextPart('{"na'), reason="length"), SCHEMA, OutputTruncatedError),
        (response(theirs.TextPart("secret")), SCHEMA, OutputValidationError),
        (response(theirs.ToolCallPart("City", {"nam": 1})), SCHEMA, OutputValidationError),
        (response(theirs.ThinkingPart("hm")), None, MalformedAnswerError),
        (response(), SCHEMA, MalformedAnswerError),
        (response(reason="error"), None, ServerError),
    ],
)
def test_an_answer_that_cannot_be_used_still_tells_its_tokens(
    answer: theirs.ModelResponse, schema: OutputSchema | None, kind: type[AnswerError]
) -> None:
    with pytest.raises(kind) as failed:
        read_answer(answer, schema)
    assert failed.value.usage == TOKENS
    assert "secret" not in str(failed.value)
