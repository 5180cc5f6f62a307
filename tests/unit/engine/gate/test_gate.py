"""Admission before every attempt."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm import FixedDelayStrategy, ProcessorConfig, TokenBound
from batch_llm.engine.events import Events
from batch_llm.engine.gate import Gate, new_gate
from batch_llm.strategies import Allowance, QuotaReading

from ....standins import now

if TYPE_CHECKING:
    from collections.abc import Iterable


def gate(cooldown: float = 100.0, delay: float = 0.0, **settings: Any) -> Gate:
    return new_gate(ProcessorConfig(**settings), FixedDelayStrategy(cooldown, delay), Events([]))


async def admitted_at(gate: Gate, scopes: Iterable[str | None]) -> list[float]:
    """Return when each of these, all asking at once, was let in."""

    async def one(scope: str | None) -> float:
        if (turn := gate.admit(scope)) is not None:
            await turn
        return now()

    return list(await asyncio.gather(*(one(scope) for scope in scopes)))


async def test_an_open_gate_lets_in_without_a_wait() -> None:
    assert gate().admit(None) is None


async def test_during_a_cooldown_all_wait_and_then_it_is_open_again() -> None:
    it = gate()
    it.rate_limited(None, None, it.epoch, 0)
    assert await admitted_at(it, [None, "a", "b"]) == [100.0] * 3
    assert it.admit(None) is None, "no wait, and no cost, once all is over"


async def test_a_scope_that_pauses_stops_no_other() -> None:
    it = gate()
    it.rate_limited("a", 30.0, it.epoch, 0)
    assert await admitted_at(it, ["a", "b", None]) == [30.0, 0.0, 0.0]
    assert it.admit("a") is None


async def test_a_pause_and_a_cooldown_at_once_are_both_waited_out() -> None:
    it = gate()
    it.rate_limited("a", 130.0, it.epoch, 0)
    it.rate_limited("b", 10.0, it.epoch, 0)
    it.rate_limited(None, None, it.epoch, 0)
    assert await admitted_at(it, ["a", "b", None]) == [130.0, 100.0, 100.0]


async def test_a_report_of_an_earlier_epoch_says_nothing_new() -> None:
    it = gate()
    old = it.epoch
    it.rate_limited(None, None, old, 0)
    it.rate_limited(None, None, old, 1)
    it.rate_limited(None, None, it.epoch, 1)  # admitted before, reported during the cooldown
    assert await admitted_at(it, [None]) == [100.0]
    it.rate_limited(None, None, old, 2)
    assert it.admit(None) is None
    assert it.consecutive == 1


async def test_hits_in_a_row_are_counted_until_a_success() -> None:
    it = gate()
    for hit in range(1, 4):
        it.rate_limited(None, None, it.epoch, 0)
        await admitted_at(it, [None])
        assert it.consecutive == hit
    it.succeeded(None, 0)
    assert it.consecutive == 3, "admitted before the first hit: it says nothing of those since"
    it.succeeded(None, it.epoch)
    assert it.consecutive == 0


async def test_answers_that_arrive_during_the_pause_end_a_series_all_the_same() -> None:
    """Of calls that start together, the refused ones come back first."""
    it = gate()
    for _ in range(10):
        together = it.epoch
        it.rate_limited(None, None, together, 0)
        it.succeeded(None, together)
        assert it.consecutive == 1
        await admitted_at(it, [None])


async def test_closed_it_ends_its_cooldown() -> None:
    it = gate()
    it.rate_limited(None, None, it.epoch, 0)
    await asyncio.sleep(1)
    await it.aclose()
    await it.aclose()
    assert now() == 1.0
    assert await admitted_at(it, [None]) == [1.0]


async def test_who_stops_waiting_costs_the_others_nothing() -> None:
    it = gate(cooldown=10.0, delay=5.0)
    it.rate_limited(None, None, it.epoch, 0)
    waiting = [asyncio.create_task(admitted_at(it, [None])) for _ in range(3)]
    await asyncio.sleep(1)
    waiting[0].cancel()
    await asyncio.wait(waiting)
    assert [task.result() for task in waiting[1:]] == [[15.0], [20.0]]


async def test_a_cancelled_wait_gives_its_place_back() -> None:
    it = gate(max_workers="auto")
    for _ in range(3):
        it.rate_limited("a", 10.0, it.epoch, 0)
        waiting = [asyncio.create_task(admitted_at(it, ["a"])) for _ in range(40)]
        await asyncio.sleep(1)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        await asyncio.sleep(10)
    assert await admitted_at(it, [None] * 4) == [now()] * 4


async def test_a_burst_of_refusals_lowers_the_number_in_flight_once() -> None:
    it = gate(max_workers="auto")
    assert await admitted_at(it, ["a"] * 20) == [0.0] * 20
    await asyncio.sleep(1)
    for _ in range(20):
        it.leave("a", 1.0)
        it.rate_limited("a", 10.0, it.epoch, 0)
    waiting = [asyncio.create_task(admitted_at(it, ["a"])) for _ in range(20)]
    await asyncio.sleep(20)
    assert sum(task.done() for task in waiting) == 14
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def test_the_pace_is_one_start_at_a_time() -> None:
    times = await admitted_at(gate(max_requests_per_minute=60), [None] * 5)
    assert times == pytest.approx([0, 1, 2, 3, 4], rel=0.01)
    assert all(b - a >= 1 for a, b in itertools.pairwise(times))


async def test_who_comes_first_is_served_first_within_a_scope() -> None:
    it, order = gate(max_requests_per_minute=60), []

    async def one(name: str) -> None:
        if (turn := it.admit("a")) is not None:
            await turn
        order.append(name)

    await asyncio.gather(*(one(name) for name in "abcdef"))
    assert "".join(order) == "abcdef"


async def test_scopes_take_turns_at_what_they_share() -> None:
    it, order = gate(max_requests_per_minute=60), []

    async def one(scope: str) -> None:
        if (turn := it.admit(scope)) is not None:
            await turn
        order.append(scope)

    await asyncio.gather(*(one(scope) for scope in "aaaab"))
    assert order.index("b") <= 2, "it does not wait behind all of the other scope"


async def test_a_scope_that_pauses_while_it_is_first_lets_the_others_pass() -> None:
    it = gate(max_requests_per_minute=60)
    await admitted_at(it, ["a"])
    first = asyncio.create_task(admitted_at(it, ["a"]))
    other = asyncio.create_task(admitted_at(it, ["b"]))
    await asyncio.sleep(0.5)
    it.rate_limited("a", 30.0, it.epoch, 0)
    assert (await other)[0] == pytest.approx(1, rel=0.01)
    assert (await first)[0] == pytest.approx(30.5, rel=0.01)


# -- tokens


def bound(tokens: int) -> TokenBound:
    return TokenBound(tokens // 2, tokens - tokens // 2)


async def call(it: Gate, scope: str | None, tokens: int, used: int, seconds: float = 0.0) -> float:
    """Make a call that reserves and uses so many tokens; return when it started."""
    asked = bound(tokens)
    if (turn := it.admit(scope, asked)) is not None:
        await turn
    began = now()
    if seconds:
        await asyncio.sleep(seconds)
    it.leave(scope, seconds)
    it.settle(scope, asked, {"input_tokens": used, "output_tokens": 0, "total_tokens": used})
    return began


async def test_tokens_are_asked_for_where_they_are_limited() -> None:
    assert not gate().wants_tokens("a")
    for name in ("max_tokens_per_minute", "max_input_tokens_per_minute"):
        assert gate(**{name: 1_000}).wants_tokens("a")
    it = gate()
    it.heard("a", QuotaReading(tokens=Allowance(1_000, 900, 6.0)))
    assert it.wants_tokens("a")
    assert not it.wants_tokens("b")


async def test_a_call_waits_until_its_tokens_are_free_for_a_minute() -> None:
    it = gate(max_tokens_per_minute=1_000)
    assert await call(it, None, 600, 600, seconds=2.0) == 0
    assert await call(it, None, 600, 600) == pytest.approx(62.0)


async def test_what_was_not_used_is_given_back() -> None:
    it = gate(max_tokens_per_minute=1_000)
    assert await call(it, None, 900, 10, seconds=2.0) == 0
    assert await call(it, None, 900, 10, seconds=2.0) == pytest.approx(2.0)


async def test_a_usage_that_is_not_known_is_kept_in_full() -> None:
    it = gate(max_tokens_per_minute=1_000)
    first = bound(900)
    turn = it.admit(None, first)
    assert turn is not None
    await turn
    it.leave(None, 0.0)
    it.settle(None, first, None)
    assert await call(it, None, 900, 1) == pytest.approx(60.0)


async def test_a_call_larger_than_the_limit_goes_alone() -> None:
    it = gate(max_tokens_per_minute=1_000)
    small = asyncio.create_task(call(it, None, 100, 100, seconds=5.0))
    await asyncio.sleep(1)
    large = asyncio.create_task(call(it, None, 5_000, 800, seconds=5.0))
    await asyncio.sleep(1)
    after = asyncio.create_task(call(it, None, 100, 100))
    assert await small == 0
    assert await large == pytest.approx(65.0), "once nothing else is held"
    assert 70.0 <= await after < 130.0, "what it did not use is free at its end"


async def test_a_large_call_is_not_overtaken_by_small_ones() -> None:
    it = gate(max_tokens_per_minute=1_000)
    first = [asyncio.create_task(call(it, None, 100, 100)) for _ in range(8)]
    large = asyncio.create_task(call(it, None, 900, 900))
    late = [asyncio.create_task(call(it, None, 100, 100)) for _ in range(30)]
    began = await large
    assert began < 120
    for task in late:
        assert await task >= began
    await asyncio.gather(*first)


async def test_input_and_output_are_limited_apart() -> None:
    it = gate(max_input_tokens_per_minute=1_000, max_output_tokens_per_minute=100)
    asked = TokenBound(10, 80)
    for _ in range(2):
        if (turn := it.admit(None, asked)) is not None:
            await turn
        it.leave(None, 0.0)
        it.settle(None, asked, {"input_tokens": 10, "output_tokens": 80, "total_tokens": 90})
    assert now() == pytest.approx(60.0)


async def test_without_a_bound_a_guess_by_earlier_calls_is_reserved() -> None:
    it = gate(max_output_tokens_per_minute=10_000)
    asked = TokenBound(10, None)
    for _ in range(40):
        if (turn := it.admit(None, asked)) is not None:
            await turn
        it.leave(None, 0.0)
        it.settle(None, asked, {"input_tokens": 10, "output_tokens": 100, "total_tokens": 110})
    await asyncio.sleep(60)
    before = it.headroom(None)
    await admitted(it, asked)
    # A quarter above the hundred of the others.
    assert before - it.headroom(None) == pytest.approx(0.0125)


async def admitted(it: Gate, asked: TokenBound) -> None:
    if (turn := it.admit(None, asked)) is not None:
        await turn


# -- limits that headers tell


async def test_the_rate_that_is_told_is_kept_to_with_a_margin() -> None:
    it = gate()
    it.heard("a", QuotaReading(requests=Allowance(600, 500, 1.0)))
    times = await admitted_at(it, ["a"] * 50)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert min(gaps[1:]) >= 0.1
    assert times[-1] == pytest.approx(5.0, rel=0.03)
    assert it.admit("b") is None


async def test_a_told_limit_that_changes_is_followed() -> None:
    it = gate()
    it.heard("a", QuotaReading(requests=Allowance(60, 50, 1.0)))
    await admitted_at(it, ["a"] * 3)
    began = now()
    it.heard("a", QuotaReading(requests=Allowance(6_000, 50, 1.0)))
    times = await admitted_at(it, ["a"] * 50)
    assert times[-1] - began < 2.0


async def test_where_nothing_remains_the_scope_pauses_until_the_reset() -> None:
    it = gate()
    it.heard("a", QuotaReading(tokens=Allowance(1_000, 0, 7.0)))
    assert await admitted_at(it, ["a", "b"]) == [7.0, 0.0]


async def test_a_limit_of_the_day_is_not_taken_for_one_of_a_minute() -> None:
    it = gate()
    it.heard("a", QuotaReading(requests=Allowance(200, 0, 3_600.0)))
    assert it.admit("a") is None


# -- after a Retry-After


async def test_a_burst_that_was_refused_comes_back_spread_over_a_tenth_of_the_wait() -> None:
    it = gate()
    for _ in range(100):
        it.rate_limited("a", 10.0, it.epoch, 0)
    times = await admitted_at(it, ["a"] * 100)
    assert times[:10] == [10.0] * 10, "a handful is no burst"
    assert times[-1] <= 11.0 + 1e-6
    assert len(set(times)) > 80


# -- headroom


async def test_headroom_tells_unused_used_paused_and_out_of_order() -> None:
    it = gate(max_workers="auto")
    assert it.headroom("a") == 1.0
    await admitted_at(it, ["a"] * 5)
    assert it.headroom("a") == pytest.approx(0.75)
    it.rate_limited("a", 5.0, it.epoch, 0)
    assert it.headroom("a") == 0.0
    for _ in range(5):
        it.broke("b")
    assert it.headroom("b") < 0
    assert it.admit("b") is None, "and no call is refused for that"


async def test_a_scope_out_of_order_is_tried_again_by_one_call() -> None:
    it = gate()
    for _ in range(5):
        it.broke("a")
    await asyncio.sleep(1.5)
    assert it.headroom("a") > 0
    assert it.admit("a") is None
    assert it.headroom("a") < 0, "one is enough"
    it.leave("a", 0.1)
    it.succeeded("a", it.epoch)
    assert it.headroom("a") == 1.0
