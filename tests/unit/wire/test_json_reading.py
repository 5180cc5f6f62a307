"""What is read of a body that is not quite JSON, in each provider's results and live answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from batch_llm.exceptions import MalformedAnswerError
from batch_llm.wire import anthropic_batch, gemini_batch, openai_batch
from batch_llm.wire.anthropic import decode_message
from batch_llm.wire.anthropic_batch import sent_id_of
from batch_llm.wire.gemini import decode_generated
from batch_llm.wire.gemini_batch import inline_results
from batch_llm.wire.json_reading import UNREADABLE, read_json
from batch_llm.wire.openai_chat import decode_chat
from batch_llm.wire.openai_responses import decode_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_llm.wire.answer import ChatAnswer
    from batch_llm.wire.batch_item import BatchAnswer

TEXT, COUNT = "WHAT IT SAYS", 1_007
CHAT = {
    "id": "1",
    "model": "m",
    "choices": [{"message": {"content": TEXT}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1_005, "completion_tokens": 2, "total_tokens": COUNT},
}
RESPONSE = {
    "id": "1",
    "model": "m",
    "status": "completed",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": TEXT}]}],
    "usage": {"input_tokens": 1_005, "output_tokens": 2, "total_tokens": COUNT},
}
MESSAGE = {
    "type": "message",
    "id": "1",
    "model": "m",
    "content": [{"type": "text", "text": TEXT}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1_005, "output_tokens": 2, "cache_read_input_tokens": COUNT},
}
GENERATED = {
    "candidates": [{"content": {"parts": [{"text": TEXT}]}, "finishReason": "STOP"}],
    "usageMetadata": {
        "promptTokenCount": 1_005,
        "candidatesTokenCount": 2,
        "totalTokenCount": COUNT,
    },
}


@dataclass(frozen=True)
class Reader:
    """What reads a line of results, such a line, and what reads the answer in it live."""

    name: str
    read: Callable[[bytes], BatchAnswer]
    line: dict[str, Any]
    live: Callable[[bytes], ChatAnswer]
    answer: dict[str, Any]


READERS = [
    Reader(
        "openai-chat",
        openai_batch.line_decoder("/v1/chat/completions"),
        {"custom_id": "a", "response": {"status_code": 200, "body": CHAT}},
        decode_chat,
        CHAT,
    ),
    Reader(
        "openai-responses",
        openai_batch.line_decoder("/v1/responses"),
        {"custom_id": "a", "response": {"status_code": 200, "body": RESPONSE}},
        decode_response,
        RESPONSE,
    ),
    Reader(
        "anthropic",
        anthropic_batch.line_decoder(),
        {"custom_id": "a", "result": {"type": "succeeded", "message": MESSAGE}},
        decode_message,
        MESSAGE,
    ),
    Reader(
        "gemini",
        gemini_batch.line_decoder("generateContent"),
        {"key": "a", "response": GENERATED},
        decode_generated,
        GENERATED,
    ),
]
TEXTS = {
    b"cut \\ud83d": "cut \ufffd",
    b"\\ude00\\ud83d mixed up": "\ufffd\ufffd mixed up",
    b"whole \\ud83d\\ude00, cut \\ud83d": "whole \U0001f600, cut \ufffd",
    b"raw \xed\xa0\xbd": "raw \ufffd\ufffd\ufffd",
    b"no UTF-8 \xff": "no UTF-8 \ufffd",
    b"a \\\\ud83d that is spelled, \\ud83d": "a \\ud83d that is spelled, \ufffd",
}
NO_NUMBERS = [b"NaN", b"Infinity", b"-Infinity", b"1e999"]


def sent(value: object, old: object, new: bytes) -> bytes:
    before, after = json.dumps(old).encode(), json.dumps(value).encode()
    assert before.strip(b'"') in after
    return after.replace(before.strip(b'"'), new)


@pytest.fixture(params=READERS, ids=lambda reader: reader.name)
def reader(request: pytest.FixtureRequest) -> Reader:
    found: Reader = request.param
    return found


@pytest.mark.parametrize(("written", "text"), TEXTS.items(), ids=ascii)
def test_half_of_a_character_costs_no_answer(reader: Reader, written: bytes, text: str) -> None:
    answer = reader.read(sent(reader.line, TEXT, written))
    assert (answer.custom_id, answer.outcome, answer.text) == ("a", "succeeded", text)
    assert answer.usage is not None
    assert answer.usage["output_tokens"] == 2
    assert reader.live(sent(reader.answer, TEXT, written)).text == text


@pytest.mark.parametrize("written", NO_NUMBERS)
def test_a_number_that_is_none_costs_no_answer(reader: Reader, written: bytes) -> None:
    answer = reader.read(sent(reader.line, COUNT, written))
    assert (answer.custom_id, answer.text) == ("a", TEXT)
    assert answer.usage is not None
    assert answer.usage["input_tokens"] == 1_005
    assert reader.live(sent(reader.answer, COUNT, written)).usage["output_tokens"] == 2


def test_a_cut_line_is_still_malformed(reader: Reader) -> None:
    line = sent(reader.line, TEXT, b"cut \\ud83d")
    with pytest.raises(MalformedAnswerError):
        reader.read(line[:-2])


def test_results_within_an_operation_of_geminis() -> None:
    result = {"metadata": {"key": "a"}, "response": GENERATED}
    output = {"inlinedResponses": {"inlinedResponses": [result]}}
    body = sent({"name": "batches/1", "done": True, "response": output}, TEXT, b"cut \\ud83d")
    read = gemini_batch.line_decoder("generateContent")
    assert [read(line).text for line in inline_results(body)] == ["cut \ufffd"]


def test_the_id_in_a_line_of_anthropics() -> None:
    assert sent_id_of(b'{"custom_id": "a", "result": {"type": "x", "error": NaN}}') == "a"
    assert sent_id_of(b'{"custom_id": "a"') is None


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a": NaN', b'{"a": "\\ud83d"', b"[" * 100_000, b"1" * 5_000]
)
def test_the_error_is_that_of_the_body_as_it_came(body: bytes) -> None:
    strict = msgspec.json.Decoder(dict[str, int])
    with pytest.raises(UNREADABLE) as told:
        strict.decode(body)
    with pytest.raises(UNREADABLE) as raised:
        read_json(strict, body)
    assert (type(raised.value), str(raised.value)) == (type(told.value), str(told.value))


@pytest.mark.parametrize("odd", [b"1.5", b"true", b'"many"', b"[]"], ids=ascii)
def test_a_count_that_is_none_costs_no_answer(reader: Reader, odd: bytes) -> None:
    answer = reader.read(sent(reader.line, COUNT, odd))
    assert (answer.custom_id, answer.outcome, answer.text) == ("a", "succeeded", TEXT)
    assert not (answer.usage or {}).get("total_tokens"), "what it has cost is not known"
    assert reader.live(sent(reader.answer, COUNT, odd)).text == TEXT


BESIDE = [("usage", "n/a"), ("usageMetadata", 7), ("id", 5), ("model", {}), ("responseId", [])]


@pytest.mark.parametrize(("name", "odd"), BESIDE, ids=str)
def test_what_stands_beside_an_answer_costs_none(reader: Reader, name: str, odd: object) -> None:
    assert reader.live(json.dumps({**reader.answer, name: odd}).encode()).text == TEXT


def test_an_answer_of_another_form_is_still_refused(reader: Reader) -> None:
    body = json.dumps({**reader.answer, "choices": 1, "output": 1, "content": 1, "candidates": 1})
    with pytest.raises(MalformedAnswerError):
        reader.live(body.encode())


@pytest.mark.parametrize("odd", [{"status_code": "200"}, {"request_id": 5}], ids=str)
def test_a_line_of_an_odd_server_is_read(odd: dict[str, Any]) -> None:
    response = {"status_code": 200, "body": CHAT, **odd}
    read = openai_batch.line_decoder("/v1/chat/completions")
    line = json.dumps({"custom_id": "a", "response": response}).encode()
    assert read(line).text == TEXT
