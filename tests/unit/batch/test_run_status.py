"""How a run stands, for programs and for people."""

from __future__ import annotations

import copy
import json
import pickle

import msgspec
import pytest
from tests.batch_runs import planned

from batch_llm.batch.chunks.plan import Held, Hold
from batch_llm.batch.running.run_status import RunStatus, status_of
from batch_llm.batch.state.events import (
    Collected,
    Collecting,
    Created,
    Event,
    JobAdded,
    Outcome,
    Polled,
    Refused,
    ResultKept,
    Settled,
)
from batch_llm.batch.state.run_state import RunState
from batch_llm.progress.run_text import batch_lines, is_cost_open


def kept(job_id: str, outcome: Outcome) -> ResultKept:
    return ResultKept(
        job_id=job_id, outcome=outcome, chunk=0, cost_usd=0.1, result=msgspec.Raw(b"{}")
    )


def state_of(*events: Event) -> RunState:
    state, jobs = RunState(), (JobAdded(job, "ab" * 16, msgspec.Raw(b"{}")) for job in "abcdef")
    for place, event in enumerate((*jobs, *events)):
        state.apply(event, place)
    return state


HALF_WAY = (
    planned(0, "a", "b", "c"),
    Created(0, "batch_1"),
    Polled(0, "completed", ended=True, counts={"succeeded": 2}),
    Collecting(0),
    kept("a", "succeeded"),
    kept("b", "failed"),
    kept("c", "expired"),
    Collected(0),
    Settled(0.25, 0),
    planned(1, "d", "e", reserved_usd=2.0),
    Created(1, "batch_2"),
)


def test_every_job_is_counted_once() -> None:
    status = status_of(state_of(*HALF_WAY), refused_rows=2)
    assert (status.total, status.completed) == (8, 5)
    ends = (status.succeeded, status.failed, status.expired, status.cancelled)
    assert ends == (1, 3, 1, 0)
    assert (status.pending, status.in_flight) == (1, 2)
    assert sum(ends) + status.pending + status.in_flight == status.total
    assert not status.is_complete
    assert (status.cost_usd, status.reserved_usd) == (0.25, 2.0)


def test_it_is_complete_once_all_jobs_have_ended() -> None:
    state = RunState()
    state.apply(JobAdded("a", "ab" * 16, msgspec.Raw(b"{}")), 0)
    assert not status_of(state).is_complete
    state.apply(
        ResultKept(job_id="a", outcome="failed", cost_usd=0.0, result=msgspec.Raw(b"{}")), 1
    )
    assert status_of(state).is_complete


def test_each_remote_batch_says_how_it_stands() -> None:
    status = status_of(state_of(*HALF_WAY), why={1: "polling fails: 503"})
    first, second = status.batches
    assert (first["state"], first["cost_usd"], first["waiting"]) == ("collected", 0.25, 0)
    assert first["counts"] == {"succeeded": 2}
    assert (second["remote_id"], second["state"], second["jobs"]) == ("batch_2", "created", 2)
    assert (second["reserved_usd"], second["why_waiting"]) == (2.0, "polling fails: 503")
    assert second["age_seconds"] > 0


def test_what_is_refused_holds_and_costs_nothing() -> None:
    refused = (planned(0, "a", reserved_usd=2.0), Refused(0, "404", at=planned(0, "a").at + 5))
    failed = (kept("a", "failed"), Collected(0, at=planned(0, "a").at + 5))
    for events in (refused, (*refused, *failed)):
        (batch,) = status_of(state_of(*events)).batches
        assert (batch["cost_usd"], batch["reserved_usd"]) == (0.0, None)
    status = status_of(state_of(*refused, *failed))
    assert status.batches[0]["age_seconds"] == pytest.approx(5)
    assert not is_cost_open(status)
    assert list(batch_lines(status)) == ["1. m: refused, 1/1 jobs, 5.0 s, 0.00 USD"]


def test_a_refused_batch_says_why_it_waits() -> None:
    state = state_of(planned(0, "a"), Refused(0, "too many tokens are enqueued"))
    held = [Held(0, Hold.REFUSED, "openai did not take it; it goes again", until=5.0)]
    assert status_of(state).batches[0]["why_waiting"] == "too many tokens are enqueued"
    told = status_of(state, held=held)
    assert told.batches[0]["why_waiting"] == "openai did not take it; it goes again"


def test_reasons_stand_there_once() -> None:
    held = [Held(-n, Hold.COST_LIMIT, reason) for n, reason in enumerate(("dear", "dear", "busy"))]
    assert status_of(state_of(), held=held).waiting == ["dear", "busy"]


def test_it_is_a_dictionary_whose_keys_are_attributes() -> None:
    status = status_of(state_of(*HALF_WAY), cost_limit_usd=5.0)
    assert isinstance(status, dict)
    assert set(RunStatus.__annotations__) == set(status)
    assert all(getattr(status, name) == value for name, value in status.items())
    assert json.loads(json.dumps(status))["cost_limit_usd"] == 5.0
    with pytest.raises(AttributeError, match="'progress'"):
        status.progress  # noqa: B018 - that it raises is what is tested


def test_it_may_be_copied_and_sent_to_another_process() -> None:
    status = status_of(state_of(*HALF_WAY))
    assert copy.deepcopy(status) == status
    assert pickle.loads(pickle.dumps(status)) == status


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {},
            "3/6 jobs ended (1 succeeded, 1 failed, 1 expired), 2 in flight, 1 pending, 0.250 USD",
        ),
        ({"cost_limit_usd": 5.0}, "0.250 USD of 5.00 USD"),
        ({"held": [Held(-1, Hold.COST_LIMIT, "it is dear")]}, "; it is dear"),
        ({"stopped_because": "it was shut down"}, "; it was shut down"),
    ],
)
def test_a_line_for_people(settings: dict[str, object], says: str) -> None:
    assert says in str(status_of(state_of(*HALF_WAY), **settings))  # type: ignore[arg-type]


def test_a_run_without_an_end_names_none() -> None:
    assert str(status_of(state_of())).startswith("0/6 jobs ended, 0 in flight, 6 pending")


def test_jobs_of_a_refused_chunk_are_in_nobodys_hands() -> None:
    status = status_of(
        state_of(planned(0, "a", "b"), Refused(0, "too many tokens are enqueued", at=2.0))
    )
    assert (status.pending, status.in_flight) == (6, 0)
    assert str(status).endswith("; too many tokens are enqueued")


UNPRICED = (
    planned(0, "a", "b", "c", reserved_usd=None),
    Created(0, "batch_1"),
    Polled(0, "completed", ended=True),
    Collecting(0),
    kept("a", "succeeded"),
    kept("b", "succeeded"),
    kept("c", "failed"),
)


def test_jobs_of_unknown_cost_are_counted_and_cost_no_nothing() -> None:
    under_way = status_of(state_of(*UNPRICED))
    assert (under_way.unpriced, under_way.batches[0]["cost_usd"]) == (3, None)
    settled = status_of(state_of(*UNPRICED, Settled(0.25, 0, unpriced=2), Collected(0)))
    assert (settled.unpriced, settled.cost_usd, settled.batches[0]["cost_usd"]) == (2, 0.25, None)
    assert "0.250 USD and 2 jobs of unknown cost" in str(settled)
    priced = status_of(state_of(*UNPRICED, Settled(0.25, 0), Collected(0)))
    assert (priced.unpriced, priced.batches[0]["cost_usd"]) == (0, 0.25)
    assert "unknown cost" not in str(priced)


def test_an_overrun_is_why_the_rest_waits_under_a_limit() -> None:
    over = state_of(
        planned(0, "a", reserved_usd=0.1), Created(0, "r"), kept("a", "succeeded"), Settled(0.9, 0)
    )
    status = status_of(over, cost_limit_usd=1.0)
    assert (status.overruns, status.pending) == (1, 5)
    assert "a batch of m cost 0.900 USD, more than the 0.100 USD" in str(status)
    without = status_of(over)
    assert (without.overruns, without.waiting) == (1, [])


def test_a_live_answer_of_unknown_cost_is_counted() -> None:
    answer = ResultKept(
        job_id="a", outcome="succeeded", is_unpriced=True, result=msgspec.Raw(b"{}")
    )
    assert "1 job of unknown cost" in str(status_of(state_of(answer)))
