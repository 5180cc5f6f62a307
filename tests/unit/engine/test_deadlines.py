"""One timer for many deadlines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from batch_llm.engine.deadlines import Deadlines

from ...standins import now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def timed(
    deadlines: Deadlines, begin: float, seconds: float, log: list[tuple[float, bool]]
) -> None:
    """Begin at second `begin`, take `seconds`, and log when it ended and whether it was cut."""
    await asyncio.sleep(begin)
    task = asyncio.current_task()
    assert task is not None
    deadlines.begin(task, now())
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        assert deadlines.end(task)
        task.uncancel()
        log.append((now(), True))
    else:
        assert not deadlines.end(task)
        log.append((now(), False))


async def together(*parts: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part())  # type: ignore[arg-type]


async def test_each_is_cut_off_at_its_own_time() -> None:
    deadlines = Deadlines(10.0)
    log: list[tuple[float, bool]] = []
    await together(*(lambda b=b: timed(deadlines, b, 100.0, log) for b in (5.0, 0.0, 2.5, 5.0)))
    assert log == [(10.0, True), (12.5, True), (15.0, True), (15.0, True)]


async def test_one_that_ends_in_time_is_left_alone_and_so_are_those_behind_it() -> None:
    deadlines = Deadlines(10.0)
    log: list[tuple[float, bool]] = []
    spans = [(0.0, 9.0), (1.0, 100.0), (2.0, 1.0), (3.0, 9.9)]
    await together(*(lambda s=s: timed(deadlines, *s, log) for s in spans))
    assert log == [(3.0, False), (9.0, False), (11.0, True), (12.9, False)]


async def test_the_timer_rests_while_nothing_runs_and_wakes_again() -> None:
    deadlines = Deadlines(10.0)
    log: list[tuple[float, bool]] = []
    await timed(deadlines, 0.0, 1.0, log)
    await asyncio.sleep(1_000)
    await timed(deadlines, 0.0, 100.0, log)
    await timed(deadlines, 0.0, 1.0, log)
    assert log == [(1.0, False), (1_011.0, True), (1_012.0, False)]


async def test_the_same_task_may_begin_many_times() -> None:
    deadlines = Deadlines(10.0)
    log: list[tuple[float, bool]] = []
    for _ in range(3):
        await timed(deadlines, 0.0, 100.0, log)
        await timed(deadlines, 0.0, 5.0, log)
    assert [cut for _, cut in log] == [True, False] * 3


async def test_end_of_one_that_never_began_says_no() -> None:
    task = asyncio.current_task()
    assert task is not None
    assert Deadlines(1.0).end(task) is False


async def test_closed_it_cuts_nothing_off() -> None:
    deadlines = Deadlines(10.0)
    log: list[tuple[float, bool]] = []

    async def close() -> None:
        await asyncio.sleep(5)
        deadlines.close()
        deadlines.close()

    await together(lambda: timed(deadlines, 0.0, 50.0, log), close)
    assert log == [(50.0, False)]


@pytest.mark.parametrize("cancelled_first", [False, True])
async def test_an_expiry_and_a_cancellation_at_once_are_two(cancelled_first: bool) -> None:
    deadlines = Deadlines(10.0)
    left: list[int] = []

    async def attempt() -> None:
        task = asyncio.current_task()
        assert task is not None
        deadlines.begin(task, now())
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            assert deadlines.end(task)
            left.append(task.uncancel())
            raise

    task = asyncio.create_task(attempt())
    if cancelled_first:
        asyncio.get_running_loop().call_at(10.0, task.cancel)
        await asyncio.sleep(9)
    else:
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_at(10.0, task.cancel)
    await asyncio.wait([task])
    assert left == [1], "one of the two is the caller's, and stays"
    assert task.cancelled()


async def test_a_timer_that_fires_a_trifle_early_cuts_off_all_the_same() -> None:
    """Loops fire timers up to their clock's resolution early."""
    deadlines = Deadlines(0.1)
    log: list[tuple[float, bool]] = []
    for begin in (0.1, 0.2, 0.7, 1.1):
        await timed(deadlines, begin, 5.0, log)
    assert all(cut for _, cut in log)
