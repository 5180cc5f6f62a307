"""Which chunks go now, and what the others wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.batch_runs import planned

from batch_llm.batch.chunks.plan import (
    Candidate,
    Hold,
    Plan,
    Standing,
    goes_again_at,
    plan,
    refused_candidates,
    standing_of,
)
from batch_llm.batch.state.events import Collecting, Created, JobAdded, Polled, Refused
from batch_llm.batch.state.run_state import ChunkState, Overrun, RunState

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = ("openai", "m")


def chunk(number: int, **fields: Any) -> Candidate:
    given: dict[str, Any] = {"input_tokens": 10, "reserved_usd": 1.0, **fields}
    return Candidate(number, *MODEL, **given)


def holds(chosen: Plan) -> dict[int, Hold]:
    return {held.number: held.hold for held in chosen.held}


def test_without_limits_all_go() -> None:
    assert plan([chunk(0), chunk(1, reserved_usd=None)], Standing(now=0.0)).submit == [0, 1]


def test_what_was_lost_goes_at_once_then_after_a_while_and_then_no_more() -> None:
    standing = Standing(now=100.0, grace_seconds=30.0)
    lost = [chunk(n, lost=n, refused_at=90.0) for n in range(5)]
    chosen = plan(lost, standing)
    assert (chosen.submit, [held.hold for held in chosen.held]) == ([0, 1], [Hold.LOST] * 3)
    assert [held.until for held in chosen.held] == [150.0, None, None]
    assert "sent a batch 3 times without an answer" in chosen.held[1].reason
    assert plan(lost, Standing(now=150.0, grace_seconds=30.0)).submit == [0, 1, 2]


def test_what_is_held_for_lost_creates_is_told_where_the_limit_has_no_room_for_it() -> None:
    standing = Standing(now=0.0, committed_usd=1.5, lost_usd=1.0, max_cost_usd=2.0)
    (held,) = plan([chunk(0)], standing).held
    assert held.hold is Hold.COST_LIMIT
    assert (
        "(1.00 USD is held for batches that may have been taken without an answer)" in held.reason
    )


def test_remote_batches_at_a_time() -> None:
    chosen = plan(map(chunk, range(3)), Standing(now=0.0, in_flight=1, max_concurrent=3))
    assert (chosen.submit, holds(chosen)) == ([0, 1], {2: Hold.CONCURRENCY})
    assert chosen.held[0].reason.startswith("3 remote batches are under way, and max_concurrent ")


def test_one_remote_batch_at_a_time() -> None:
    chosen = plan([chunk(0)], Standing(now=0.0, in_flight=1, max_concurrent=1))
    assert chosen.held[0].reason.startswith("1 remote batch is under way, and max_concurrent ")


def test_enqueued_tokens_of_a_model_and_a_smaller_chunk_may_pass() -> None:
    standing = Standing(
        now=0.0, enqueued_tokens={MODEL: 70}, max_enqueued_tokens={MODEL: 100}, in_flight=1
    )
    chosen = plan([chunk(0, input_tokens=40), chunk(1, input_tokens=30), chunk(2)], standing)
    assert (chosen.submit, holds(chosen)) == (
        [1],
        {0: Hold.ENQUEUED_TOKENS, 2: Hold.ENQUEUED_TOKENS},
    )
    assert "70 of m are enqueued, and 100 may be" in chosen.held[0].reason


def test_what_is_over_the_limit_of_tokens_by_itself_goes_alone() -> None:
    standing = Standing(now=0.0, max_enqueued_tokens={MODEL: 100})
    chosen = plan([chunk(0, input_tokens=101), chunk(1)], standing)
    assert (chosen.submit, holds(chosen)) == ([0], {1: Hold.ENQUEUED_TOKENS})
    standing.enqueued_tokens = {MODEL: 1}
    assert plan([chunk(0, input_tokens=101)], standing).submit == []


def test_the_limit_in_usd_and_what_has_no_price() -> None:
    standing = Standing(now=0.0, committed_usd=8.5, max_cost_usd=10.0)
    waiting = [chunk(0), chunk(1), chunk(2, reserved_usd=None), chunk(3, reserved_usd=0.5)]
    chosen = plan(waiting, standing)
    assert (chosen.submit, holds(chosen)) == ([0, 3], {1: Hold.COST_LIMIT, 2: Hold.UNPRICED})
    assert "0.500 USD is left of the limit of 10.00 USD" in chosen.held[0].reason
    assert "lower max_tokens (vectors have none)" in chosen.held[0].reason
    assert not chosen.is_stuck(standing)
    full = Standing(now=0.0, committed_usd=10.0, max_cost_usd=10.0)
    assert plan([chunk(1)], full).is_stuck(full)
    full.in_flight = 1  # what it reserved may come back
    assert not plan([chunk(1)], full).is_stuck(full)


def test_nothing_goes_under_a_limit_in_a_run_with_jobs_of_unknown_cost() -> None:
    standing = Standing(now=0.0, max_cost_usd=10.0, unpriced=3)
    chosen = plan([chunk(0, reserved_usd=0.5), chunk(1)], standing)
    assert (chosen.submit, holds(chosen)) == ([], {0: Hold.UNPRICED, 1: Hold.UNPRICED})
    assert "what 3 jobs of this run cost is not known" in chosen.held[0].reason
    standing.max_cost_usd = None
    assert plan([chunk(0), chunk(1)], standing).submit == [0, 1]


def test_nothing_goes_under_a_limit_after_an_overrun() -> None:
    overruns = [Overrun("a batch of m", 0.0005, 0.08), Overrun("a live call", 0.1, 0.2)]
    standing = Standing(now=0.0, max_cost_usd=10.0, overruns=overruns)
    chosen = plan([chunk(0, reserved_usd=0.0), chunk(1, refusals=1)], standing)
    assert (chosen.submit, holds(chosen)) == ([], {0: Hold.OVERRUN, 1: Hold.OVERRUN})
    assert "a batch of m cost 0.0800 USD, more than the 0.000500 USD" in chosen.held[0].reason
    assert chosen.is_stuck(standing)
    standing.max_cost_usd = None
    assert plan([chunk(0), chunk(1)], standing).submit == [0, 1]


def test_a_refused_chunk_waits_and_its_reason_is_seen() -> None:
    refused = chunk(0, refusals=1, refused_at=100.0, reason="token_limit_exceeded")
    chosen = plan([refused], Standing(now=159.0))
    assert (chosen.submit, holds(chosen)) == ([], {0: Hold.REFUSED})
    assert "token_limit_exceeded" in chosen.held[0].reason
    assert chosen.held[0].until == 160.0
    assert not chosen.is_stuck(Standing(now=159.0))
    assert plan([refused], Standing(now=160.0)).submit == [0]


def test_a_refused_chunk_goes_when_another_of_its_model_has_ended_since() -> None:
    refused = chunk(0, refusals=1, refused_at=100.0)
    assert plan([refused], Standing(now=101.0, ended_at={MODEL: 100.5})).submit == [0]
    assert plan([refused], Standing(now=101.0, ended_at={MODEL: 99.0})).submit == []
    assert plan([refused], Standing(now=101.0, ended_at={("openai", "n"): 100.5})).submit == []


def test_none_goes_before_the_time_that_its_provider_names() -> None:
    # Of a run that was started once more (no refusal counts), or where one of its model has ended.
    for refusals in (0, 1):
        refused = chunk(0, refusals=refusals, refused_at=100.0, not_before=1_100.0, reason="429")
        chosen = plan([refused], Standing(now=1_099.0, ended_at={MODEL: 100.5}))
        assert holds(chosen) == {0: Hold.REFUSED}
        assert chosen.held[0].until == 1_100.0
        assert "429" in chosen.held[0].reason
        assert plan([refused], Standing(now=1_100.0, ended_at={MODEL: 100.5})).submit == [0]


def test_of_a_model_that_is_in_doubt_one_goes_at_a_time() -> None:
    standing = Standing(now=0.0, one_at_a_time={MODEL})
    chosen = plan([chunk(0), chunk(1), Candidate(2, MODEL[0], "other")], standing)
    assert chosen.submit == [0, 2]
    assert [(held.number, held.hold, held.until) for held in chosen.held] == [
        (1, Hold.CONCURRENCY, None)
    ]
    assert f"has refused a batch of {MODEL[1]} and taken none yet" in chosen.held[0].reason


def test_refusals_wait_twice_as_long_each_time_up_to_an_hour() -> None:
    waits = [goes_again_at(chunk(0, refusals=n)) for n in (1, 2, 3, 7, 5000)]
    assert waits == [60.0, 120.0, 240.0, 3600.0, 3600.0]


def test_a_run_says_what_is_under_way_and_what_was_refused() -> None:
    state = RunState()
    for number in range(5):
        state.apply(JobAdded(f"job-{number}", "ab" * 16, msgspec.Raw(b"{}")))
        state.apply(planned(number, f"job-{number}", input_tokens=10 + number))
    for number in range(1, 4):
        state.apply(Created(number, f"batch_{number}"))
    state.apply(Polled(2, "completed", ended=True, at=50.0))
    state.apply(Collecting(2))
    state.apply(Polled(3, "failed", ended=True, at=59.0))
    state.apply(Refused(3, "token_limit_exceeded", at=60.0))
    state.apply(Collecting(4))
    standing = standing_of(state, now=70.0)
    assert (standing.now, standing.in_flight) == (70.0, 2)
    assert standing.enqueued_tokens == {MODEL: 10 + 11}
    assert standing.ended_at == {MODEL: 50.0}
    assert standing.committed_usd == 4.0
    assert refused_candidates(state) == [
        chunk(3, input_tokens=13, refusals=1, refused_at=60.0, reason="token_limit_exceeded")
    ]


def test_what_is_done_with_costs_a_run_no_time() -> None:
    class Unwalked(list[ChunkState]):
        def __iter__(self) -> Iterator[ChunkState]:
            raise AssertionError("each chunk of the run was looked at")

    state = RunState()
    state.apply(JobAdded("job-0", "ab" * 16, msgspec.Raw(b"{}")))
    state.apply(planned(0, "job-0"))
    state.chunks = Unwalked(state.chunks)
    assert standing_of(state, now=70.0).in_flight == 1


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0, 5), st.booleans()), max_size=12),
    st.integers(0, 4),
    st.integers(0, 100),
    st.floats(0, 12),
)
def test_what_goes_keeps_every_limit_and_no_chunk_is_lost(
    sizes: list[tuple[int, float, bool]], concurrent: int, tokens: int, usd: float
) -> None:
    waiting = [
        chunk(n, input_tokens=size, reserved_usd=cost, refusals=int(refused))
        for n, (size, cost, refused) in enumerate(sizes)
    ]
    standing = Standing(
        now=1.0,
        max_concurrent=concurrent,
        max_cost_usd=usd,
        max_enqueued_tokens={MODEL: tokens},
    )
    chosen = plan(waiting, standing)
    going = [waiting[number] for number in chosen.submit]
    assert len(going) <= concurrent
    # What is over the limit by itself goes alone.
    assert sum(one.input_tokens for one in going) <= tokens or len(going) == 1
    assert sum(one.reserved_usd or 0.0 for one in going) <= usd
    assert sorted([*chosen.submit, *holds(chosen)]) == list(range(len(waiting)))
    assert standing.in_flight == 0  # what was given is not changed
