from __future__ import annotations

import json
from typing import Any

import pytest

from batch_llm.base import LLMRequest
from batch_llm.exceptions import (
    InputError,
    InvalidRequestError,
    MalformedAnswerError,
    RefusalError,
    ServerError,
)
from batch_llm.wire.batch_item import BatchAnswer, BatchRequestLine
from batch_llm.wire.custom_ids import CustomIds
from batch_llm.wire.embedding import EmbeddingText
from batch_llm.wire.gemini_batch import (
    GeminiEndpoint,
    decode_operation,
    decode_page,
    encode_create,
    encode_inline,
    encode_lines,
    inline_results,
    line_decoder,
)

IDS = CustomIds(["a", "b"])
CHAT: GeminiEndpoint = "generateContent"
ASKED = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
LINES = [BatchRequestLine("a", LLMRequest("Hi"), "m")]
USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 2, "thoughtsTokenCount": 1}
TOKENS = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8, "reasoning_tokens": 1}


def response(*parts: Any, reason: str = "STOP", **fields: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts)}, "finishReason": reason, **fields}
    return {"candidates": [candidate], "usageMetadata": USAGE, "responseId": "r1"}


def read(endpoint: GeminiEndpoint = CHAT, **fields: Any) -> BatchAnswer:
    return line_decoder(endpoint)(json.dumps({"key": "a", **fields}).encode())


def test_lines_of_a_file() -> None:
    [line] = encode_lines(LINES, IDS, CHAT)
    assert line.endswith(b"\n")
    assert json.loads(line) == {"key": "a", "request": ASKED}
    text = BatchRequestLine("b", EmbeddingText("Hi", dimensions=4), "m")
    [line] = encode_lines([text], IDS, "embedContent")
    assert json.loads(line)["request"] == {
        "content": {"parts": [{"text": "Hi"}]},
        "outputDimensionality": 4,
    }


def test_creates_are_named_after_their_intent() -> None:
    body = json.loads(b"".join(encode_inline(LINES * 2, IDS, CHAT, "n0nce")))
    request = {"request": ASKED, "metadata": {"key": "a"}}
    assert body == {
        "batch": {
            "displayName": "batch-llm-n0nce",
            "inputConfig": {"requests": {"requests": [request, request]}},
        }
    }
    assert encode_create("files/f", "n0nce") == {
        "batch": {"displayName": "batch-llm-n0nce", "inputConfig": {"fileName": "files/f"}}
    }


@pytest.mark.parametrize(
    ("asked", "endpoint"), [(LLMRequest("Hi"), "embedContent"), (EmbeddingText("Hi"), CHAT)]
)
def test_what_cannot_be_asked_is_refused_by_the_name_of_its_job(
    asked: LLMRequest | EmbeddingText, endpoint: GeminiEndpoint
) -> None:
    with pytest.raises(InputError, match="'a'"):
        list(encode_lines([BatchRequestLine("a", asked, "m")], IDS, endpoint))


def test_an_answer_leaves_thoughts_out_and_bills_them() -> None:
    answer = read(response=response({"text": "hm", "thought": True}, {"text": "Hi"}))
    assert (answer.outcome, answer.text, answer.finish_reason) == ("succeeded", "Hi", "stop")
    assert answer.usage == TOKENS
    assert read(response=response(reason="MAX_TOKENS")).is_truncated


def test_keys_stand_in_the_metadata_of_inline_results() -> None:
    line = {"metadata": {"key": "b"}, "response": response({"text": "Hi"})}
    assert line_decoder(CHAT)(json.dumps(line).encode()).custom_id == "b"


@pytest.mark.parametrize("told", [{}, {"metadata": {}}, {"key": None}, {"metadata": None}])
def test_a_result_without_a_key_is_no_ones(told: dict[str, Any]) -> None:
    line = json.dumps({**told, "response": response({"text": "Hi"})}).encode()
    with pytest.raises(MalformedAnswerError, match="without its key"):
        line_decoder(CHAT)(line)


def test_blocked_answers_and_prompts_keep_their_bill() -> None:
    blocked = {"promptFeedback": {"blockReason": "OTHER"}, "usageMetadata": USAGE}
    for body, code in ((response(reason="SAFETY"), "SAFETY"), (blocked, "OTHER")):
        answer = read(response=body)
        assert isinstance(answer.error, RefusalError)
        assert answer.error_code == code
        assert answer.usage == TOKENS


@pytest.mark.parametrize("body", [{}, {"candidates": []}, response(), {"candidates": 7}, None])
def test_an_answer_that_holds_none(body: Any) -> None:
    assert isinstance(read(response=body).error, MalformedAnswerError)


def test_grounding_is_counted_in_bytes_and_told_in_characters() -> None:
    chunks = [{"web": {"uri": "https://a"}}, {"web": {"uri": "https://b"}}]
    supports = [
        {"segment": {"startIndex": 6, "endIndex": 10}, "groundingChunkIndices": [1, 9]},
        {"segment": {"endIndex": 2}, "groundingChunkIndices": []},
    ]
    told = {"groundingChunks": chunks, "groundingSupports": supports}
    answer = read(response=response({"text": "é é Wort"}, groundingMetadata=told))
    [span] = answer.cited
    assert span.locations == [chunks[1]]
    assert (answer.text or "").encode()[6:10].decode() == (answer.text or "")[span.start : span.end]


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ({"code": 3, "message": "bad"}, InvalidRequestError, "INVALID_ARGUMENT"),
        ({"code": 13, "message": "oh"}, ServerError, "INTERNAL"),
        ({"code": 503, "status": "UNAVAILABLE"}, ServerError, "UNAVAILABLE"),
        ({"message": "oh"}, ServerError, None),
    ],
)
def test_errors_are_those_of_grpc(error: dict[str, Any], kind: type, code: str | None) -> None:
    answer = read(error=error)
    assert (answer.outcome, type(answer.error), answer.error_code) == ("errored", kind, code)


def test_a_result_of_nothing_is_a_failure() -> None:
    assert isinstance(read().error, MalformedAnswerError)


def test_a_vector() -> None:
    answer = read("embedContent", response={"embedding": {"values": [1, 0]}, "tokenCount": "4"})
    assert (answer.embedding, answer.usage) == (
        [1.0, 0.0],
        {"input_tokens": 4, "output_tokens": 0, "total_tokens": 4},
    )
    assert read("embedContent", response={"embedding": {}}).outcome == "errored"


def operation(state: str, **fields: Any) -> bytes:
    metadata = {
        "state": f"BATCH_STATE_{state}",
        "displayName": "batch-llm-n0nce",
        "createTime": "2026-11-01T00:00:00.123456789Z",
        "inputConfig": {"fileName": "files/in"},
        "batchStats": {"requestCount": "4", "successfulRequestCount": "1"},
    }
    return json.dumps({"name": "batches/b", "metadata": metadata, **fields}).encode()


@pytest.mark.parametrize(
    ("word", "state", "end"),
    [
        ("PENDING", "in_progress", None),
        ("RUNNING", "in_progress", None),
        ("PAUSED", "in_progress", None),
        ("CANCELLING", "canceling", None),
        ("SUCCEEDED", "ended", "completed"),
        ("PARTIALLY_SUCCEEDED", "ended", "completed"),
        ("FAILED", "ended", "failed"),
        ("CANCELLED", "ended", "cancelled"),
        ("EXPIRED", "ended", "expired"),
    ],
)
def test_how_a_batch_stands(word: str, state: str, end: str | None) -> None:
    status = decode_operation(operation(word))
    assert (status.state, status.ended_as, status.name) == (state, end, "n0nce")
    assert (status.counts.total, status.counts.succeeded, status.counts.pending) == (4, 1, 3)
    assert status.inputs == ("files/in",)
    assert status.created_at is not None
    assert status.expires_at == status.created_at + 48 * 3_600


def test_an_end_without_a_word_for_it() -> None:
    assert decode_operation(b'{"name": "b", "done": true}').ended_as == "failed"
    assert decode_operation(b'{"name": "b", "done": true, "response": {}}').ended_as == "completed"


def test_why_a_batch_failed() -> None:
    error = {"code": 4, "message": "Deadline expired."}
    status = decode_operation(operation("EXPIRED", done=True, error=error))
    assert status.error is not None
    assert (status.error.message, status.error.code) == ("Deadline expired.", "DEADLINE_EXCEEDED")


@pytest.mark.parametrize(
    ("code", "succeeded", "was_refused"), [(3, 0, True), (3, 1, False), (13, 0, False)]
)
def test_a_batch_is_refused_for_what_is_in_it_where_nothing_ran(
    code: int, succeeded: int, was_refused: bool
) -> None:
    told = json.loads(operation("FAILED", done=True, error={"code": code, "message": "Wrong."}))
    told["metadata"]["batchStats"]["successfulRequestCount"] = succeeded
    assert decode_operation(json.dumps(told).encode()).was_refused is was_refused


@pytest.mark.parametrize("field", ["inlinedResponses", "inlinedEmbedContentResponses"])
def test_results_come_with_the_batch_or_in_a_file(field: str) -> None:
    inline = operation("SUCCEEDED", done=True, response={field: {"inlinedResponses": [{"key": 1}]}})
    assert decode_operation(inline).outputs == ("batches/b",)
    assert [json.loads(result) for result in inline_results(inline)] == [{"key": 1}]
    filed = operation("SUCCEEDED", done=True, response={"responsesFile": "files/out"})
    assert decode_operation(filed).outputs == ("files/out",)
    assert decode_operation(operation("SUCCEEDED", done=True, response={})).outputs == ()


def test_pages() -> None:
    one = json.loads(operation("RUNNING"))
    page = decode_page(json.dumps({"operations": [one], "nextPageToken": "t"}).encode())
    assert (page.batches[0].id, page.next) == ("batches/b", "t")
    assert decode_page(b"{}").next is None


def test_what_is_no_operation_is_refused() -> None:
    for body in (b"", b"[]", b"{}"):
        with pytest.raises(MalformedAnswerError):
            decode_operation(body)
