"""streamGenerateContent, with Google's SDK as the judge.

`google.genai.types` on a stream: prompt feedback is "sent only in the first stream chunk"; a
candidate's finish reason is empty as long as "the model has not stopped generating the tokens".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.genai import types
from tests.contract.simulator.gemini_sdk import MODEL, client_of, fault, raw
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Answer, Simulator

if TYPE_CHECKING:
    from batch_llm.testing.simulator import ModelCall

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

STREAM = "POST /{version}/models/{model}:streamGenerateContent"
PATH = f"/v1beta/models/{MODEL}:streamGenerateContent"
BODY = {"contents": [{"parts": [{"text": "hello you"}]}]}
PROMPT_TOKENS = [{"modality": "TEXT", "token_count": 7}]
OF_THE_SDK = {"sdk_http_response", "automatic_function_calling_history", "parsed"}

MIDDLE = {
    "candidates": [{"content": {"parts": [{"text": "hello"}], "role": "model"}, "index": 0}],
    "model_version": MODEL,
    "usage_metadata": {
        "prompt_token_count": 7,
        "total_token_count": 7,
        "prompt_tokens_details": PROMPT_TOKENS,
    },
}
LAST = {
    "candidates": [
        {
            "content": {"parts": [{"text": " you"}], "role": "model"},
            "finish_reason": "STOP",
            "index": 0,
        }
    ],
    "model_version": MODEL,
    "usage_metadata": {
        "prompt_token_count": 7,
        "candidates_token_count": 3,
        "total_token_count": 10,
        "prompt_tokens_details": PROMPT_TOKENS,
    },
}


class Says:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def answer(self, call: ModelCall) -> Answer:
        assert call.streamed
        return self._answer


def told(chunks: list[types.GenerateContentResponse]) -> list[dict[str, Any]]:
    """Return every field that is set in each chunk; the id is the same in all, and left out."""
    assert len({chunk.response_id for chunk in chunks}) == 1
    return [
        chunk.model_dump(mode="json", exclude_none=True, exclude={*OF_THE_SDK, "response_id"})
        for chunk in chunks
    ]


def stream(simulator: Simulator, **config: Any) -> list[types.GenerateContentResponse]:
    with client_of(simulator) as client:
        return list(
            client.models.generate_content_stream(
                model=MODEL, contents="hello you", config=types.GenerateContentConfig(**config)
            )
        )


def stream_of(answer: Answer, **config: Any) -> list[dict[str, Any]]:
    with Simulator(speed=10_000, answers=Says(answer)) as simulator:
        return told(stream(simulator, **config))


@covers("gemini", STREAM, "models.generate_content_stream")
def test_an_answer_in_pieces(simulator: Simulator) -> None:
    assert told(stream(simulator)) == [MIDDLE, LAST]


@covers("gemini", STREAM, "models.generate_content_stream")
async def test_an_answer_in_pieces_for_the_async_client(simulator: Simulator) -> None:
    async with client_of(simulator).aio as client:
        pieces = await client.models.generate_content_stream(model=MODEL, contents="hello you")
        chunks = [chunk async for chunk in pieces]
    assert told(chunks) == [MIDDLE, LAST]


def test_without_events_the_pieces_are_an_array(simulator: Simulator) -> None:
    response = raw(simulator, "POST", PATH, json=BODY)
    assert response.headers["content-type"] == "application/json"
    first, last = response.json()
    assert first["candidates"][0]["content"]["parts"] == [{"text": "hello"}]
    assert last["candidates"][0]["finishReason"] == "STOP"


def test_events_end_as_googles_do(simulator: Simulator) -> None:
    response = raw(simulator, "POST", f"{PATH}?alt=sse", json=BODY)
    assert response.headers["content-type"] == "text/event-stream"
    first, last, rest = response.text.split("\r\n\r\n")
    assert first.startswith('data: {"')
    assert last.startswith('data: {"')
    assert rest == ""


def test_an_error_in_an_array_is_one_too(simulator: Simulator) -> None:
    wrong = raw(simulator, "POST", PATH, json={"contents": []})
    assert wrong.status_code == 400
    assert wrong.json()[0]["error"]["status"] == "INVALID_ARGUMENT"
    event = raw(simulator, "POST", f"{PATH}?alt=sse", json={"contents": []})
    assert event.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_long_answers_come_in_many_pieces() -> None:
    text = "word " * 100
    chunks = stream_of(Answer(text))
    texts = [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks]
    assert "".join(texts) == text
    assert len(texts) == 8
    reasons = [chunk["candidates"][0].get("finish_reason") for chunk in chunks]
    assert reasons == [None] * 7 + ["STOP"]


@pytest.mark.parametrize("text", ["", "a"])
def test_even_short_answers_have_an_end_of_their_own(text: str) -> None:
    chunks = stream_of(Answer(text))
    texts = [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks]
    assert texts == [text, ""]


def test_a_call_of_a_function_comes_whole() -> None:
    chunks = stream_of(Answer('{"a": 1}', "tool_call", "f"))
    parts = [chunk["candidates"][0]["content"]["parts"] for chunk in chunks]
    assert parts == [[{"function_call": {"name": "f", "args": {"a": 1}}}], [{"text": ""}]]
    assert chunks[-1]["candidates"][0]["finish_reason"] == "STOP"


def test_thoughts_come_before_words() -> None:
    answer = Answer("yes", reasoning_tokens=3)
    chunks = stream_of(answer, thinking_config={"include_thoughts": True})
    parts = [chunk["candidates"][0]["content"]["parts"][0] for chunk in chunks]
    assert [part.get("thought") for part in parts] == [True, None, None]
    assert chunks[-1]["usage_metadata"]["thoughts_token_count"] == 3


@pytest.mark.parametrize(
    ("kind", "field"), [("safety", "candidates"), ("refusal", "prompt_feedback")]
)
def test_what_is_withheld_comes_in_one_piece(simulator: Simulator, kind: Any, field: str) -> None:
    simulator.add_fault(fault(kind))
    (chunk,) = told(stream(simulator))
    assert set(chunk) == {field, "model_version", "usage_metadata"}
    assert chunk["usage_metadata"]["total_token_count"] == 7


def test_a_fault_may_name_streams_alone(simulator: Simulator) -> None:
    simulator.add_fault(fault("safety", operation="streamGenerateContent"))
    (chunk,) = told(stream(simulator))
    assert chunk["candidates"][0]["finish_reason"] == "SAFETY"
    with client_of(simulator) as client:
        whole = client.models.generate_content(model=MODEL, contents="hello you")
    assert whole.text == "hello you"


def test_the_books_know_the_stream(simulator: Simulator) -> None:
    stream(simulator)
    (record,) = simulator.books.records
    assert (record.operation, record.fate) == ("streamGenerateContent", "answered")
    assert (record.usage.input_tokens, record.usage.output_tokens) == (7, 3)
