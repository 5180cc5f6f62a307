"""The adaptive number of calls in flight."""

from __future__ import annotations

import asyncio

import pytest
from batch_llm.engine.concurrency import LEAST, MOST, START, AdaptiveConcurrency


async def filled(count: int = START) -> AdaptiveConcurrency:
    """Return one with `count` calls in flight."""
    limit = AdaptiveConcurrency()
    for _ in range(count):
        await limit.enter()
    return limit


async def waiter(limit: AdaptiveConcurrency, log: list[str], name: str) -> None:
    await limit.enter()
    log.append(name)


async def test_it_begins_with_a_number_between_its_bounds() -> None:
    assert LEAST < START < MOST
    assert (LEAST, MOST) == (4, 100)
    assert AdaptiveConcurrency().limit == START


async def test_who_comes_beyond_the_limit_waits_in_line() -> None:
    limit, log = await filled(), []
    waiting = [asyncio.create_task(waiter(limit, log, name)) for name in "abc"]
    await asyncio.sleep(1)
    assert log == []
    limit.leave()
    await asyncio.sleep(1)
    assert log == ["a"]
    limit.leave()
    limit.leave()
    await asyncio.wait(waiting)
    assert log == ["a", "b", "c"]
    assert limit.in_flight == START


async def test_a_newcomer_does_not_overtake_those_who_wait() -> None:
    limit, log = await filled(), []
    first = asyncio.create_task(waiter(limit, log, "first"))
    await asyncio.sleep(0)
    limit.leave()  # a place for "first", who has not woken yet
    await waiter_with_room(limit, log)
    await first
    assert log == ["first", "newcomer"]


async def waiter_with_room(limit: AdaptiveConcurrency, log: list[str]) -> None:
    newcomer = asyncio.create_task(waiter(limit, log, "newcomer"))
    await asyncio.sleep(0)
    limit.leave()
    await newcomer


async def test_it_rises_by_one_a_round_of_successes() -> None:
    limit = await filled()
    for _ in range(START + 1):
        limit.rise()
    assert START + 0.9 < limit.limit < START + 1.2


async def test_it_rises_only_while_it_is_used() -> None:
    limit = await filled(START // 2)
    for _ in range(1_000):
        limit.rise()
    assert limit.limit == START


async def test_it_never_rises_above_the_most_nor_falls_below_the_least() -> None:
    limit = await filled()
    for _ in range(100_000):
        limit.rise()
        while limit.in_flight < int(limit.limit):
            await limit.enter()
    assert limit.limit == MOST
    for _ in range(100):
        limit.fall()
    assert limit.limit == LEAST


async def test_a_rate_limit_takes_three_tenths() -> None:
    limit = AdaptiveConcurrency()
    limit.fall()
    assert limit.limit == pytest.approx(START * 0.7)


async def test_after_a_fall_none_enters_until_enough_have_left() -> None:
    limit, log = await filled(), []
    waiting = asyncio.create_task(waiter(limit, log, "a"))
    limit.fall()
    for _ in range(START - int(limit.limit)):
        limit.leave()
        await asyncio.sleep(1)
        assert log == []
    limit.leave()
    await waiting
    assert log == ["a"]


async def test_a_rise_lets_one_in() -> None:
    limit, log = await filled(), []
    waiting = asyncio.create_task(waiter(limit, log, "a"))
    await asyncio.sleep(0)
    for _ in range(START + 2):
        limit.rise()
    await waiting
    assert limit.in_flight == START + 1


async def test_a_waiter_that_is_cancelled_takes_no_place() -> None:
    limit, log = await filled(), []
    first, second = (asyncio.create_task(waiter(limit, log, name)) for name in "ab")
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    limit.leave()
    await second
    assert log == ["b"]
    assert limit.in_flight == START


async def test_a_place_given_just_before_the_cancellation_is_passed_on() -> None:
    limit, log = await filled(), []
    first, second = (asyncio.create_task(waiter(limit, log, name)) for name in "ab")
    await asyncio.sleep(0)
    limit.leave()
    first.cancel()
    await asyncio.wait([first, second])
    assert first.cancelled()
    assert log == ["b"]
    assert limit.in_flight == START


async def test_a_place_that_gets_free_just_after_the_cancellation_goes_to_the_next() -> None:
    limit, log = await filled(), []
    first, second = (asyncio.create_task(waiter(limit, log, name)) for name in "ab")
    await asyncio.sleep(0)
    first.cancel()
    limit.leave()
    await asyncio.wait([first, second])
    assert first.cancelled(), "and fails with nothing else"
    assert log == ["b"]
    assert limit.in_flight == START


async def test_all_waiters_cancelled_leave_all_places_free() -> None:
    limit = await filled()
    waiting = [asyncio.create_task(waiter(limit, [], str(n))) for n in range(50)]
    await asyncio.sleep(0)
    for number, task in enumerate(waiting):
        task.cancel()
        if number % 3 == 0:
            limit.leave()
    await asyncio.wait(waiting)
    assert all(task.cancelled() for task in waiting)
    while limit.in_flight:
        limit.leave()
    again = [asyncio.create_task(waiter(limit, [], str(n))) for n in range(START)]
    await asyncio.wait_for(asyncio.gather(*again), 1)
