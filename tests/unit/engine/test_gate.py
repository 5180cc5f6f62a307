"""Admission before every attempt."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import pytest
from batch_llm.engine.concurrency import AdaptiveConcurrency

from batch_llm import FixedDelayStrategy
from batch_llm.engine.events import Events
from batch_llm.engine.gate import Gate, pacer

from ...standins import now

if TYPE_CHECKING:
    from collections.abc import Iterable


def gate(
    cooldown: float = 100.0,
    delay: float = 0.0,
    *,
    rpm: float | None = None,
    adaptive: bool = False,
) -> Gate:
    return Gate(
        FixedDelayStrategy(cooldown, delay),
        pacer(rpm),
        AdaptiveConcurrency() if adaptive else None,
        Events([]),
    )


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


async def test_hits_in_a_row_are_counted_until_a_success_of_their_epoch() -> None:
    it = gate()
    for hit in range(1, 4):
        it.rate_limited(None, None, it.epoch, 0)
        await admitted_at(it, [None])
        assert it.consecutive == hit
    it.succeeded(it.epoch - 1)
    assert it.consecutive == 3
    it.succeeded(it.epoch)
    assert it.consecutive == 0


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
    it = gate(adaptive=True)
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
    it = gate(adaptive=True)
    limit = it._concurrency
    assert limit is not None
    before = limit.limit
    for _ in range(20):
        it.rate_limited("a", 10.0, it.epoch, 0)
    assert limit.limit == pytest.approx(before * 0.7)


async def test_the_pace_is_one_start_at_a_time() -> None:
    times = await admitted_at(gate(rpm=60), [None] * 5)
    assert times == pytest.approx([0, 1, 2, 3, 4], rel=0.01)
    assert all(b - a >= 1 for a, b in itertools.pairwise(times))


def test_without_a_limit_there_is_no_pacer() -> None:
    assert pacer(None) is None
