"""Where jobs and chunks are, after what has happened."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from tests.batch_runs import planned

from batch_llm.batch.state.events import (
    NEVER_TAKEN,
    Again,
    Cancelled,
    Collected,
    Collecting,
    Created,
    DoubleStopped,
    Event,
    JobAdded,
    LiveCall,
    LiveCallSettled,
    Outcome,
    Polled,
    Refused,
    Released,
    Resubmitted,
    ResultKept,
    Settled,
    Uploaded,
)
from batch_llm.batch.state.run_state import ImpossibleEventError, Overrun, RunState, Step


def added(job_id: str) -> JobAdded:
    return JobAdded(job_id, "ab" * 16, msgspec.Raw(b"{}"))


def kept(job_id: str, outcome: Outcome = "succeeded", chunk: int | None = None) -> ResultKept:
    content = msgspec.Raw(b"{}")
    return ResultKept(job_id=job_id, outcome=outcome, chunk=chunk, cost_usd=0.5, result=content)


def folded(*events: Event) -> RunState:
    state = RunState()
    for place, event in enumerate((added("a"), added("b"), added("c"), *events)):
        state.apply(event, place)
    return state


def test_a_chunk_says_what_is_next_for_it() -> None:
    state = folded(planned(0, "a", "b"))
    chunk = state.chunks[0]
    assert (chunk.step, chunk.may_be_orphan) == (Step.PLANNED, True)
    state.apply(Uploaded(0, "file-1"))
    assert (chunk.step, chunk.may_be_orphan, chunk.file) == (Step.UPLOADED, True, "file-1")
    state.apply(Created(0, "batch_1"))
    assert (chunk.step, chunk.may_be_orphan, chunk.remote_id) == (Step.CREATED, False, "batch_1")
    state.apply(Polled(0, "in_progress", counts={"completed": 1}))
    assert (chunk.step, chunk.status, chunk.counts) == (
        Step.CREATED, "in_progress", {"completed": 1},
    )  # fmt: skip
    state.apply(Polled(0, "completed", ended=True))
    assert chunk.step is Step.ENDED
    state.apply(Collecting(0))
    state.apply(kept("b", chunk=0))
    assert (chunk.step, list(state.waiting_ids(chunk))) == (Step.COLLECTING, ["a"])
    state.apply(kept("a", "expired", 0))
    state.apply(Collected(0))
    assert (chunk.step, chunk.is_open, state.open_chunks) == (Step.COLLECTED, False, {})


def test_money_is_held_from_the_intent_until_it_is_settled() -> None:
    state = folded(planned(0, "a", reserved_usd=2.0), planned(1, "b", reserved_usd=0.5))
    assert (state.reserved_usd, state.spent_usd) == (2.5, 0.0)
    for event in (Created(0, "r"), Collecting(0), kept("a", chunk=0), Collected(0)):
        state.apply(event)
    assert state.reserved_usd == 2.5  # the bill has not come
    state.apply(Settled(1.25, 0))
    assert (state.reserved_usd, state.spent_usd) == (0.5, 1.25)
    state.apply(kept("c"))
    assert state.spent_usd == 1.75  # no remote batch answered it: its own cost counts


def test_a_refused_chunk_keeps_its_jobs_its_reasons_and_every_nonce_it_was_sent_under() -> None:
    state = folded(planned(0, "a", "b"), Created(0, "batch_1"), Refused(0, "too many tokens"))
    chunk = state.chunks[0]
    assert (chunk.step, chunk.remote_id, state.reserved_usd) == (Step.REFUSED, None, 0.0)
    assert chunk.remote_ids == ["batch_1"]
    state.apply(Again(0, "second", 0.75))
    assert (chunk.step, chunk.nonces) == (Step.PLANNED, ["nonce-0", "second"])
    assert (chunk.nonce, chunk.reasons, state.reserved_usd) == ("second", ["too many tokens"], 0.75)
    assert list(state.job_ids_of(chunk)) == ["a", "b"]


def test_what_is_held_for_lost_creates_stays_until_their_chunk_is_settled() -> None:
    state = folded(planned(0, "a", "b", reserved_usd=2.0), Refused(0, NEVER_TAKEN, at=5.0))
    chunk = state.chunks[0]
    assert (state.reserved_usd, state.lost_usd) == (2.0, 2.0)
    assert [(lost.nonce, lost.at) for lost in chunk.lost] == [("nonce-0", 5.0)]
    state.apply(Again(0, "second", 2.0))
    assert (state.reserved_usd, state.lost_usd) == (4.0, 2.0)
    for event in (Created(0, "r"), kept("a", chunk=0), kept("b", chunk=0), Settled(1.0, 0)):
        state.apply(event)
    assert (state.reserved_usd, state.lost_usd, state.spent_usd) == (0.0, 0.0, 1.0)


def test_what_is_held_for_lost_creates_stays_where_the_chunk_is_released() -> None:
    lost = (planned(0, "a", "b", reserved_usd=2.0), Refused(0, NEVER_TAKEN))
    state = folded(*lost, Again(0, "second", 2.0), Refused(0, "a bad line"), Released(0))
    assert (state.reserved_usd, state.pending) == (2.0, 3)
    (loss,) = state.losing_chunks[0].lost
    assert list(state.lost_ids(loss)) == ["a", "b"]


def test_a_lost_create_that_is_found_is_lost_no_more() -> None:
    state = folded(planned(0, "a", reserved_usd=2.0), Refused(0, NEVER_TAKEN))
    state.apply(Again(0, "nonce-0", 2.0))
    chunk = state.chunks[0]
    assert (state.reserved_usd, chunk.lost, chunk.nonces) == (2.0, [], ["nonce-0"])


def test_where_an_earlier_create_is_found_the_later_may_have_been_taken() -> None:
    state = folded(planned(0, "a", reserved_usd=2.0), Refused(0, NEVER_TAKEN))
    for event in (Again(0, "second", 2.0), Again(0, "nonce-0", 2.0)):
        state.apply(event)
    assert [lost.nonce for lost in state.chunks[0].lost] == ["second"]


def test_a_lost_create_without_a_price_may_have_cost_any_sum() -> None:
    state = folded(planned(0, "a", "b", reserved_usd=None), Refused(0, NEVER_TAKEN))
    assert state.unpriced == 2
    state.apply(Again(0, "second"))
    assert state.unpriced == 2  # the same two


def test_a_double_that_was_stopped_is_known() -> None:
    state = folded(planned(0, "a"), Refused(0, NEVER_TAKEN), Again(0, "second"), Created(0, "r"))
    state.apply(DoubleStopped(0, "nonce-0", "double"))
    assert state.known_remote_ids == {"r", "double"}


def test_an_asked_cancel_leaves_the_chunk_to_be_collected() -> None:
    state = folded(planned(0, "a"), Created(0, "batch_1"), Cancelled(0))
    assert (state.chunks[0].cancel_asked, state.chunks[0].step) == (True, Step.CREATED)


def test_a_resubmitted_job_is_pending_again() -> None:
    state = folded(kept("a", "expired"))
    assert (state.outcome("a"), state.pending, state.counts["expired"]) == ("expired", 2, 1)
    state.apply(Resubmitted("a", 2))
    assert (state.outcome("a"), state.attempt("a")) == (None, 2)
    assert (state.pending, state.ended, list(state.pending_ids())) == (3, 0, ["a", "b", "c"])


def test_a_resubmitted_job_keeps_its_result_until_there_is_another() -> None:
    state = folded()
    assert (state.ends("a"), state.result_place("a"), list(state.answered_ids())) == (0, None, [])
    state.apply(kept("a", "expired"), 70)
    for event in (Resubmitted("a", 2), planned(0, "a")):
        state.apply(event)
        assert (state.ends("a"), state.result_place("a")) == (1, 70)
        assert list(state.answered_ids()) == ["a"]
    state.apply(kept("a", "succeeded"), 90)
    assert (state.ends("a"), state.result_place("a")) == (2, 90)


def test_a_chunk_may_turn_out_to_have_been_accepted_earlier() -> None:
    state = folded(planned(0, "a"), Refused(0, "not found"), Again(0, "second", 1.0))
    first = state.chunks[0].nonces[0]
    state.apply(Uploaded(0, "file of the second"))
    state.apply(Again(0, first, 1.0))
    chunk = state.chunks[0]
    assert (chunk.step, chunk.nonce, chunk.file) == (Step.PLANNED, first, None)
    assert chunk.nonces == [first, "second"]


def test_a_job_answered_live_is_no_longer_waited_for() -> None:
    state = folded(planned(0, "a", "b"), Created(0, "r"), kept("a"))
    assert list(state.waiting_ids(state.chunks[0])) == ["b"]
    with pytest.raises(ImpossibleEventError, match="ended already"):
        state.apply(kept("a", chunk=0))


def test_jobs_are_found_by_how_they_ended() -> None:
    state = folded(kept("a", "failed"), kept("c", "expired"))
    assert list(state.ended_ids("failed", "expired")) == ["a", "c"]
    assert list(state.ended_ids("succeeded")) == []
    assert list(state.unended_ids()) == ["b"]


IMPOSSIBLE: dict[str, Callable[[], Event]] = {
    "there already": lambda: added("a"),
    "digest of job 'd'": lambda: JobAdded("d", "short", msgspec.Raw(b"{}")),
    "there is no job 'z'": lambda: planned(1, "z"),
    "not the next": lambda: planned(7, "b"),
    "no jobs": lambda: planned(1),
    "a job twice": lambda: planned(1, "b", "b"),
    "'a' is not pending": lambda: planned(1, "b", "a"),
    "chunk 0 is planned": lambda: Again(0, "n"),
    "chunk 3 is not open": lambda: Created(3, "r"),
    "1 jobs of chunk 0 have not ended": lambda: Collected(0),
    "'b' is not in chunk 0": lambda: kept("b", chunk=0),
    "has lost no create 'n'": lambda: DoubleStopped(0, "n", "r"),
    "nothing is held for chunk 5": lambda: Settled(1.0, 5),
    "has not ended": lambda: Resubmitted("b", 2),
}


@pytest.mark.parametrize("reason", IMPOSSIBLE)
def test_an_event_that_cannot_follow_is_refused_and_changes_nothing(reason: str) -> None:
    state = folded(planned(0, "a"))
    with pytest.raises(ImpossibleEventError, match=reason):
        state.apply(IMPOSSIBLE[reason]())
    assert (len(state), state.pending, len(state.chunks), state.spent_usd) == (3, 2, 1, 0.0)
    assert list(state.pending_ids()) == ["b", "c"]


def test_a_remote_id_that_is_written_is_never_overwritten() -> None:
    state = folded(planned(0, "a"), Created(0, "first"))
    with pytest.raises(ImpossibleEventError, match="chunk 0 is created"):
        state.apply(Created(0, "second"))
    assert state.chunks[0].remote_id == "first"


@pytest.mark.parametrize(
    ("held_usd", "bill", "is_over"),
    [
        (2.0, Settled(2.0, 0), False),
        (0.3, Settled(0.1 + 0.2, 0), False),  # in floats it is more, by rounding
        (2.0, Settled(2.1, 0), True),
        (0.0, Settled(0.1, 0), True),
        (2.0, Settled(2.1, 0, held_usd=0.0), True),
        (2.0, Settled(1.5, 0, held_usd=0.5), False),
        (None, Settled(2.1, 0), False),
    ],
)
def test_a_bill_above_what_was_held_is_an_overrun(
    held_usd: float | None, bill: Settled, is_over: bool
) -> None:
    state = folded(planned(0, "a", reserved_usd=held_usd), Created(0, "r"), Collecting(0), bill)
    expected = [Overrun("a batch of m", held_usd or 0.0, bill.usd)] if is_over else []
    assert state.overruns == expected


def test_a_live_call_above_what_was_held_is_an_overrun() -> None:
    state = folded(LiveCall(0, 0.5), LiveCallSettled(0, 0.5), LiveCall(1, 0.5))
    assert state.overruns == []
    state.apply(LiveCallSettled(1, 0.75))
    assert state.overruns == [Overrun("a live call", 0.5, 0.75)]


def test_what_jobs_of_a_settled_chunk_may_have_cost_stays_held() -> None:
    state = folded(planned(0, "a", "b", reserved_usd=2.0), Created(0, "r"), Collecting(0))
    state.apply(Settled(0.5, 0, held_usd=1.5))
    assert (state.spent_usd, state.reserved_usd) == (0.5, 1.5)
    with pytest.raises(ImpossibleEventError, match="nothing is held"):
        state.apply(Settled(0.5, 0))
