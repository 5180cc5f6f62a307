"""What `max_workers="auto"` finds, and how fast, of providers on virtual time."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm import ParallelBatchProcessor, ProcessorConfig

from ....providers import Bucket, Slots, within
from ....standins import Model, item, limited, now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


async def endless(model: Model) -> AsyncIterator[Any]:
    number = 0
    while True:
        yield item(str(number), model)
        number += 1


async def drive(
    model: Model, seconds: float, changes: dict[float, Callable[[], None]] | None = None
) -> None:
    """Send to a provider for so long, and change it at the times given."""
    config = ProcessorConfig(max_workers="auto", timeout_per_item=600.0)
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:

        async def read() -> None:
            async for _ in processor.stream(endless(model)):
                pass

        reading = asyncio.create_task(read())
        last = 0.0
        for at, change in sorted((changes or {}).items()):
            await asyncio.sleep(at - last)
            change()
            last = at
        await asyncio.sleep(seconds - last)
        reading.cancel()
        await asyncio.wait([reading])


def in_milliseconds(lack: float) -> float:
    return math.ceil(lack * 1_000) / 1_000


def in_seconds(lack: float) -> float:
    return float(math.ceil(lack))


@pytest.mark.parametrize("retry_after", [in_milliseconds, in_seconds])
@pytest.mark.parametrize("burst_seconds", [1, 60])
@pytest.mark.parametrize("seed", [1, 2])
async def test_an_unknown_rate_is_found_and_followed(
    retry_after: Callable[[float], float], burst_seconds: int, seed: int
) -> None:
    """3,000 a minute; from second 150 half of it, from second 210 twice of it."""
    model = Bucket(50.0, burst=50.0 * burst_seconds, retry_after=retry_after, seed=seed)

    def becomes(rate: float) -> Callable[[], None]:
        def change() -> None:
            model.free()
            model.per_second = rate
            model.burst = rate * burst_seconds
            model._left = min(model._left, model.burst)

        return change

    await drive(model, 300, {150: becomes(25.0), 210: becomes(100.0)})
    assert within(model.answered, 60, 150) >= 0.9 * 50 * 90
    assert within(model.refused, 60, 150) < 0.02 * within(model.starts, 60, 150)
    assert within(model.answered, 180, 210) >= 0.9 * 25 * 30
    assert within(model.refused, 180, 210) < 0.02 * within(model.starts, 180, 210)
    assert within(model.answered, 270, 300) >= 0.8 * 100 * 30, "and found once it has risen"


@pytest.mark.parametrize(
    ("slots", "slowdown", "spread"),
    [(32, 1.0, 0.5), (32, 0.0, 1.0), (128, 3.0, 0.5), (6, 1.0, 0.3)],
)
@pytest.mark.parametrize("seed", [1, 2])
async def test_a_server_that_refuses_nothing_is_filled_and_no_more(
    slots: int, slowdown: float, spread: float, seed: int
) -> None:
    model = Slots(slots, slowdown=slowdown, spread=spread, seed=seed)
    await drive(model, 180)
    assert within(model.answered, 60, 180) >= 0.9 * model.best * 120
    present = [number for when, number in model.present if when >= 60]
    assert sum(present) / len(present) <= max(2 * slots, 32), "no queue without end"


async def test_a_server_that_loses_half_of_its_slots_is_not_flooded() -> None:
    model = Slots(64, slowdown=0.0)

    def halve() -> None:
        model.slots = 32

    await drive(model, 240, {90: halve})
    present = [number for when, number in model.present if when >= 180]
    assert sum(present) / len(present) <= 80
    assert within(model.answered, 180, 240) >= 0.9 * model.best * 60


async def test_more_than_a_hundred_calls_are_made_at_once_where_that_is_of_use() -> None:
    model = Slots(600, slowdown=0.0, mean_seconds=1.0)
    await drive(model, 90)
    assert within(model.answered, 70, 90) >= 0.9 * model.best * 20
    assert max(number for _, number in model.present) <= 1_000


async def test_starts_do_not_jump() -> None:
    model = Slots(10_000, slowdown=0.0, mean_seconds=1.0)
    await drive(model, 60)
    for begun in range(10, 50, 10):
        before = within(model.starts, begun - 10, begun)
        assert within(model.starts, begun, begun + 10) <= 2.5 * before


# -- with a Retry-After of a second


@pytest.mark.parametrize("workers", [50, 200, "auto"])
async def test_no_item_spends_its_refusals_and_the_wait_is_near_the_ideal(workers: Any) -> None:
    """Ten a second, ten at once, and "come back in a second" to all others."""
    model = Bucket(10.0, burst=10.0, mean_seconds=0.1, retry_after=lambda lack: 1.0)
    config = ProcessorConfig(max_workers=workers)
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        batch = await processor.process_all(item(str(n), model) for n in range(400))
    assert batch.succeeded == 400
    assert max(model.answered) <= 1.1 * (400 - 10) / 10


@pytest.mark.parametrize("every", [20, 100])
async def test_refusals_now_and_then_are_waited_out_and_slow_nothing_else(every: int) -> None:
    """Each so-and-so-many-th call is told to come back in a second; there is no rate behind it."""
    waits: list[float] = []

    async def answer(prompt: str, attempt: int) -> Any:
        calls.append(prompt)
        await asyncio.sleep(0.05)
        if len(calls) % every == 0 and (not waits or now() - waits[-1] > 1.0):
            waits.append(now())
            return limited(1.0)
        return prompt

    calls: list[str] = []
    config = ProcessorConfig(max_workers=10)
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        model = Model(answer)
        batch = await processor.process_all(item(str(n), model) for n in range(1_000))
    assert batch.succeeded == 1_000
    assert now() <= 1.1 * (len(waits) * 1.0 + 1_000 * 0.05 / 10)


async def test_a_fixed_pool_is_not_slowed_by_its_first_refusals() -> None:
    """Of a scope of which nothing is known before them, long after the loop's clock began."""
    await asyncio.sleep(8_000)
    model = Bucket(50.0, burst=50.0, retry_after=in_milliseconds, seed=1)
    began = now()
    config = ProcessorConfig(max_workers=32, timeout_per_item=600.0)
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:

        async def read() -> None:
            async for _ in processor.stream(endless(model)):
                pass

        reading = asyncio.create_task(read())
        await asyncio.sleep(120)
        reading.cancel()
        await asyncio.wait([reading])
    assert within(model.answered, began + 60, began + 120) >= 0.85 * 50 * 60
