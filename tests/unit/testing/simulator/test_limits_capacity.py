"""A server that refuses nothing and grows slower, in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from tests.virtual import run

from batch_llm.testing.simulator.call import ModelCall
from batch_llm.testing.simulator.clock import Clock
from batch_llm.testing.simulator.limits import Capacity, Limit, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine


class LoopClock(Clock):
    """Goes as the loop's clock goes."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        super().__init__()

    def now(self) -> float:
        return 1_763_800_000.0 + self._loop.time()


def _call(**changes: Any) -> ModelCall:
    fields: dict[str, Any] = {
        "provider": "openai",
        "operation": "chat.completions",
        "model": "llama",
        "key": "k",
        "messages": [],
    }
    return ModelCall(**{**fields, **changes})


def _capacity(slots: int, slowdown: float = 1.0) -> Limit:
    return Limit(capacity=Capacity(slots=slots, slowdown=slowdown))


async def _finishes(limits: Limits, seconds: list[float]) -> list[float]:
    """Return when each of the calls ends, which all come at once."""
    loop = asyncio.get_running_loop()
    start = loop.time()

    async def one(takes: float) -> float:
        await limits.serve(_call(), takes)
        return round(loop.time() - start, 3)

    return await asyncio.gather(*(one(takes) for takes in seconds))


def _in_virtual_time(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    run(main)


def test_calls_wait_their_turn_in_the_order_in_which_they_came() -> None:
    async def main() -> None:
        limits = Limits(LoopClock(), [_capacity(2, slowdown=0)])
        assert await _finishes(limits, [10, 3, 1, 1, 20]) == [10, 3, 4, 5, 25]

    _in_virtual_time(main)


def test_a_call_takes_longer_the_more_run_beside_it() -> None:
    async def main() -> None:
        limits = Limits(LoopClock(), [_capacity(5, slowdown=2)])
        assert await _finishes(limits, [10]) == [10]
        assert await _finishes(limits, [10] * 5) == [10, 15, 20, 25, 30]

    _in_virtual_time(main)


def test_one_slot_takes_as_long_as_alone() -> None:
    async def main() -> None:
        assert await _finishes(Limits(LoopClock(), [_capacity(1)]), [2, 2]) == [2, 4]

    _in_virtual_time(main)


async def _rate(at_once: int, slots: int) -> float:
    """Return the calls a second that so many callers get, each with one call after another."""
    limits = Limits(LoopClock(), [_capacity(slots, slowdown=3)])
    loop = asyncio.get_running_loop()
    answered = 0

    async def caller() -> None:
        nonlocal answered
        while loop.time() < end:
            await limits.serve(_call(), 1.0)
            answered += start < loop.time() <= end

    start = loop.time() + 100  # until it runs evenly
    end = start + 1_000
    await asyncio.gather(*(caller() for _ in range(at_once)))
    return answered / 1_000


def test_more_calls_at_once_are_answered_faster_up_to_the_knee_and_then_no_faster() -> None:
    async def main() -> None:
        rates = [await _rate(at_once, slots=8) for at_once in (1, 2, 4, 8, 16, 64)]
        assert rates[:4] == sorted(set(rates[:4])), "each more than the one before"
        assert rates[0] == pytest.approx(1.0, rel=0.01)
        assert rates[3:] == pytest.approx([2.0, 2.0, 2.0], rel=0.02), "8 slots, 4 seconds a call"

    _in_virtual_time(main)


def test_it_refuses_nothing() -> None:
    async def main() -> None:
        limits = Limits(LoopClock(), [_capacity(1)])
        assert all(limits.admit(_call()).exceeded is None for _ in range(1_000))

    _in_virtual_time(main)


@pytest.mark.parametrize("cancelled", [0, 1, 2, 3])
def test_who_gives_up_frees_a_slot_and_keeps_none(cancelled: int) -> None:
    async def main() -> None:
        limits = Limits(LoopClock(), [_capacity(2, slowdown=0)])
        tasks = [asyncio.create_task(limits.serve(_call(), 10)) for _ in range(4)]
        await asyncio.sleep(1)
        tasks[cancelled].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [task.cancelled() for task in tasks].count(True) == 1
        assert await _finishes(limits, [1, 1, 1, 1]) == [1, 1, 2, 2], "both slots are free"

    _in_virtual_time(main)


def test_who_gives_up_as_its_turn_comes_passes_it_on() -> None:
    async def main() -> None:
        limits = Limits(LoopClock(), [_capacity(1)])

        async def serve_and_cancel() -> None:
            await limits.serve(_call(), 10)
            second.cancel()  # it has been called, and does not know yet

        first = asyncio.create_task(serve_and_cancel())
        await asyncio.sleep(0)
        second = asyncio.create_task(limits.serve(_call(), 10))
        third = asyncio.create_task(limits.serve(_call(), 10))
        await asyncio.sleep(1)
        await asyncio.gather(first, second, third, return_exceptions=True)
        assert (second.cancelled(), third.cancelled()) == (True, False)
        assert await _finishes(limits, [1]) == [1]

    _in_virtual_time(main)


def test_two_that_give_up_at_once() -> None:
    async def main() -> None:
        limits = Limits(LoopClock(), [_capacity(1)])
        tasks = [asyncio.create_task(limits.serve(_call(), 10)) for _ in range(3)]
        await asyncio.sleep(1)
        tasks[1].cancel()
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [task.cancelled() for task in tasks] == [True, True, False]
        assert await _finishes(limits, [1]) == [1]

    _in_virtual_time(main)


@pytest.mark.parametrize(("changed", "ends"), [(3, [10, 12, 12]), (None, [10, 12, 12])])
def test_more_slots_let_those_in_that_wait(changed: int | None, ends: list[float]) -> None:
    async def main() -> None:
        limits = Limits(LoopClock(), [_capacity(1)])

        async def change() -> None:
            await asyncio.sleep(2)
            limits.set([] if changed is None else [_capacity(changed, slowdown=0)])

        finishes, _ = await asyncio.gather(_finishes(limits, [10, 10, 10]), change())
        assert finishes == ends

    _in_virtual_time(main)


def test_fewer_slots_let_those_finish_that_run() -> None:
    async def main() -> None:
        limits = Limits(LoopClock(), [_capacity(3, slowdown=0)])

        async def change() -> None:
            await asyncio.sleep(2)
            limits.set([_capacity(1)])

        finishes, _ = await asyncio.gather(_finishes(limits, [10, 10, 10, 1, 1]), change())
        assert finishes == [10, 10, 10, 11, 12]

    _in_virtual_time(main)


def test_the_slots_outlive_a_search_for_idle_keys() -> None:
    async def main() -> None:
        limits = Limits(LoopClock(), [_capacity(1)])
        running = asyncio.create_task(limits.serve(_call(), 10))
        await asyncio.sleep(0)
        for number in range(5_000):
            limits.admit(_call(key=str(number)))
        assert len(limits._allowances) <= 1_001
        assert await _finishes(limits, [1]) == [11]
        await running

    _in_virtual_time(main)
