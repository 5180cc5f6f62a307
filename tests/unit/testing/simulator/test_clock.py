"""Simulated time: it runs, jumps, and wakes whoever is due."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from batch_llm.exceptions import ConfigurationError
from batch_llm.testing.simulator import clock as clock_module
from batch_llm.testing.simulator.clock import Clock, rfc3339

if TYPE_CHECKING:
    from collections.abc import Coroutine


class RealTime:
    """The real clock, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def time(self) -> float:
        return 1_000_000.0


@pytest.fixture
def real_time(monkeypatch: pytest.MonkeyPatch) -> RealTime:
    moved = RealTime()
    monkeypatch.setattr(clock_module, "time", moved)
    return moved


class Sleepers:
    """Tasks that sleep, and the names of those that woke up, in their order."""

    def __init__(self) -> None:
        self.woken: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, nap: Coroutine[None, None, None]) -> None:
        async def sleep() -> None:
            await nap
            self.woken.append(name)

        self.tasks[name] = asyncio.ensure_future(sleep())

    async def settle(self) -> None:
        """Let all tasks run as far as they get."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def aclose(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)


@pytest.fixture
async def sleepers():
    tasks = Sleepers()
    yield tasks
    await tasks.aclose()


# --- what time it is -----------------------------------------------------------------------------


def test_time_runs_at_its_speed(real_time: RealTime) -> None:
    clock = Clock(speed=10.0, start=50.0)
    assert clock.now() == 50.0
    real_time.seconds += 3
    assert clock.now() == 80.0
    assert Clock().now() == 1_000_000.0


async def test_a_change_of_speed_does_not_move_the_time(real_time: RealTime) -> None:
    clock = Clock(speed=10.0, start=0.0)
    real_time.seconds += 3
    clock.set_speed(2.0)
    assert (clock.now(), clock.speed) == (30.0, 2.0)
    real_time.seconds += 3
    assert clock.now() == 36.0


async def test_the_clock_jumps_forward(real_time: RealTime) -> None:
    clock = Clock(start=0.0)
    clock.advance(86_400)
    clock.advance(0)
    assert clock.now() == 86_400.0


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
async def test_time_does_not_go_back(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="moved forward"):
        Clock().advance(seconds)


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
async def test_a_speed_is_above_zero(speed: float) -> None:
    with pytest.raises(ConfigurationError, match="speed is a number above 0"):
        Clock(speed)
    clock = Clock(5)
    with pytest.raises(ConfigurationError, match="speed is a number above 0"):
        clock.set_speed(speed)
    assert clock.speed == 5


def test_times_as_anthropic_and_google_write_them() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00.000000Z"
    assert rfc3339(1_763_794_926.5) == "2025-11-22T07:02:06.500000Z"


# --- who wakes up --------------------------------------------------------------------------------


async def test_a_jump_wakes_those_who_are_due(sleepers: Sleepers, real_time: RealTime) -> None:
    clock = Clock(start=0.0)
    for seconds in (300, 100, 200):
        sleepers.start(f"{seconds}", clock.sleep(seconds))
    await sleepers.settle()
    assert sleepers.woken == []
    clock.advance(250)
    await sleepers.settle()
    assert sleepers.woken == ["100", "200"]
    clock.advance(50)
    await sleepers.settle()
    assert sleepers.woken == ["100", "200", "300"]


async def test_at_one_moment_they_wake_in_their_order(
    sleepers: Sleepers, real_time: RealTime
) -> None:
    clock = Clock(start=0.0)
    names = [f"{number}" for number in range(20)]
    for name in names:
        sleepers.start(name, clock.sleep_until(60.0))
    await sleepers.settle()
    clock.advance(60)
    await sleepers.settle()
    assert sleepers.woken == names


async def test_a_moment_that_is_past_is_not_waited_for(
    sleepers: Sleepers, real_time: RealTime
) -> None:
    clock = Clock(start=1_000.0)
    sleepers.start("past", clock.sleep_until(999.0))
    sleepers.start("none", clock.sleep(0))
    sleepers.start("less", clock.sleep(-5))
    sleepers.start("future", clock.sleep(5))
    await sleepers.settle()
    assert sorted(sleepers.woken) == ["less", "none", "past"]


async def test_real_time_wakes_them_too() -> None:
    clock = Clock(speed=100_000.0)
    start = clock.now()
    await asyncio.gather(*(clock.sleep(number) for number in range(1, 1_000)))
    assert clock.now() - start >= 999


async def test_nobody_wakes_too_early() -> None:
    clock = Clock(speed=10_000.0)
    for moment in (clock.now() + number for number in range(50)):
        await clock.sleep_until(moment)
        assert clock.now() >= moment


async def test_a_higher_speed_reaches_those_who_sleep_already(sleepers: Sleepers) -> None:
    clock = Clock(speed=0.001)
    sleepers.start("nap", clock.sleep(60))
    await sleepers.settle()
    clock.set_speed(1_000_000.0)
    await sleepers.tasks["nap"]
    assert sleepers.woken == ["nap"]


async def test_a_lower_speed_lets_them_sleep_on(sleepers: Sleepers, real_time: RealTime) -> None:
    clock = Clock(speed=1e9, start=0.0)
    sleepers.start("nap", clock.sleep(60))
    clock.set_speed(1e-6)
    for _ in range(50):
        await asyncio.sleep(0)
    assert sleepers.woken == []


async def test_an_earlier_sleeper_is_not_kept_by_a_later_one() -> None:
    clock = Clock(speed=1_000.0)
    late = asyncio.ensure_future(clock.sleep(1e9))
    await asyncio.sleep(0)
    await asyncio.wait_for(clock.sleep(1), timeout=20)  # far more than it takes
    assert not late.done()
    late.cancel()


async def test_those_who_are_cancelled_do_not_disturb_the_others(
    sleepers: Sleepers, real_time: RealTime
) -> None:
    clock = Clock(start=0.0)
    for name in ("first", "second", "third"):
        sleepers.start(name, clock.sleep(10))
    await sleepers.settle()
    sleepers.tasks["first"].cancel()
    sleepers.tasks["third"].cancel()
    await sleepers.settle()
    clock.advance(10)
    await sleepers.settle()
    assert sleepers.woken == ["second"]


async def test_one_who_is_cancelled_while_waking_is_cancelled(
    sleepers: Sleepers, real_time: RealTime
) -> None:
    clock = Clock(start=0.0)
    sleepers.start("nap", clock.sleep(10))
    await sleepers.settle()
    clock.advance(10)
    sleepers.tasks["nap"].cancel()
    await sleepers.settle()
    assert sleepers.tasks["nap"].cancelled()


async def test_those_who_are_cancelled_are_not_kept(real_time: RealTime) -> None:
    clock = Clock(start=0.0)
    for _ in range(50):
        naps = [asyncio.ensure_future(clock.sleep(86_400)) for _ in range(100)]
        await asyncio.sleep(0)
        for nap in naps:
            nap.cancel()
        await asyncio.gather(*naps, return_exceptions=True)
    assert len(clock._sleepers._waiting) <= 300


async def test_many_sleepers_cost_a_jump_little(real_time: RealTime) -> None:
    """Counted by comparisons, not timed: who is not due is not looked at."""
    looks = 0

    class Moment(float):
        def __lt__(self, other: object) -> bool:
            nonlocal looks
            looks += 1
            return float.__lt__(self, other)  # type: ignore[operator]

        def __le__(self, other: object) -> bool:
            nonlocal looks
            looks += 1
            return float.__le__(self, other)  # type: ignore[operator]

    clock = Clock(start=0.0)
    count = 20_000
    naps = [
        asyncio.ensure_future(clock.sleep_until(Moment(number))) for number in range(1, count + 1)
    ]
    await asyncio.sleep(0)
    looks = 0
    for _ in range(100):
        clock.advance(1)
    assert looks < 100 * 40
    looks = 0
    clock.advance(count)
    assert looks < count * 40
    await asyncio.gather(*naps)


def test_the_time_may_be_read_from_another_thread() -> None:
    clock = Clock(speed=1_000.0)
    before = time.time()
    assert asyncio.run(asyncio.to_thread(clock.now)) >= before
