"""Batches of messages, with Anthropic's SDK as the judge."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import pytest
from tests.contract.simulator.anthropic_sdk import (
    MODEL,
    asks,
    async_client_of,
    client_of,
    compare,
    named,
)
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Fault, FaultKind

if TYPE_CHECKING:
    from anthropic import Anthropic
    from anthropic.types.messages import MessageBatch

    from batch_llm.testing.simulator import Simulator

BATCHES = "/v1/messages/batches"
BATCH = "/v1/messages/batches/{message_batch_id}"
DAY = datetime.timedelta(days=1)


def _line(custom_id: str, text: str = "hello", **fields: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "params": asks(text, **fields)}


def _lines(count: int) -> list[dict[str, Any]]:
    return [_line(f"line-{number}", f"text {number}") for number in range(count)]


def _is_moment(value: object) -> bool:
    return isinstance(value, datetime.datetime) and value.tzinfo is not None


def _counts(**named_counts: int) -> dict[str, int]:
    kinds = ("processing", "succeeded", "errored", "canceled", "expired")
    return {kind: named_counts.get(kind, 0) for kind in kinds}


# Source: the SDK's MessageBatch: "ended_at: specified only once processing ends",
# "cancel_initiated_at: specified only if cancellation was initiated", "results_url: specified only
# once processing ends", and "requests start as processing and move to one of the other statuses
# only once processing of the entire batch ends".
IN_PROGRESS: dict[str, Any] = {
    "id": named("msgbatch_"),
    "type": "message_batch",
    "processing_status": "in_progress",
    "request_counts": _counts(processing=3),
    "created_at": _is_moment,
    "expires_at": _is_moment,
    "ended_at": None,
    "cancel_initiated_at": None,
    "archived_at": None,
    "results_url": None,
}
CANCELING = {**IN_PROGRESS, "processing_status": "canceling", "cancel_initiated_at": _is_moment}
ENDED = {
    **IN_PROGRESS,
    "processing_status": "ended",
    "request_counts": _counts(succeeded=3),
    "ended_at": _is_moment,
    "results_url": lambda url: url.endswith("/results") and url.startswith("http://127.0.0.1:"),
}
CANCELED = {**ENDED, "cancel_initiated_at": _is_moment, "request_counts": _counts(canceled=3)}
ARCHIVED = {**ENDED, "archived_at": _is_moment, "results_url": None}


def _ended(client: Anthropic, batch: MessageBatch, simulator: Simulator) -> MessageBatch:
    """Let time pass until the batch has ended."""
    while batch.processing_status != "ended":
        simulator.advance(600)
        batch = client.messages.batches.retrieve(batch.id)
    return batch


def _run(client: Anthropic, simulator: Simulator, lines: list[dict[str, Any]]) -> MessageBatch:
    return _ended(client, client.messages.batches.create(requests=lines), simulator)


# --- the states ----------------------------------------------------------------------------


@covers("anthropic", f"POST {BATCHES}", "messages.batches.create")
@covers("anthropic", f"GET {BATCH}", "messages.batches.retrieve")
@covers("anthropic", f"DELETE {BATCH}", "messages.batches.delete")
def test_all_fields_of_a_batch_from_its_start_to_its_end(simulator: Simulator) -> None:
    simulator.set_speed(1)
    with client_of(simulator) as client:
        created = client.messages.batches.create(requests=_lines(3))
        compare(created, IN_PROGRESS)
        assert created.expires_at - created.created_at == DAY
        with pytest.raises(anthropic.AnthropicError, match="No `results_url`"):
            client.messages.batches.results(created.id)
        with pytest.raises(anthropic.BadRequestError, match="still processing"):
            client.messages.batches.delete(created.id)
        simulator.advance(60)  # it is validated by now, and runs
        compare(client.messages.batches.retrieve(created.id), IN_PROGRESS)
        ended = _ended(client, created, simulator)
        compare(ended, ENDED)
        assert ended.ended_at is not None
        assert created.created_at < ended.ended_at < created.expires_at
        simulator.advance(29 * 24 * 3_600)
        compare(client.messages.batches.retrieve(created.id), ARCHIVED)
        with pytest.raises(anthropic.NotFoundError, match="29 days"):
            client.get(f"{BATCHES}/{created.id}/results", cast_to=object)
        deleted = client.messages.batches.delete(created.id)
        # Source: the SDK's DeletedMessageBatch.
        compare(deleted, {"id": created.id, "type": "message_batch_deleted"})
        with pytest.raises(anthropic.NotFoundError):
            client.messages.batches.retrieve(created.id)
    assert simulator.books.records


@covers("anthropic", f"GET {BATCH}/results", "messages.batches.results")
def test_results_hold_all_fields(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        batch = _run(client, simulator, [_line("good"), _line("bad", max_tokens=-1)])
        good, bad = client.messages.batches.results(batch.id)
    compare(batch, {**ENDED, "request_counts": _counts(succeeded=1, errored=1)})
    # Source: the SDK's MessageBatchIndividualResponse, MessageBatchSucceededResult and
    # MessageBatchErroredResult.
    compare(good, {"custom_id": "good", "result": {"type": "succeeded", "message": bool}})
    assert good.result.type == "succeeded"
    message = good.result.message
    assert (message.model, message.stop_reason) == (MODEL, "end_turn")
    assert message.content[0].text == "hello"
    assert message.usage.service_tier == "batch"
    compare(
        bad,
        {
            "custom_id": "bad",
            "result": {
                "type": "errored",
                "error": {
                    "type": "error",
                    "request_id": named("req_"),
                    "error": {
                        "type": "invalid_request_error",
                        "message": "max_tokens: Input should be greater than or equal to 0",
                    },
                },
            },
        },
    )


@covers("anthropic", f"POST {BATCH}/cancel", "messages.batches.cancel")
def test_all_fields_of_a_batch_that_is_canceled(simulator: Simulator) -> None:
    simulator.set_speed(1)
    with client_of(simulator) as client:
        created = client.messages.batches.create(requests=_lines(3))
        compare(client.messages.batches.cancel(created.id), CANCELING)
        compare(client.messages.batches.cancel(created.id), CANCELING)  # twice is once
        ended = _ended(client, created, simulator)
        compare(ended, CANCELED)
        results = list(client.messages.batches.results(created.id))
        with pytest.raises(anthropic.BadRequestError, match="already ended"):
            client.messages.batches.cancel(created.id)
    for result in results:
        compare(result, {"custom_id": bool, "result": {"type": "canceled"}})
    assert not simulator.books.records


def test_all_fields_of_a_batch_that_expires(simulator: Simulator) -> None:
    simulator.set_speed(1)
    simulator.add_fault(Fault(kind="batch_expired", share=0.5))
    with client_of(simulator) as client:
        created = client.messages.batches.create(requests=_lines(4))
        ended = _ended(client, created, simulator)
        results = list(client.messages.batches.results(created.id))
    compare(ended, {**ENDED, "request_counts": _counts(succeeded=2, expired=2)})
    assert [result.result.type for result in results] == ["succeeded"] * 2 + ["expired"] * 2
    compare(results[-1].result, {"type": "expired"})


@covers("anthropic", f"POST {BATCHES}", "messages.batches.create")
@covers("anthropic", f"GET {BATCH}", "messages.batches.retrieve")
@covers("anthropic", f"GET {BATCH}/results", "messages.batches.results")
@covers("anthropic", f"GET {BATCHES}", "messages.batches.list")
@covers("anthropic", f"POST {BATCH}/cancel", "messages.batches.cancel")
@covers("anthropic", f"DELETE {BATCH}", "messages.batches.delete")
async def test_a_batch_async(simulator: Simulator) -> None:
    simulator.set_speed(1)
    async with async_client_of(simulator) as client:
        batches = client.messages.batches
        created = await batches.create(requests=_lines(3))
        canceled = await batches.create(requests=_lines(3))
        compare(created, IN_PROGRESS)
        compare(await batches.cancel(canceled.id), CANCELING)
        for batch in (created, canceled):
            while (await batches.retrieve(batch.id)).processing_status != "ended":
                simulator.advance(600)
        compare(await batches.retrieve(created.id), ENDED)
        compare(await batches.retrieve(canceled.id), CANCELED)
        results = [result async for result in await batches.results(created.id)]
        assert [result.custom_id for result in results] == ["line-0", "line-1", "line-2"]
        assert (await batches.delete(created.id)).type == "message_batch_deleted"
        assert [batch.id async for batch in batches.list()] == [canceled.id]


@covers("anthropic", f"POST {BATCHES}", "beta.messages.batches.create")
@covers("anthropic", f"GET {BATCH}/results", "beta.messages.batches.results")
def test_a_beta_batch_is_the_same(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        batches = client.beta.messages.batches
        batch = batches.create(requests=_lines(2), betas=["some-beta-2026-01-01"])
        while batch.processing_status != "ended":
            simulator.advance(600)
            batch = batches.retrieve(batch.id)
        results = list(batches.results(batch.id))
    assert not batch.model_extra
    assert [result.result.type for result in results] == ["succeeded"] * 2


# --- lists ---------------------------------------------------------------------------------


@covers("anthropic", f"GET {BATCHES}", "messages.batches.list")
def test_the_list_comes_in_pages_newest_first(simulator: Simulator) -> None:
    with client_of(simulator) as client, client_of(simulator, key="other") as other:
        names = [client.messages.batches.create(requests=_lines(1)).id for _ in range(5)]
        newest_first = names[::-1]
        page = client.messages.batches.list(limit=2)
        assert [batch.id for batch in page.data] == newest_first[:2]
        assert (page.has_more, page.first_id, page.last_id) == (True, names[4], names[3])
        assert [batch.id for batch in page] == newest_first
        before = client.messages.batches.list(limit=2, before_id=names[0])
        assert [batch.id for batch in before.data] == newest_first[2:4]
        assert before.has_more
        last = client.messages.batches.list(after_id=names[1])
        assert ([batch.id for batch in last.data], last.has_more) == ([names[0]], False)
        nothing = other.messages.batches.list()
        assert (nothing.data, nothing.first_id, nothing.last_id) == ([], None, None)
        for wrong in ({"limit": 0}, {"limit": 1_001}, {"after_id": "nothing"}):
            with pytest.raises(anthropic.BadRequestError):
                client.messages.batches.list(**wrong)
        with pytest.raises(anthropic.NotFoundError, match=f"Batch not found: {names[0]}"):
            other.messages.batches.retrieve(names[0])


def test_a_list_can_lag_behind(simulator: Simulator) -> None:
    simulator.set_speed(1)
    simulator.add_fault(Fault(kind="stale_list", seconds=3_600))
    with client_of(simulator) as client:
        created = client.messages.batches.create(requests=_lines(1))
        assert client.messages.batches.list().data == []
        simulator.advance(3_600)
        assert [batch.id for batch in client.messages.batches.list()] == [created.id]


def test_a_page_goes_on_where_the_list_lags_behind(simulator: Simulator) -> None:
    simulator.set_speed(1)
    with client_of(simulator) as client:
        names = [client.messages.batches.create(requests=_lines(1)).id for _ in range(3)]
        simulator.add_fault(Fault(kind="stale_list", seconds=3_600))
        page = client.messages.batches.list(after_id=names[2])
        assert page.data == []
        simulator.advance(3_600)
        page = client.messages.batches.list(after_id=names[2])
    assert [batch.id for batch in page.data] == [names[1], names[0]]


# --- what is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "requests: Field required"),
        ({"requests": []}, "requests: List should have at least 1 item after validation, not 0"),
        ({"requests": [{"params": {}}]}, "requests.0.custom_id: Field required"),
        ({"requests": [{"custom_id": "a"}]}, "requests.0.params: Field required"),
        ({"requests": [{"custom_id": "a", "params": 5}]}, "requests.0.params: Input should be a"),
        ({"requests": [_line("a"), _line("a b")]}, "requests.1.custom_id: String should match"),
        ({"requests": [_line("x" * 65)]}, "requests.0.custom_id: String should match pattern"),
        ({"requests": [_line("a\n")]}, "requests.0.custom_id: String should match pattern"),
        ({"requests": [_line("a"), _line("b"), _line("a")]}, "requests.2.custom_id: must be uniq"),
    ],
)
def test_an_envelope_that_is_not_in_order(
    simulator: Simulator, body: dict[str, Any], message: str
) -> None:
    with client_of(simulator) as client, pytest.raises(anthropic.BadRequestError) as caught:
        client.post(BATCHES, body=body, cast_to=object)
    assert message in (caught.value.api_message or "")


def test_a_batch_of_too_many_requests(simulator: Simulator) -> None:
    lines = [{"custom_id": str(number), "params": {}} for number in range(100_001)]
    with client_of(simulator) as client, pytest.raises(anthropic.APIStatusError) as caught:
        client.post(BATCHES, body={"requests": lines}, cast_to=object)
    assert caught.value.status_code == 413


def test_params_are_judged_one_by_one_when_they_run(simulator: Simulator) -> None:
    lines = [
        _line("no-model", model="gpt-5"),
        _line("streamed", stream=True),
        {"custom_id": "nothing", "params": {}},
        _line("x" * 64),
    ]
    with client_of(simulator) as client:
        batch = _run(client, simulator, lines)
        results = {
            result.custom_id: result.result for result in client.messages.batches.results(batch.id)
        }
    errors = {
        name: result.error.error.type
        for name, result in results.items()
        if result.type == "errored"
    }
    assert errors == {
        "no-model": "not_found_error",
        "streamed": "invalid_request_error",
        "nothing": "invalid_request_error",
    }
    assert results["x" * 64].type == "succeeded"


def test_results_before_the_end_are_not_there(simulator: Simulator) -> None:
    simulator.set_speed(1)
    with client_of(simulator) as client:
        batch = client.messages.batches.create(requests=_lines(1))
        with pytest.raises(anthropic.NotFoundError, match="no results yet"):
            client.get(f"{BATCHES}/{batch.id}/results", cast_to=object)


# --- faults --------------------------------------------------------------------------------


def _results(client: Anthropic, batch: MessageBatch) -> list[tuple[str, str]]:
    return [
        (result.custom_id, result.result.type)
        for result in client.messages.batches.results(batch.id)
    ]


def test_a_batch_whose_lines_all_fail(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="batch_only_errors", status=529))
    with client_of(simulator) as client:
        batch = _run(client, simulator, _lines(3))
        results = list(client.messages.batches.results(batch.id))
    compare(batch, {**ENDED, "request_counts": _counts(errored=3)})
    assert [result.result.error.error.type for result in results] == ["overloaded_error"] * 3
    booked = [(record.fate, record.status, record.fault) for record in simulator.books.records]
    assert booked == [("failed", 529, FaultKind.BATCH_ONLY_ERRORS)] * 3
    assert simulator.books.totals().executed == 0


def test_a_batch_that_fails_has_failed_lines(simulator: Simulator) -> None:
    """This API knows no batch that fails."""
    simulator.add_fault(Fault(kind="batch_failed"))
    with client_of(simulator) as client:
        batch = _run(client, simulator, _lines(3))
        results = _results(client, batch)
    compare(batch, {**ENDED, "request_counts": _counts(errored=3)})
    assert results == [(f"line-{number}", "errored") for number in range(3)]
    assert not any(record.executed for record in simulator.books.records)


def test_a_batch_with_missing_lines(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="batch_missing_lines", share=0.5))
    with client_of(simulator) as client:
        batch = _run(client, simulator, _lines(10))
        results = _results(client, batch)
    compare(batch, {**ENDED, "request_counts": _counts(succeeded=10)})
    assert len(results) == 5
    fates = {str(record.custom_id): record.fate for record in simulator.books.records}
    assert {name for name, fate in fates.items() if fate == "answered"} == dict(results).keys()
    assert sum(fate == "lost" for fate in fates.values()) == 5


def test_a_batch_out_of_order(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="batch_shuffled"))
    with client_of(simulator) as client:
        results = _results(client, _run(client, simulator, _lines(10)))
    names = [f"line-{number}" for number in range(10)]
    assert sorted(name for name, _ in results) == names
    assert [name for name, _ in results] != names


@pytest.mark.parametrize(
    ("fault", "error_type", "fate", "status"),
    [
        (Fault(kind="status", status=529, lane="batch"), "overloaded_error", "failed", 529),
        (Fault(kind="reset_before", lane="batch"), "api_error", "failed", 503),
        (Fault(kind="hang", lane="batch"), "api_error", "failed", 503),
        (Fault(kind="dropped", lane="batch"), "api_error", "lost", 500),
        (Fault(kind="reset_in_body", lane="batch"), "api_error", "lost", 500),
        (Fault(kind="truncated_json", lane="batch"), "api_error", "lost", 500),
        (Fault(kind="wrong_content_type", lane="batch"), "api_error", "lost", 500),
        (Fault(kind="error_in_200", lane="batch"), "overloaded_error", "lost", 200),
    ],
)
def test_single_lines_fail(
    simulator: Simulator, fault: Fault, error_type: str, fate: str, status: int
) -> None:
    simulator.add_fault(fault.model_copy(update={"custom_id": "line-1"}))
    with client_of(simulator) as client:
        batch = _run(client, simulator, _lines(3))
        results = list(client.messages.batches.results(batch.id))
    compare(batch, {**ENDED, "request_counts": _counts(succeeded=2, errored=1)})
    assert results[1].result.error.error.type == error_type
    record = simulator.books.records[1]
    assert (record.fate, record.status, record.executed) == (fate, status, fate == "lost")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("refusal", "refusal"),
        ("safety", "refusal"),
        ("length", "max_tokens"),
        ("empty", "end_turn"),
    ],
)
def test_single_lines_are_answered_otherwise(simulator: Simulator, kind: str, reason: str) -> None:
    simulator.add_fault(Fault(kind=kind, custom_id="line-1"))
    with client_of(simulator) as client:
        batch = _run(client, simulator, _lines(2))
        results = list(client.messages.batches.results(batch.id))
    assert results[1].result.message.stop_reason == reason


def test_a_create_that_was_dropped_is_made_and_shows_in_the_list(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="dropped", operation="batches.create"))
    with client_of(simulator) as client:
        with pytest.raises(anthropic.APIConnectionError):
            client.messages.batches.create(requests=_lines(2))
        (orphan,) = client.messages.batches.list()
    assert orphan.request_counts.processing + orphan.request_counts.succeeded == 2


def test_a_download_that_breaks_off(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        batch = _run(client, simulator, _lines(50))
        simulator.add_fault(Fault(kind="reset_in_body", operation="batches.results", times=1))
        with pytest.raises(httpx2.TransportError):
            list(client.messages.batches.results(batch.id))
        assert len(list(client.messages.batches.results(batch.id))) == 50


def test_the_books_know_every_line(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        _run(client, simulator, [*_lines(3), _line("again", "text 0")])
    records = simulator.books.records
    assert [record.custom_id for record in records] == ["line-0", "line-1", "line-2", "again"]
    assert {(record.lane, record.fate, record.executed) for record in records} == {
        ("batch", "answered", True)
    }
    assert len({record.identity for record in records}) == 4


def test_cached_prefixes_are_shared_by_the_lines(simulator: Simulator) -> None:
    simulator.set_speed(1)
    mark = {"type": "ephemeral", "ttl": "1h"}
    system = [{"type": "text", "text": "x" * 8_000, "cache_control": mark}]
    with client_of(simulator) as client:
        _run(client, simulator, [_line("a", system=system), _line("b", system=system)])
    first, second = simulator.books.records
    assert (first.usage.cache_write_tokens, second.usage.cached_input_tokens) == (2_004, 2_004)
