"""What goes wrong with OpenAI's batches, as its SDK sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from openai import APIConnectionError, NotFoundError, OpenAI
from tests.contract.simulator.openai_batches import (
    DAY,
    ENDPOINT,
    driven_to,
    ended,
    jsonl,
    line,
    results,
    submit,
)
from tests.contract.simulator.openai_sdk import client_of

from batch_llm.testing.simulator import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_llm.testing.simulator import Simulator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[OpenAI]:
    with client_of(simulator) as client:
        yield client


# --- on the way to the client --------------------------------------------------------------


def test_a_create_whose_answer_is_lost_makes_a_batch(simulator: Simulator, client: OpenAI) -> None:
    simulator.add_fault(Fault(kind=FaultKind.DROPPED, operation="batches.create", times=1))
    with pytest.raises(APIConnectionError):
        submit(client, 1)
    assert len(client.batches.list().data) == 1


def test_the_sdks_own_retries_then_make_two(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OpenAI, "_calculate_retry_timeout", lambda *_: 0)
    simulator.add_fault(Fault(kind=FaultKind.DROPPED, operation="batches.create", times=1))
    with client_of(simulator, max_retries=2) as client:
        batch = submit(client, 3)
        first, second = client.batches.list().data
        assert batch.id == first.id
        assert first.input_file_id == second.input_file_id
        ((one, other),) = simulator.books.repeated_creates("batch")
        assert (one.name, other.name) == (second.id, first.id)
        for twin in (first, second):
            assert ended(client, twin).status == "completed"
    # Each line was executed, and billed, twice.
    executed = [record.custom_id for record in simulator.books.records if record.executed]
    assert sorted(name or "" for name in executed) == ["r1", "r1", "r2", "r2", "r3", "r3"]


def test_a_create_that_is_reset_before_makes_none(simulator: Simulator, client: OpenAI) -> None:
    simulator.add_fault(Fault(kind=FaultKind.RESET_BEFORE, operation="batches.create", times=1))
    with pytest.raises(APIConnectionError):
        submit(client, 1)
    assert client.batches.list().data == []


def test_a_stale_list_leaves_out_the_new_batch(simulator: Simulator, client: OpenAI) -> None:
    old = submit(client, 1)
    simulator.advance(DAY)
    new = submit(client, 1)
    number = simulator.add_fault(
        Fault(kind=FaultKind.STALE_LIST, operation="batches.list", seconds=DAY / 2)
    )
    assert [batch.id for batch in client.batches.list()] == [old.id]
    assert client.batches.retrieve(new.id).id == new.id
    simulator.remove_fault(number)
    assert [batch.id for batch in client.batches.list()] == [new.id, old.id]


def test_a_page_goes_on_where_the_list_lags_behind(simulator: Simulator, client: OpenAI) -> None:
    old = submit(client, 1)
    simulator.advance(DAY)
    new = submit(client, 1)
    simulator.add_fault(Fault(kind=FaultKind.STALE_LIST, operation="batches.list", seconds=DAY / 2))
    assert [batch.id for batch in client.batches.list(after=new.id)] == [old.id]
    with pytest.raises(NotFoundError):
        client.batches.list(after="batch_none")


# --- in the batch as a whole ---------------------------------------------------------------


def test_a_batch_of_errors_only(simulator: Simulator, client: OpenAI) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_ONLY_ERRORS, status=503))
    batch = ended(client, submit(client, 3))
    assert (batch.status, batch.output_file_id) == ("completed", None)
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 3, "completed": 0, "failed": 3}
    failed = results(client, batch.error_file_id)
    assert [done["response"]["status_code"] for done in failed] == [503, 503, 503]
    assert all(done["response"]["body"]["error"]["message"] for done in failed)
    booked = [(record.fate, record.status, record.fault) for record in simulator.books.records]
    assert booked == [("failed", 503, FaultKind.BATCH_ONLY_ERRORS)] * 3
    assert simulator.books.totals().executed == 0
    assert batch.usage is not None
    assert batch.usage.total_tokens == 0


def test_lines_that_are_missing_are_lost_in_the_books(simulator: Simulator, client: OpenAI) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_MISSING_LINES, share=0.3))
    batch = ended(client, submit(client, 10))
    assert batch.status == "completed"
    got = {done["custom_id"] for done in results(client, batch.output_file_id)}
    assert len(got) == 7
    assert batch.error_file_id is None
    assert batch.request_counts is not None
    assert batch.request_counts.completed == 10
    fates = {record.custom_id: record.fate for record in simulator.books.records}
    assert {name for name, fate in fates.items() if fate == "answered"} == got
    assert sum(fate == "lost" for fate in fates.values()) == 3


def test_results_in_another_order(simulator: Simulator, client: OpenAI) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_SHUFFLED))
    batch = ended(client, submit(client, 10))
    got = [done["custom_id"] for done in results(client, batch.output_file_id)]
    sent = [f"r{number}" for number in range(1, 11)]
    assert got != sent
    assert sorted(got) == sorted(sent)


def test_a_batch_that_expires_with_a_part_done(simulator: Simulator, client: OpenAI) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_EXPIRED, share=0.4))
    simulator.set_speed(1)
    batch = driven_to(simulator, client, submit(client, 10), "in_progress", completed=4)
    simulator.advance(DAY / 2)
    assert client.batches.retrieve(batch.id).status == "in_progress"
    simulator.advance(DAY / 2)
    batch = driven_to(simulator, client, batch, "expired")
    assert len(results(client, batch.output_file_id)) == 4
    errors = results(client, batch.error_file_id)
    assert [failed["error"]["code"] for failed in errors] == ["batch_expired"] * 6
    assert [record.fate for record in simulator.books.records] == ["answered"] * 4


def test_a_batch_that_fails(simulator: Simulator, client: OpenAI) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_FAILED, error_type="server_error"))
    batch = ended(client, submit(client, 3))
    assert batch.status == "failed"
    assert (batch.output_file_id, batch.error_file_id) == (None, None)
    assert batch.errors is not None
    (error,) = batch.errors.data or []
    assert (error.code, error.line) == ("server_error", None)
    assert not simulator.books.records


def test_a_fault_asked_for_by_a_header(simulator: Simulator, client: OpenAI) -> None:
    headers = {"x-sim-fault": "batch_failed"}
    assert ended(client, submit(client, 1, extra_headers=headers)).status == "failed"
    assert ended(client, submit(client, 1)).status == "completed"


def test_a_fault_for_one_model_spares_the_others(simulator: Simulator, client: OpenAI) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_FAILED, model="gpt-4o"))
    other = jsonl([line(1, model="gpt-4o")])
    assert ended(client, submit(client, other)).status == "failed"
    assert ended(client, submit(client, 1)).status == "completed"


# --- in single lines -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status", "fate"),
    [
        (FaultKind.STATUS, 500, "failed"),
        (FaultKind.RESET_BEFORE, 503, "failed"),
        (FaultKind.DROPPED, 500, "lost"),
        (FaultKind.TRUNCATED_JSON, 500, "lost"),
    ],
)
def test_a_line_that_fails(
    simulator: Simulator, client: OpenAI, kind: FaultKind, status: int, fate: str
) -> None:
    simulator.add_fault(Fault(kind=kind, custom_id="r2"))
    batch = ended(client, submit(client, 3))
    assert len(results(client, batch.output_file_id)) == 2
    (failed,) = results(client, batch.error_file_id)
    assert failed["custom_id"] == "r2"
    assert failed["response"]["status_code"] == status
    assert failed["response"]["body"]["error"]["type"] == "server_error"
    record = simulator.books.records[1]
    assert (record.fate, record.status, record.executed) == (fate, status, fate == "lost")


@pytest.mark.parametrize(
    ("kind", "finish", "content"),
    [
        (FaultKind.SLOW_BODY, "stop", "question 2"),
        (FaultKind.LENGTH, "length", "ques"),
        (FaultKind.SAFETY, "content_filter", None),
    ],
)
def test_a_line_that_is_answered_in_another_way(
    simulator: Simulator, client: OpenAI, kind: FaultKind, finish: str, content: str | None
) -> None:
    simulator.add_fault(Fault(kind=kind, custom_id="r2"))
    batch = ended(client, submit(client, 3))
    choice = results(client, batch.output_file_id)[1]["response"]["body"]["choices"][0]
    assert choice["finish_reason"] == finish
    if content is not None:
        assert choice["message"]["content"] == content


def test_a_line_whose_answer_reports_an_error_completes_and_is_lost(
    simulator: Simulator, client: OpenAI
) -> None:
    """A line of status 200 counts as completed, whatever its body says."""
    simulator.add_fault(Fault(kind=FaultKind.ERROR_IN_200, custom_id="r2"))
    batch = ended(client, submit(client, 3))
    assert batch.request_counts is not None
    assert batch.request_counts.model_dump() == {"total": 3, "completed": 3, "failed": 0}
    line_2 = results(client, batch.output_file_id)[1]["response"]
    assert line_2["status_code"] == 200
    assert line_2["body"].keys() == {"error"}
    assert [record.fate for record in simulator.books.records] == ["answered", "lost", "answered"]


def test_lines_may_name_no_fault_and_many_batches_run_at_once(
    simulator: Simulator, client: OpenAI
) -> None:
    batches = [submit(client, 5) for _ in range(8)]
    for batch in batches:
        done = ended(client, batch)
        assert done.endpoint == ENDPOINT
        assert len(results(client, done.output_file_id)) == 5
