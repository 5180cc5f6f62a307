"""Results on their way to a reader."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm import WorkItemResult
from batch_llm.engine.outlet import Outlet

from ...standins import names


def result(number: int) -> WorkItemResult[Any, Any]:
    return WorkItemResult(str(number), success=True)


def filled(*numbers: int, numbered: bool = True, capacity: int | None = None) -> Outlet[Any, Any]:
    outlet = Outlet[Any, Any](numbered=numbered, capacity=capacity)
    for number in numbers:
        outlet.put(result(number), number)
    return outlet


async def test_in_completion_order_results_come_as_they_were_put() -> None:
    outlet = filled(2, 0, 1)
    outlet.close()
    assert [(await outlet.next("completion")).item_id for _ in range(3)] == ["2", "0", "1"]  # type: ignore[union-attr]
    assert await outlet.next("completion") is None


async def test_in_input_order_each_waits_for_those_before_it() -> None:
    outlet = filled(2, 1)
    waiting = asyncio.create_task(outlet.next("input"))
    await asyncio.sleep(1)
    assert not waiting.done()
    outlet.put(result(0), 0)
    outlet.close()
    assert (await waiting).item_id == "0"  # type: ignore[union-attr]
    assert [(await outlet.next("input")).item_id for _ in range(2)] == ["1", "2"]  # type: ignore[union-attr]
    assert await outlet.next("input") is None


@pytest.mark.parametrize("order", ["completion", "input"])
async def test_a_reader_that_waits_learns_of_the_end(order: Any) -> None:
    outlet = filled()
    waiting = asyncio.create_task(outlet.next(order))
    await asyncio.sleep(1)
    outlet.close()
    assert await waiting is None


@pytest.mark.parametrize("order", ["completion", "input"])
async def test_a_cancelled_reader_loses_no_result(order: Any) -> None:
    outlet = filled()
    waiting = asyncio.create_task(outlet.next(order))
    await asyncio.sleep(0)
    outlet.put(result(0), 0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert (await outlet.next(order)).item_id == "0"  # type: ignore[union-attr]


async def test_peek_shows_all_that_was_not_handed_over_and_takes_nothing() -> None:
    outlet = filled(3, 1, 0, 2)
    assert names(outlet.peek("completion")) == ["3", "1", "0", "2"]
    assert names(outlet.peek("input")) == ["0", "1", "2", "3"]
    assert (await outlet.next("input")).item_id == "0"  # type: ignore[union-attr]
    assert names(outlet.peek("input")) == ["1", "2", "3"]
    assert sorted(names(outlet.peek("completion"))) == ["1", "2", "3"]


async def test_without_a_capacity_no_writer_waits() -> None:
    outlet = filled(numbered=False)
    assert [outlet.put(result(n), n) for n in range(1_000)] == [None] * 1_000


async def test_a_writer_waits_where_it_is_full_until_one_is_read() -> None:
    outlet = filled(0, 1, capacity=3)
    room = outlet.put(result(2), 2)
    assert room is not None
    waiting = asyncio.ensure_future(room)
    await asyncio.sleep(1)
    assert not waiting.done()
    await outlet.next("completion")
    await waiting


async def test_writers_go_on_one_for_each_result_read() -> None:
    outlet = filled(numbered=False, capacity=2)
    rooms = [outlet.put(result(n), n) for n in range(6)]
    waiting = [asyncio.ensure_future(room) for room in rooms if room is not None]
    assert len(waiting) == 5
    for read in range(1, 6):
        await outlet.next("completion")
        await asyncio.sleep(0)
        assert sum(room.done() for room in waiting) == read


async def test_released_all_writers_go_on_and_none_waits_any_more() -> None:
    outlet = filled(numbered=False, capacity=1)
    rooms = [outlet.put(result(n), n) for n in range(3)]
    outlet.release()
    await asyncio.gather(*(room for room in rooms if room is not None))
    assert outlet.put(result(3), 3) is None


async def test_a_writer_that_was_cancelled_costs_no_other_its_turn() -> None:
    outlet = filled(numbered=False, capacity=1)
    rooms = [outlet.put(result(n), n) for n in range(2)]

    async def write(room: Any) -> None:
        await room

    first, second = (asyncio.create_task(write(room)) for room in rooms)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    await outlet.next("completion")
    await outlet.next("completion")
    await asyncio.wait_for(second, 1)
