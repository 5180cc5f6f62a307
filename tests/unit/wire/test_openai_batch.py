from __future__ import annotations

import json
from typing import Any

import pytest

from batch_llm.base import LLMRequest
from batch_llm.exceptions import (
    InputError,
    InvalidRequestError,
    MalformedAnswerError,
    RateLimitedError,
    RefusalError,
)
from batch_llm.wire.batch_item import BatchAnswer, BatchRequestLine
from batch_llm.wire.batch_results import UNMATCHED_RESULTS, decode_results
from batch_llm.wire.custom_ids import CustomIds
from batch_llm.wire.embedding import EmbeddingText
from batch_llm.wire.openai_batch import (
    OpenAIEndpoint,
    decode_batch,
    decode_created,
    decode_page,
    encode_create,
    encode_lines,
    line_decoder,
)

IDS = CustomIds(["a", "b"])
CHAT: OpenAIEndpoint = "/v1/chat/completions"
ANSWER = {
    "id": "chatcmpl-1",
    "model": "m-1",
    "choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
}


def line(custom_id: str = "a", **fields: Any) -> bytes:
    return json.dumps({"id": "batch_req_1", "custom_id": custom_id, **fields}).encode()


def answered(body: Any, status: int = 200) -> bytes:
    response = {"status_code": status, "request_id": "req_1", "body": body}
    return line(response=response, error=None)


def read(one: bytes, endpoint: OpenAIEndpoint = CHAT, *private: str) -> BatchAnswer:
    return line_decoder(endpoint, lambda _: private)(one)


def test_a_line_holds_the_body_of_a_live_request() -> None:
    request = LLMRequest("Hello", max_output_tokens=9)
    [one] = encode_lines([BatchRequestLine("a", request, "m")], IDS, CHAT)
    assert one.endswith(b"\n")
    assert json.loads(one) == {
        "custom_id": "a",
        "method": "POST",
        "url": CHAT,
        "body": {
            "model": "m",
            "messages": [{"role": "user", "content": "Hello"}],
            "max_completion_tokens": 9,
        },
    }


def test_each_endpoint_has_its_body() -> None:
    [one] = encode_lines([BatchRequestLine("a", LLMRequest("Hi"), "m")], IDS, "/v1/responses")
    assert json.loads(one)["body"] == {"model": "m", "input": [{"role": "user", "content": "Hi"}]}
    text = EmbeddingText("Hi", dimensions=3)
    [one] = encode_lines([BatchRequestLine("b", text, "m")], IDS, "/v1/embeddings")
    assert json.loads(one)["body"] == {"model": "m", "input": "Hi", "dimensions": 3}


@pytest.mark.parametrize(
    ("request_", "endpoint"),
    [
        (LLMRequest("Hi"), "/v1/embeddings"),
        (EmbeddingText("Hi"), CHAT),
        (EmbeddingText("Hi"), "/v1/responses"),
        (LLMRequest("Hi", stop=["x"]), "/v1/responses"),
        (LLMRequest("\udc00"), CHAT),
    ],
)
def test_what_cannot_be_asked_is_refused_by_the_name_of_its_job(
    request_: LLMRequest | EmbeddingText, endpoint: OpenAIEndpoint
) -> None:
    with pytest.raises(InputError, match="'a'"):
        list(encode_lines([BatchRequestLine("a", request_, "m")], IDS, endpoint))


def test_an_answer() -> None:
    answer = read(answered(ANSWER))
    assert (answer.outcome, answer.text, answer.finish_reason) == ("succeeded", "Hi", "stop")
    assert answer.usage == {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    assert (answer.model, answer.request_id) == ("m-1", "chatcmpl-1")
    assert json.loads(answer.raw)["custom_id"] == "a"


def test_a_refused_answer_keeps_its_bill() -> None:
    choice = {"message": {"refusal": "No."}, "finish_reason": "stop"}
    answer = read(answered({**ANSWER, "choices": [choice]}))
    assert answer.outcome == "errored"
    assert isinstance(answer.error, RefusalError)
    assert answer.usage == {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}


def test_a_failed_line_says_why_and_quotes_no_prompt() -> None:
    body = {"error": {"message": "Bad: a very long prompt of mine", "code": "invalid_value"}}
    answer = read(answered(body, 400), CHAT, "a very long prompt of mine")
    assert isinstance(answer.error, InvalidRequestError)
    assert (answer.error_code, answer.request_id) == ("invalid_value", "req_1")
    assert "very long prompt" not in (answer.error_message or "")
    assert isinstance(read(answered({"error": {}}, 429)).error, RateLimitedError)


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("batch_expired", "expired"), ("batch_cancelled", "canceled"), ("other", "errored")],
)
def test_lines_that_were_not_run(code: str, outcome: str) -> None:
    answer = read(line(response=None, error={"code": code, "message": "Not run."}))
    assert (answer.outcome, answer.error_code, answer.error_message) == (outcome, code, "Not run.")


def test_a_line_without_answer_and_error_is_a_failure() -> None:
    answer = read(line(response=None, error=None))
    assert answer.outcome == "errored"
    assert answer.error_message


def test_a_vector() -> None:
    body = {"data": [{"embedding": [0.5, 1]}], "model": "m", "usage": {"prompt_tokens": 3}}
    answer = read(answered(body), "/v1/embeddings")
    assert (answer.embedding, answer.usage, answer.text) == (
        [0.5, 1.0],
        {"input_tokens": 3, "output_tokens": 0, "total_tokens": 3},
        None,
    )
    assert read(answered({"data": []}), "/v1/embeddings").outcome == "errored"


def test_lines_are_matched_by_id_and_what_is_left_is_told_at_the_end() -> None:
    good = answered(ANSWER)
    other = good.replace(b'"custom_id": "a"', b'"custom_id": "z"')
    lines = [b"\n", b"{", good, other]
    found: list[str] = []
    with pytest.raises(MalformedAnswerError, match=r"2 of 3 results of batch_1 .*results 1, 3"):
        for answer in decode_results(lines, line_decoder(CHAT), IDS, "batch_1"):
            found.append(answer.custom_id)
    assert found == ["a"]
    with pytest.raises(MalformedAnswerError) as caught:
        list(decode_results([b"{"], line_decoder(CHAT), IDS))
    assert caught.value.code == UNMATCHED_RESULTS


def test_how_a_batch_stands() -> None:
    order = encode_create("file-1", CHAT, "n0nce")
    assert order["completion_window"] == "24h"
    batch = {
        "id": "batch_1",
        "status": "completed",
        "input_file_id": "file-1",
        "output_file_id": None,
        "error_file_id": "file-3",
        "created_at": 10,
        "completed_at": 20,
        "expires_at": 30,
        "request_counts": {"total": 3, "completed": 1, "failed": 2},
        "metadata": order["metadata"],
        "errors": None,
    }
    status = decode_batch(json.dumps(batch).encode())
    assert (status.state, status.ended_as, status.provider_state) == (
        "ended",
        "completed",
        "completed",
    )
    assert (status.outputs, status.inputs, status.name) == (("file-3",), ("file-1",), "n0nce")
    assert (status.created_at, status.ended_at, status.expires_at) == (10, 20, 30)
    assert (status.counts.total, status.counts.errored, status.counts.pending) == (3, 2, 0)


@pytest.mark.parametrize(
    ("word", "state", "end"),
    [
        ("validating", "in_progress", None),
        ("in_progress", "in_progress", None),
        ("finalizing", "in_progress", None),
        ("cancelling", "canceling", None),
        ("cancelled", "ended", "cancelled"),
        ("expired", "ended", "expired"),
        ("failed", "ended", "failed"),
        # servers that speak OpenAI's Batch API, each in its own way
        ("QUEUED", "in_progress", None),
        ("IN_PROGRESS", "in_progress", None),
        ("CANCELLING", "canceling", None),
        ("COMPLETED", "ended", "completed"),
        ("succeeded", "ended", "completed"),
        ("error", "ended", "failed"),
        ("canceled", "ended", "cancelled"),
    ],
)
def test_words_for_states(word: str, state: str, end: str | None) -> None:
    status = decode_batch(json.dumps({"id": "b", "status": word}).encode())
    assert (status.state, status.ended_as, status.provider_state) == (state, end, word)
    assert status.has_ended == (end is not None)
    assert status.is_state_known


def test_an_unknown_word_counts_as_in_progress() -> None:
    status = decode_batch(b'{"id": "b", "status": "a word of tomorrow"}')
    assert (status.state, status.ended_as, status.is_state_known) == ("in_progress", None, False)


@pytest.mark.parametrize(("status", "told"), [("null", "null"), ("3", "3"), ('["a"]', '["a"]')])
def test_a_state_that_is_no_word_is_one_that_is_not_known(status: str, told: str) -> None:
    found = decode_batch(f'{{"id": "b", "status": {status}}}'.encode())
    assert (found.state, found.provider_state, found.is_state_known) == ("in_progress", told, False)


@pytest.mark.parametrize("rest", ["", ', "status": null', ', "metadata": 3, "request_counts": "x"'])
def test_who_names_a_batch_has_made_it_whatever_else_he_says(rest: str) -> None:
    assert decode_created(f'{{"id": "b"{rest}}}'.encode()) == "b"
    with pytest.raises(MalformedAnswerError, match="a batch of OpenAI's"):
        decode_created(b'{"status": "validating"}')


def test_why_a_batch_failed() -> None:
    errors = {"data": [{"code": "token_limit_exceeded", "line": 4, "message": "Too many."}, {}]}
    body = {"id": "b", "status": "failed", "errors": errors}
    status = decode_batch(json.dumps(body).encode())
    assert status.error is not None
    assert status.error.message == "Line 4: Too many. (and 1 more)"
    assert status.waits_for_tokens


def test_what_was_refused_before_it_ran_names_its_lines() -> None:
    errors = [
        {"code": "invalid_method", "line": 4, "message": "Wrong."},
        {"code": "invalid_url", "line": 7},
        {"code": "too_many_tasks", "message": "Too many."},
    ]
    body = {"id": "b", "status": "failed", "errors": {"data": errors}}
    status = decode_batch(json.dumps(body).encode())
    assert status.was_refused
    assert status.error is not None
    assert status.error.lines == {3: "Wrong.", 6: "invalid_url"}


@pytest.mark.parametrize(
    "fields",
    [
        {"errors": {"data": [{"code": "server_error", "message": "A defect."}]}},
        {"errors": None},
        {"output_file_id": "file-1"},
        {"request_counts": {"total": 2, "completed": 1}},
        {"status": "expired"},
    ],
    ids=str,
)
def test_what_may_have_run_was_not_refused(fields: dict[str, Any]) -> None:
    errors = {"data": [{"code": "invalid_method", "line": 1, "message": "Wrong."}]}
    body = {"id": "b", "status": "failed", "errors": errors, **fields}
    assert not decode_batch(json.dumps(body).encode()).was_refused


def test_pages() -> None:
    batches = [{"id": "b2", "status": "failed"}, {"id": "b1", "status": "failed"}]
    page = decode_page(json.dumps({"data": batches, "has_more": True}).encode())
    assert ([one.id for one in page.batches], page.next) == (["b2", "b1"], "b1")
    assert decode_page(b'{"data": [], "has_more": false, "last_id": null}').next is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"id": 1}', b"{}"])
def test_what_is_no_batch_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        decode_batch(body)
