"""The simulator's limits hold for any load, and what they promise comes true."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from batch_llm.testing.simulator.call import ModelCall, Usage
from batch_llm.testing.simulator.clock import Clock
from batch_llm.testing.simulator.limits import Limit, Limits, Slope

SOME = settings(max_examples=200, deadline=None, derandomize=True)


class HandClock(Clock):
    """Stands still, but for what the test moves it by; its moments are those of a real clock."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self._moment = start

    def now(self) -> float:
        return self._moment

    def advance(self, seconds: float) -> None:
        self._moment += seconds


rates = st.one_of(st.none(), st.floats(0.1, 1e7))
slopes = st.builds(
    Slope, factor=st.floats(0.1, 4), window_seconds=st.floats(0.01, 100), floor=st.integers(1, 50)
)
limits = st.builds(
    Limit,
    requests_per_minute=rates,
    tokens_per_minute=rates,
    input_tokens_per_minute=rates,
    output_tokens_per_minute=rates,
    burst_seconds=st.floats(0.1, 120),
    slope=st.one_of(st.none(), slopes),
)
calls = st.tuples(st.integers(0, 20_000), st.none() | st.integers(0, 5_000), st.integers(0, 5_000))
providers = st.sampled_from(["openai", "anthropic", "gemini"])
starts = st.floats(1.7e9, 2e9)


def _call(provider: Any, sent: int, most: int | None) -> ModelCall:
    return ModelCall(provider, "create", "m", "k", [], input_tokens=sent, max_output_tokens=most)


@SOME
@given(
    limit=limits,
    provider=providers,
    load=st.lists(st.tuples(calls, st.floats(0, 30)), min_size=1, max_size=30),
    start=starts,
)
def test_a_lone_client_that_waits_as_it_is_told_is_let_in(
    limit: Limit, provider: str, load: list[Any], start: float
) -> None:
    clock = HandClock(start)
    gate = Limits(clock, [limit])
    for (sent, most, made), pause in load:
        call = _call(provider, sent, most)
        admission = gate.admit(call)
        if admission.too_large:
            continue
        if admission.exceeded is not None:
            assert admission.retry_after_seconds > 0
            if admission.retry_after_seconds > 1e-3:
                clock.advance(admission.retry_after_seconds * 0.99)
                assert gate.admit(call).exceeded is not None, "it may not start before"
                clock.advance(admission.retry_after_seconds * 0.01)
            else:
                clock.advance(admission.retry_after_seconds)
            assert gate.admit(call).exceeded is None
        gate.settle(call, Usage(sent, made))
        clock.advance(pause)


@SOME
@given(
    rate=st.floats(1, 10_000),
    burst=st.floats(0.1, 120),
    pauses=st.lists(st.floats(0, 5), min_size=1, max_size=200),
    start=starts,
)
def test_no_span_of_time_holds_more_starts_than_the_rate_and_a_burst(
    rate: float, burst: float, pauses: list[float], start: float
) -> None:
    clock = HandClock(start)
    gate = Limits(clock, [Limit(requests_per_minute=rate, burst_seconds=burst)])
    moments: list[float] = []
    for pause in pauses:
        clock.advance(pause)
        for _ in range(20):
            if gate.admit(_call("openai", 1, None)).exceeded is None:
                moments.append(clock.now())
    size = max(1.0, rate / 60 * burst)
    for first, begins in enumerate(moments):
        for last in range(first, len(moments), 7):
            allowed = size + rate / 60 * (moments[last] - begins)
            assert last - first + 1 <= allowed + 1e-3 * rate


@SOME
@given(
    rate=st.integers(1, 1_000),
    load=st.lists(
        st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500)), max_size=30
    ),
    start=starts,
)
def test_quotas_tell_what_may_still_be_used(
    rate: int, load: list[tuple[int, int, int]], start: float
) -> None:
    """What is left may be used at once, and not a token more."""
    clock = HandClock(start)
    gate = Limits(clock, [Limit(tokens_per_minute=rate)])
    for sent, most, made in load:
        call = _call("openai", sent, most)
        if gate.admit(call).exceeded is None:
            told = gate.settle(call, Usage(sent, made)).quotas["tokens"]
            assert 0 <= told.remaining <= told.limit == rate
            more = gate.admit(_call("openai", told.remaining + 1, None))
            assert more.exceeded == "tokens"
            if told.remaining:
                rest = _call("openai", told.remaining, None)
                assert gate.admit(rest).exceeded is None
                gate.settle(rest, Usage(0, 0))
        clock.advance(1.0)


@SOME
@given(
    steps=st.lists(st.tuples(st.floats(0, 200), st.none() | limits), min_size=1, max_size=20),
    start=starts,
)
def test_changes_at_any_time_keep_the_quotas_whole(
    steps: list[tuple[float, Limit | None]], start: float
) -> None:
    clock = HandClock(start)
    gate = Limits(clock)
    open_calls: list[ModelCall] = []
    for pause, limit in steps:
        clock.advance(pause)
        gate.set([] if limit is None else [limit])
        call = _call("openai", 100, 50)
        if gate.admit(call).exceeded is None:
            open_calls.append(call)
        if len(open_calls) > 2:
            told = gate.settle(open_calls.pop(0), Usage(100, 20))
            for quota in told.quotas.values():
                assert quota.limit >= 1
                assert quota.remaining >= 0
                assert quota.reset_seconds >= 0


def test_a_schedule_that_is_due_at_a_moment_that_no_float_hits() -> None:
    """Sums of a large moment and a small span are rounded: none may be missed, or met for ever."""
    for number in range(1, 500):
        clock = HandClock(1.7e9 + number * 0.37)
        spans = [number * 0.1, number * 0.1 + 1e-7, number * 0.3]
        gate = Limits(
            clock,
            [
                Limit(requests_per_minute=at + 1, after_seconds=span)
                for at, span in enumerate(spans)
            ],
        )
        assert gate.in_force() == ()
        clock.advance(number)
        assert gate.in_force()[0].requests_per_minute == 3
