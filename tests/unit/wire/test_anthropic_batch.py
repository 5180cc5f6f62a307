from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from batch_llm.base import FilePart, LLMRequest, Message, TextPart
from batch_llm.exceptions import (
    InputError,
    InvalidRequestError,
    MalformedAnswerError,
    RefusalError,
)
from batch_llm.wire.anthropic import encode_message
from batch_llm.wire.anthropic_batch import (
    decode_batch,
    decode_page,
    encode_create,
    line_decoder,
    sent_id_of,
)
from batch_llm.wire.batch_item import BatchAnswer, BatchRequestLine
from batch_llm.wire.custom_ids import CustomIds
from batch_llm.wire.embedding import EmbeddingText

NONCE = "0123456789abcdef"
IDS = CustomIds(["Zeile 1", "Zeile 2"], NONCE)
SCHEMA = {
    "type": "object",
    "properties": {"legs": {"type": "integer"}},
    "required": ["legs"],
    "additionalProperties": False,
}
USAGE = {"input_tokens": 5, "output_tokens": 2}


def read(result: Any) -> BatchAnswer:
    line = {"custom_id": f"{NONCE}-1", "result": result}
    return line_decoder()(json.dumps(line).encode())


def message(*blocks: Any, **fields: Any) -> dict[str, Any]:
    return {
        "type": "succeeded",
        "message": {
            "type": "message",
            "id": "msg_1",
            "model": "claude",
            "content": list(blocks),
            "stop_reason": "end_turn",
            "usage": USAGE,
            **fields,
        },
    }


def citing(request: LLMRequest) -> LLMRequest:
    fields = {name: getattr(request, name) for name in LLMRequest.__slots__}
    return cast("LLMRequest", SimpleNamespace(**{**fields, "citations": True}))


def test_a_create_holds_live_requests_under_ids_that_anthropic_takes() -> None:
    lines = [BatchRequestLine(f"Zeile {n}", LLMRequest(f"q{n}"), "claude") for n in (1, 2)]
    body = json.loads(b"".join(encode_create(lines, IDS)))
    assert body == {
        "requests": [
            {"custom_id": f"{NONCE}-{n}", "params": encode_message(line.request, "claude")}  # type: ignore[arg-type]  # all are requests
            for n, line in enumerate(lines)
        ]
    }


def test_vectors_are_refused_by_the_name_of_their_job() -> None:
    with pytest.raises(InputError, match="'Zeile 1'"):
        list(encode_create([BatchRequestLine("Zeile 1", EmbeddingText("x"), "claude")], IDS))


def test_citations_are_asked_for_each_document_and_put_a_schema_into_words() -> None:
    parts = (FilePart(data=b"text", media_type="text/plain"), TextPart("Which?"))
    request = LLMRequest([Message("user", parts)], output_schema=SCHEMA)
    plain = encode_message(request, "claude")
    assert "output_config" in plain
    assert "citations" not in json.dumps(plain)
    body: Any = encode_message(citing(request), "claude")
    document, text = body["messages"][0]["content"]
    assert document["citations"] == {"enabled": True}
    assert "citations" not in text
    assert "output_config" not in body
    assert '"legs"' in body["system"]


def test_citations_come_with_the_passages_that_they_stand_at() -> None:
    place = {"type": "page_location", "cited_text": "12", "start_page_number": 3}
    answer = read(
        message(
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "It has "},
            {"type": "text", "text": "12 legs", "citations": [place, place]},
            {"type": "text", "text": ".", "citations": None},
        )
    )
    assert answer.text == "It has 12 legs."
    assert [(span.start, span.end) for span in answer.cited] == [(7, 14)]
    assert answer.text[7:14] == "12 legs"
    assert answer.citations == [place, place]


def test_an_answer_and_a_refusal() -> None:
    answer = read(message({"type": "text", "text": "Hi"}, stop_reason="max_tokens"))
    assert (answer.outcome, answer.text, answer.is_truncated) == ("succeeded", "Hi", True)
    assert answer.usage == {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    refused = read(message(stop_reason="refusal"))
    assert isinstance(refused.error, RefusalError)
    assert refused.usage == answer.usage


def test_requests_that_failed_or_were_not_run() -> None:
    report = {"type": "invalid_request_error", "message": "max_tokens: too large"}
    error = {"type": "error", "request_id": "req_1", "error": report}
    failed = read({"type": "errored", "error": error})
    assert failed.outcome == "errored"
    assert isinstance(failed.error, InvalidRequestError)
    assert failed.request_id == "req_1"
    for end in ("expired", "canceled"):
        not_run = read({"type": end})
        assert (not_run.outcome, not_run.error_code) == (end, end)
        assert not_run.error_message


def test_a_word_of_tomorrow_is_a_failure() -> None:
    assert read({"type": "paused"}).outcome == "errored"


@pytest.mark.parametrize("line", [b"", b"{", b'{"custom_id": "a"}', b"[]"])
def test_a_line_without_an_id_is_refused(line: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        line_decoder()(line)
    assert sent_id_of(line) is None


def batch(status: str, **counts: int) -> bytes:
    none = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    return json.dumps(
        {
            "id": "msgbatch_1",
            "processing_status": status,
            "request_counts": none | counts,
            "created_at": "2026-11-01T00:00:00Z",
            "ended_at": "2026-11-01T01:00:00Z" if status == "ended" else None,
            "expires_at": "2026-11-02T00:00:00.5+00:00",
            "results_url": "https://h/r" if status == "ended" else None,
        }
    ).encode()


@pytest.mark.parametrize(
    ("body", "state", "end"),
    [
        (batch("in_progress", processing=4), "in_progress", None),
        (batch("canceling", processing=4), "canceling", None),
        (batch("ended", succeeded=3, errored=1), "ended", "completed"),
        (batch("ended", succeeded=3, expired=1), "ended", "expired"),
        (batch("ended", succeeded=3, canceled=1), "ended", "cancelled"),
    ],
)
def test_how_a_batch_stands(body: bytes, state: str, end: str | None) -> None:
    status = decode_batch(body)
    assert (status.state, status.ended_as, status.counts.total) == (state, end, 4)
    assert status.created_at == 1_793_491_200
    assert status.expires_at == 1_793_577_600.5
    assert (status.ended_at is None) == (end is None)
    assert status.outputs == (() if end is None else ("https://h/r",))


def test_pages() -> None:
    one = json.loads(batch("in_progress", processing=1))
    page = decode_page(json.dumps({"data": [one], "has_more": True, "last_id": "x"}).encode())
    assert (page.batches[0].id, page.next) == ("msgbatch_1", "x")
    with pytest.raises(MalformedAnswerError):
        decode_page(b"[]")
