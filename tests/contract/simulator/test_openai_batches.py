"""Batches, with OpenAI's SDK as the judge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from openai import (
    APIStatusError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    OpenAI,
)
from openai.types import Batch, CreateEmbeddingResponse
from openai.types.responses import Response
from tests.contract.simulator.openai_batches import (
    DAY,
    ENDPOINT,
    MODEL,
    SNAPSHOT,
    driven_to,
    ended,
    jsonl,
    line,
    results,
    submit,
)
from tests.contract.simulator.openai_sdk import async_client_of, client_of
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import BatchTimes, Latency, Limit, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[OpenAI]:
    with client_of(simulator) as client:
        yield client


# --- what is set in each state -------------------------------------------------------------

# All fields of the SDK's `Batch` (openai 3.54, types/batch.py, whose docstrings say when a moment
# is set). That a new batch shows null for what is not known yet, zero counts, no model and a usage
# of zeros was seen in answers of the API that others have published; so was that the model is a
# dated one. SET is any value that is not null.
SET = object()
NO_USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}
NEW: dict[str, Any] = {
    "id": SET,
    "object": "batch",
    "endpoint": ENDPOINT,
    "model": None,
    "errors": None,
    "input_file_id": SET,
    "completion_window": "24h",
    "status": "validating",
    "output_file_id": None,
    "error_file_id": None,
    "created_at": SET,
    "in_progress_at": None,
    "expires_at": SET,
    "finalizing_at": None,
    "completed_at": None,
    "failed_at": None,
    "expired_at": None,
    "cancelling_at": None,
    "cancelled_at": None,
    "request_counts": {"total": 0, "completed": 0, "failed": 0},
    "usage": NO_USAGE,
    "metadata": {"run": "7"},
}
CHECKED = {**NEW, "model": SNAPSHOT, "in_progress_at": SET}
RUN = {
    **CHECKED,
    "request_counts": {"total": 20, "completed": 20, "failed": 0},
    "usage": SET,
    "finalizing_at": SET,
}
HALF = {**CHECKED, "request_counts": SET, "usage": SET, "output_file_id": SET, "error_file_id": SET}
STATES: dict[str, dict[str, Any]] = {
    "validating": NEW,
    "in_progress": {
        **CHECKED,
        "request_counts": {"total": 20, "completed": 0, "failed": 0},
    },
    "finalizing": RUN,
    "completed": {**RUN, "completed_at": SET, "output_file_id": SET},
    "failed": {**NEW, "errors": SET, "failed_at": SET},
    "expired": {**HALF, "expired_at": SET},
    "cancelling": {
        **HALF,
        "cancelling_at": SET,
        "output_file_id": None,
        "error_file_id": None,
    },
    "cancelled": {**HALF, "cancelling_at": SET, "cancelled_at": SET},
}


def check_state(batch: Batch, state: str, **different: Any) -> None:
    expected = {**STATES[state], "status": state, **different}
    assert batch.model_extra == {}
    shown = batch.model_dump()
    assert shown.keys() == expected.keys() == Batch.model_fields.keys()
    for name, value in expected.items():
        if value is SET:
            assert shown[name] is not None, name
        else:
            assert shown[name] == value, name
    assert batch.expires_at == batch.created_at + DAY


@covers("openai", "POST /batches", "batches.create")
@covers("openai", "GET /batches/{id}", "batches.retrieve")
def test_each_field_in_the_states_to_completion(simulator: Simulator, client: OpenAI) -> None:
    simulator.set_speed(1)
    batch = submit(client, 20, metadata={"run": "7"})
    check_state(batch, "validating")
    for state in ("in_progress", "finalizing", "completed"):
        batch = driven_to(simulator, client, batch, state)
        check_state(batch, state)
    moments = [batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at]
    assert moments == sorted(moments, key=lambda moment: moment or 0)
    assert batch.usage is not None
    # "question 1" to "question 9" are 3 tokens, the others too, and a turn costs 4.
    assert (batch.usage.input_tokens, batch.usage.output_tokens) == (20 * 7, 20 * 3)
    assert batch.usage.total_tokens == 20 * 10


def test_a_jump_of_the_clock_lets_a_batch_happen(simulator: Simulator, client: OpenAI) -> None:
    simulator.set_speed(1)
    batch = submit(client, 20)
    simulator.advance(DAY)
    batch = ended(client, batch)
    check_state(batch, "completed", metadata=None)
    assert batch.completed_at is not None
    assert batch.completed_at < batch.created_at + DAY


def test_each_field_of_a_batch_that_failed(simulator: Simulator, client: OpenAI) -> None:
    broken = line(1) | {"method": "GET"}
    batch = ended(client, submit(client, jsonl([broken]), metadata={"run": "7"}))
    check_state(batch, "failed")
    assert batch.errors is not None
    assert batch.errors.model_dump() == {
        "object": "list",
        "data": [
            {
                "code": "invalid_method",
                "line": 1,
                "message": "Invalid method: 'GET'. Only 'POST' is supported.",
                "param": "method",
            }
        ],
    }


@covers("openai", "POST /batches/{id}/cancel", "batches.cancel")
def test_each_field_of_a_batch_that_is_cancelled(simulator: Simulator, client: OpenAI) -> None:
    simulator.set_speed(1)
    batch = submit(client, 20, metadata={"run": "7"})
    batch = driven_to(simulator, client, batch, "in_progress", completed=10)
    check_state(client.batches.cancel(batch.id), "cancelling")
    check_state(client.batches.cancel(batch.id), "cancelling")
    batch = driven_to(simulator, client, batch, "cancelled")
    check_state(batch, "cancelled")
    check_partial(client, batch, "batch_cancelled")


def test_each_field_of_a_batch_that_expires() -> None:
    slow = BatchTimes(running=Latency(seconds=2 * DAY))
    with Simulator(batch_times=slow) as simulator, client_of(simulator) as client:
        batch = submit(client, 20, metadata={"run": "7"})
        batch = driven_to(simulator, client, batch, "expired", step_seconds=3_600)
        check_state(batch, "expired")
        check_partial(client, batch, "batch_expired")
        assert batch.expired_at == batch.expires_at


def check_partial(client: OpenAI, batch: Batch, code: str) -> None:
    """See that what ran is in the output file, and the rest in the error file."""
    output = results(client, batch.output_file_id)
    errors = results(client, batch.error_file_id)
    assert 0 < len(output) < 20
    names = [done["custom_id"] for done in (*output, *errors)]
    assert names == [f"r{number}" for number in range(1, 21)]
    assert all(done["response"]["status_code"] == 200 for done in output)
    for failed in errors:
        assert failed.keys() == {"id", "custom_id", "response", "error"}
        assert failed["id"].startswith("batch_req_")
        assert failed["response"] is None
        assert failed["error"]["code"] == code
        assert failed["error"]["message"]
    counts = batch.request_counts
    assert counts is not None
    assert (counts.completed, counts.failed, counts.total) == (len(output), len(errors), 20)


# --- results -------------------------------------------------------------------------------


@covers("openai", "GET /files/{id}/content", "files.content")
def test_the_lines_of_the_output(simulator: Simulator, client: OpenAI) -> None:
    batch = ended(client, submit(client, 3))
    output = results(client, batch.output_file_id)
    assert [done["custom_id"] for done in output] == ["r1", "r2", "r3"]
    for number, done in enumerate(output, 1):
        assert done.keys() == {"id", "custom_id", "response", "error"}
        assert done["id"].startswith("batch_req_")
        assert done["error"] is None
        response = done["response"]
        assert response.keys() == {"status_code", "request_id", "body"}
        assert response["status_code"] == 200
        assert len(response["request_id"]) == 32
        assert response["body"]["object"] == "chat.completion"
        assert response["body"]["choices"][0]["message"]["content"] == f"question {number}"
    assert len({done["id"] for done in output}) == 3
    assert batch.error_file_id is None


def test_a_batch_of_responses(simulator: Simulator, client: OpenAI) -> None:
    url = "/v1/responses"
    lines = [line(1) | {"url": url, "body": {"model": MODEL, "input": "question 1"}}]
    batch = ended(client, submit(client, jsonl(lines), endpoint=url))
    (done,) = results(client, batch.output_file_id)
    answer = Response.model_validate(done["response"]["body"])
    assert answer.output_text == "question 1"
    assert answer.usage is not None
    assert batch.usage is not None
    assert batch.usage.total_tokens == answer.usage.total_tokens


def test_a_batch_of_embeddings(simulator: Simulator, client: OpenAI) -> None:
    url = "/v1/embeddings"
    body = {"model": "text-embedding-3-small", "input": ["one", "two"]}
    batch = ended(
        client, submit(client, jsonl([line(1) | {"url": url, "body": body}]), endpoint=url)
    )
    assert batch.model == "text-embedding-3-small"
    (done,) = results(client, batch.output_file_id)
    answer = CreateEmbeddingResponse.model_validate(done["response"]["body"])
    assert [vector.index for vector in answer.data] == [0, 1]


def test_result_files_are_files_like_others(simulator: Simulator, client: OpenAI) -> None:
    life = {"anchor": "created_at", "seconds": 7_200}
    batch = ended(client, submit(client, 1, output_expires_after=life))
    assert batch.output_file_id is not None
    file = client.files.retrieve(batch.output_file_id)
    assert (file.purpose, file.status) == ("batch_output", "processed")
    assert file.filename == f"{batch.id}_output.jsonl"
    assert file.bytes == len(client.files.content(file.id).content)
    assert file.expires_at is not None
    assert file.expires_at - file.created_at == 7_200
    assert [found.id for found in client.files.list(purpose="batch_output")] == [file.id]
    client.files.delete(file.id)
    with pytest.raises(NotFoundError):
        client.files.content(file.id)


def test_lines_that_fail_stand_in_the_error_file(simulator: Simulator, client: OpenAI) -> None:
    lines = [line(1), line(2, temperature="warm"), line(3)]
    batch = ended(client, submit(client, jsonl(lines)))
    assert batch.status == "completed"
    output = results(client, batch.output_file_id)
    assert [done["custom_id"] for done in output] == ["r1", "r3"]
    (failed,) = results(client, batch.error_file_id)
    assert failed["custom_id"] == "r2"
    assert failed["error"] is None
    assert failed["response"]["status_code"] == 400
    error = failed["response"]["body"]["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "temperature")
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 3, "completed": 2, "failed": 1}


def test_the_books_of_the_lines(simulator: Simulator, client: OpenAI) -> None:
    batch = ended(client, submit(client, 3))
    records = simulator.books.records
    assert [record.custom_id for record in records] == ["r1", "r2", "r3"]
    assert {(record.lane, record.fate, record.status) for record in records} == {
        ("batch", "answered", 200)
    }
    assert batch.usage is not None
    assert sum(record.usage.input_tokens for record in records) == batch.usage.input_tokens


# --- input that is wrong -------------------------------------------------------------------

BAD_INPUTS: dict[str, tuple[bytes, list[tuple[str, int | None, str | None]]]] = {
    "no JSON": (
        jsonl([line(1)]) + b"{nothing\n",
        [("invalid_json_line", 2, None)],
    ),
    "no UTF-8": (jsonl([line(1)]) + b'{"custom_id": "\xff"}\n', [("invalid_json_line", 2, None)]),
    "no object": (jsonl([line(1)]) + b"7\n", [("invalid_json_line", 2, None)]),
    "a byte order mark": (b"\xef\xbb\xbf" + jsonl([line(1)]), [("invalid_json_line", 1, None)]),
    "fields missing": (
        jsonl(
            [
                {name: value for name, value in line(number).items() if name != gone}
                for number, gone in enumerate(("custom_id", "method", "url", "body"))
            ]
        ),
        [
            ("missing_required_parameter", 1, "custom_id"),
            ("missing_required_parameter", 2, "method"),
            ("missing_required_parameter", 3, "url"),
            ("missing_required_parameter", 4, "body"),
        ],
    ),
    "wrong types": (
        jsonl([line(1) | {"custom_id": 7}, line(2) | {"body": []}, line(3, model=3)]),
        [
            ("invalid_type", 1, "custom_id"),
            ("invalid_type", 2, "body"),
            ("invalid_type", 3, "body.model"),
        ],
    ),
    "an id twice": (
        jsonl([line(1), line(2), line(1)]),
        [("duplicate_custom_id", 3, "custom_id")],
    ),
    "a wrong method": (jsonl([line(1) | {"method": "GET"}]), [("invalid_method", 1, "method")]),
    "another endpoint": (
        jsonl([line(1) | {"url": "/v1/embeddings"}]),
        [("invalid_url", 1, "url")],
    ),
    "two models": (
        jsonl([line(1), line(2, model="gpt-4o")]),
        [("mismatched_model", 2, "body.model")],
    ),
    "a model that is none": (
        jsonl([line(1, model="nothing-1")]),
        [("model_not_found", 1, "body.model")],
    ),
    "no model": (jsonl([line(1, model=None)]), [("invalid_request", 1, "body.model")]),
    "no messages": (
        jsonl([line(1) | {"body": {"model": MODEL}}]),
        [("invalid_request", 1, "body.messages")],
    ),
    "a stream": (
        jsonl([line(1), line(2, stream=True)]),
        [("streaming_unsupported", 2, "body.stream")],
    ),
    "blank lines only": (b"\n \n\n", [("empty_file", None, None)]),
}


@pytest.mark.parametrize("what", BAD_INPUTS)
def test_wrong_input_fails_the_batch(simulator: Simulator, client: OpenAI, what: str) -> None:
    content, expected = BAD_INPUTS[what]
    batch = submit(client, content)
    assert batch.status == "validating"
    batch = ended(client, batch)
    assert batch.status == "failed"
    assert batch.errors is not None
    errors = batch.errors.data or []
    assert [(error.code, error.line, error.param) for error in errors] == expected
    assert all(error.message for error in errors)
    assert not simulator.books.records


def test_blank_lines_are_no_requests(client: OpenAI) -> None:
    content = b"\n" + jsonl([line(1)]) + b"\r\n\n" + jsonl([line(2)]).rstrip(b"\n")
    batch = ended(client, submit(client, content))
    assert batch.request_counts is not None
    assert batch.request_counts.completed == 2


def test_a_file_that_is_not_there_fails_the_batch(client: OpenAI) -> None:
    batch = client.batches.create(
        input_file_id="file-none", endpoint=ENDPOINT, completion_window="24h"
    )
    batch = ended(client, batch)
    assert batch.errors is not None
    (error,) = batch.errors.data or []
    assert (error.code, error.param) == ("invalid_request", "file_id")
    assert "Cannot find file file-none" in (error.message or "")


def test_a_file_for_something_else_fails_the_batch(client: OpenAI) -> None:
    file = client.files.create(file=("in.jsonl", jsonl([line(1)])), purpose="user_data")
    batch = client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")
    assert ended(client, batch).status == "failed"


def test_tokens_that_may_not_wait_fail_the_batch(simulator: Simulator, client: OpenAI) -> None:
    simulator.set_limits([Limit(enqueued_tokens=15)])
    simulator.set_speed(1)
    first, second = submit(client, 2), submit(client, 2)
    second = driven_to(simulator, client, second, "failed")
    assert second.errors is not None
    (error,) = second.errors.data or []
    assert error.code == "token_limit_exceeded"
    assert f"Enqueued token limit reached for {MODEL}" in (error.message or "")
    assert "Limit: 15 enqueued tokens" in (error.message or "")
    driven_to(simulator, client, first, "completed")
    third = submit(client, 2)
    driven_to(simulator, client, third, "completed")


# --- orders that are wrong -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "code", "param", "message"),
    [
        ({"input_file_id": None}, "missing_required_parameter", "input_file_id", "Missing"),
        ({"input_file_id": 7}, "invalid_type", "input_file_id", "an integer"),
        ({"endpoint": "/v1/else"}, "invalid_value", "endpoint", "'/v1/responses'"),
        ({"endpoint": "/v1/videos"}, "invalid_value", "endpoint", "simulator"),
        ({"completion_window": "1h"}, "invalid_value", "completion_window", "'24h'"),
        ({"metadata": []}, "invalid_type", "metadata", "an object"),
        ({"metadata": {"tags": ["a"]}}, "invalid_type", "metadata.tags", "an array"),
        (
            {"metadata": {str(number): "" for number in range(17)}},
            "object_above_max_properties",
            "metadata",
            "at most 16",
        ),
        ({"metadata": {"k" * 65: ""}}, "string_above_max_length", "metadata", "64"),
        ({"metadata": {"k": "v" * 513}}, "string_above_max_length", "metadata.k", "512"),
        ({"output_expires_after": 7}, "invalid_type", "output_expires_after", "an object"),
        (
            {"output_expires_after": {"anchor": "created_at", "seconds": 1}},
            "integer_below_min_value",
            "output_expires_after.seconds",
            "3600",
        ),
    ],
)
def test_wrong_orders_are_refused(
    client: OpenAI, asked: dict[str, Any], code: str, param: str, message: str
) -> None:
    order: dict[str, Any] = {
        "input_file_id": "file-none",
        "endpoint": ENDPOINT,
        "completion_window": "24h",
        **asked,
    }
    with pytest.raises(BadRequestError) as caught:
        client.batches.create(**order)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert caught.value.type == "invalid_request_error"
    assert message in caught.value.message
    assert client.batches.list().data == []


def test_metadata_at_its_limits_is_kept(client: OpenAI) -> None:
    metadata = {f"{number:064}": "v" * 512 for number in range(16)}
    batch = submit(client, 1, metadata=metadata)
    assert client.batches.retrieve(batch.id).metadata == metadata


# --- finding and stopping ------------------------------------------------------------------


@covers("openai", "GET /batches", "batches.list")
def test_pages_of_batches(client: OpenAI) -> None:
    newest_first = [submit(client, 1).id for _ in range(22)][::-1]
    page = client.batches.list()
    assert [batch.id for batch in page.data] == newest_first[:20]
    assert page.has_more
    assert [batch.id for batch in client.batches.list(limit=3)] == newest_first
    assert [batch.id for batch in client.batches.list(after=newest_first[-2])] == newest_first[-1:]
    assert client.batches.list(after=newest_first[-1]).data == []


@pytest.mark.parametrize(
    ("asked", "code", "status"),
    [
        ({"limit": 0}, "integer_below_min_value", 400),
        ({"limit": 101}, "integer_above_max_value", 400),
        ({"after": "batch_none"}, None, 404),
    ],
)
def test_wrong_pages(client: OpenAI, asked: dict[str, Any], code: str, status: int) -> None:
    with pytest.raises(APIStatusError) as caught:
        client.batches.list(**asked)
    assert (caught.value.status_code, caught.value.code) == (status, code)


def test_a_batch_is_seen_by_its_key_alone(client: OpenAI) -> None:
    batch = submit(client, 1)
    other = client.with_options(api_key="two")
    assert other.batches.list().data == []
    for look in (other.batches.retrieve, other.batches.cancel):
        with pytest.raises(NotFoundError) as caught:
            look(batch.id)
        assert caught.value.body == {
            "message": f"No batch found with id '{batch.id}'.",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }


def test_what_has_ended_cannot_be_cancelled(client: OpenAI) -> None:
    completed = ended(client, submit(client, 1))
    failed = ended(client, submit(client, b"\n"))
    for batch in (completed, failed):
        with pytest.raises(ConflictError) as caught:
            client.batches.cancel(batch.id)
        assert caught.value.body == {
            "message": f"Cannot cancel a batch with status '{batch.status}'.",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }


def test_a_batch_can_be_cancelled_while_it_is_checked(simulator: Simulator, client: OpenAI) -> None:
    simulator.set_speed(1)
    batch = submit(client, 2)
    assert client.batches.cancel(batch.id).status == "cancelling"
    batch = driven_to(simulator, client, batch, "cancelled")
    assert batch.in_progress_at is None
    assert batch.output_file_id is None
    errors = results(client, batch.error_file_id)
    assert [done["error"]["code"] for done in errors] == ["batch_cancelled"] * 2
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 2, "completed": 0, "failed": 2}
    assert client.batches.cancel(batch.id) == batch
    assert not simulator.books.records


@covers("openai", "POST /batches", "batches.create")
@covers("openai", "GET /batches/{id}", "batches.retrieve")
@covers("openai", "GET /batches", "batches.list")
@covers("openai", "POST /batches/{id}/cancel", "batches.cancel")
async def test_a_batch_async(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        file = await client.files.create(file=("in.jsonl", jsonl([line(1)])), purpose="batch")
        batch = await client.batches.create(
            input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h"
        )
        assert [found.id async for found in client.batches.list()] == [batch.id]
        while batch.status not in ("completed", "failed"):
            batch = await client.batches.retrieve(batch.id)
        assert batch.output_file_id is not None
        content = await client.files.content(batch.output_file_id)
        assert json.loads(content.text)["custom_id"] == "r1"
        simulator.set_speed(1)
        second = await client.batches.create(
            input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h"
        )
        assert (await client.batches.cancel(second.id)).status == "cancelling"
