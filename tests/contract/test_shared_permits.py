"""Starts a minute that several processes share, in the Redis of this machine."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from batch_llm import FixedDelayStrategy, ProcessorConfig, SharedLimits
from batch_llm.engine.events import Events
from batch_llm.engine.gate import new_gate
from batch_llm.engine.gate.common import CommonLimits
from batch_llm.engine.gate.shared_permits import SharedPermits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from batch_llm.engine.gate import Gate

URL = "redis://127.0.0.1:6379/0"


def answers() -> bool:
    try:
        with socket.create_connection(("127.0.0.1", 6379), timeout=1):
            return True
    except OSError:
        return False


needs_redis = pytest.mark.skipif(not answers(), reason="no Redis answers at 127.0.0.1:6379")


class Clock:
    """The time of all: of the processes, and of what they tell Redis."""

    def __init__(self) -> None:
        # What Redis kept of earlier runs is long past.
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("limits.aio.storage.redis.redispy.time", SimpleNamespace(time=clock))
    return clock


@pytest.fixture
async def make(
    clock: Clock,
) -> AsyncIterator[Callable[[str, int], SharedPermits]]:
    """Makes what each process has, on one clock."""
    made: list[SharedPermits] = []
    run = uuid.uuid4()

    def make(name: str, most: int) -> SharedPermits:
        permits = SharedPermits(SharedLimits(URL, f"test-{run}-{name}", most))
        permits._now = clock
        made.append(permits)
        return permits

    yield make
    for permits in made:
        await permits.aclose()


@needs_redis
@pytest.mark.parametrize("most", [1, 50, 600])
async def test_no_minute_holds_more_starts_of_all_than_allowed(
    make: Callable[[str, int], SharedPermits], clock: Clock, most: int
) -> None:
    pair = [make("one", most), make("one", most)]
    began, chance = clock.now, random.Random(most)
    starts: list[tuple[float, int]] = []
    while clock.now < began + 200:
        number = chance.randrange(2)
        permits = pair[number]
        if not permits.has_permit:
            await permits.draw()
        if permits.has_permit and chance.random() < 0.9:
            permits.spend()
            starts.append((clock.now, number))
        clock.now += chance.choice((0.05, 0.1, 0.2))
    times = [time for time, _ in starts]
    for first, after in zip(times, times[most:]):
        assert after - first >= 60, "one more than allowed within a minute"
    if most == 50:
        assert len(times) >= 0.9 * 3 * most
        assert {number for _, number in starts} == {0, 1}, "both have their part"


@needs_redis
async def test_a_permit_that_is_not_spent_in_time_is_lost(
    make: Callable[[str, int], SharedPermits], clock: Clock
) -> None:
    permits = make("one", 600)
    await permits.draw()
    clock.now += 0.9
    assert permits.has_permit
    clock.now += 0.2
    assert not permits.has_permit


@needs_redis
async def test_permits_that_were_drawn_on_an_earlier_loop_are_spent_on_the_next(
    make: Callable[[str, int], SharedPermits], clock: Clock
) -> None:
    earlier = make("one", 600)
    await earlier.draw()
    earlier.spend()
    permits = make("one", 600)
    permits.follow(earlier)
    for _ in range(9):
        assert permits.has_permit
        permits.spend()
    assert not permits.has_permit
    assert await permits.draw() == 0.0, "over a connection of its own"


@needs_redis
async def test_names_that_differ_share_nothing(make: Callable[[str, int], SharedPermits]) -> None:
    for permits in (make("one", 1), make("other", 1)):
        await permits.draw()
        assert permits.has_permit
    again = make("one", 1)
    assert await again.draw() > 0
    assert not again.has_permit


@needs_redis
async def test_a_gate_starts_what_is_permitted() -> None:
    settings = SharedLimits(URL, f"test-{uuid.uuid4()}", 600)
    config = ProcessorConfig(shared_limits=settings)
    gate = new_gate(config, FixedDelayStrategy(), Events([]))
    for _ in range(25):
        turn = gate.admit("a")
        assert turn is not None
        await turn
    await gate.aclose()


@needs_redis
async def test_a_gate_that_follows_another_has_what_that_one_drew() -> None:
    settings = SharedLimits(URL, f"test-{uuid.uuid4()}", 600)
    config = ProcessorConfig(shared_limits=settings)
    earlier = new_gate(config, FixedDelayStrategy(), Events([]))
    turn = earlier.admit("a")
    assert turn is not None
    await turn
    drawn = list(permits_of(earlier))
    assert len(drawn) == 9
    await earlier.aclose()
    gate = new_gate(config, FixedDelayStrategy(), Events([]), earlier=earlier)
    assert list(permits_of(gate)) == drawn
    await gate.aclose()


def permits_of(gate: Gate) -> Iterable[float]:
    common = gate._common
    assert common is not None
    assert common._shared is not None
    return common._shared._permits


async def test_without_redis_nothing_starts_and_a_warning_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.socket() as taken:
        # Bound, and not listened at: whoever connects is refused.
        taken.bind(("127.0.0.1", 0))
        url = f"redis://:secret@127.0.0.1:{taken.getsockname()[1]}/0"
        limits = CommonLimits(None, None, SharedPermits(SharedLimits(url, "ours", 60)))
        with caplog.at_level(logging.WARNING, "batch_llm"):
            waiting = asyncio.create_task(limits.wait(None))
            while not caplog.records:
                await asyncio.sleep(0.01)
            assert not waiting.done()
            waiting.cancel()
            await asyncio.wait([waiting])
        await limits.aclose()
    (record,) = caplog.records
    assert "'ours'" in record.getMessage()
    assert "secret" not in record.getMessage()
