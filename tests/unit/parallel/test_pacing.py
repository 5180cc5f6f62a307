"""`max_requests_per_minute`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm import ParallelBatchProcessor, ProcessorConfig
from batch_llm.testing import run_in_virtual_time

from ...standins import NO_WAIT, Model, items, limited, now


def paced(rpm: float, workers: int, **more: Any) -> ParallelBatchProcessor[Any, Any, None]:
    config = ProcessorConfig(
        max_workers=workers, max_requests_per_minute=rpm, retry=NO_WAIT, **more
    )
    return ParallelBatchProcessor(config=config)


def most_in_a_minute(starts: list[float]) -> int:
    """Return the most starts in any half-open window of 60 s."""
    ordered = sorted(starts)
    return max(
        sum(1 for start in ordered[i:] if start < first + 60) for i, first in enumerate(ordered)
    )


@pytest.mark.parametrize("rpm", [1, 2, 7, 60, 600])
@pytest.mark.parametrize("workers", [1, 5, 100])
async def test_no_window_of_a_minute_has_more_starts_than_allowed(rpm: int, workers: int) -> None:
    model = Model(seconds=0.2)
    async with paced(rpm, workers) as processor:
        batch = await processor.process_all(items(min(3 * rpm + 2, 300), model))
    assert batch.failed == 0
    assert most_in_a_minute(model.starts) <= rpm


@pytest.mark.parametrize("rpm", [30, 60, 600, 3_000])
async def test_the_allowance_is_used(rpm: int) -> None:
    model = Model(seconds=0.01)
    count = rpm * 2
    async with paced(rpm, workers=50) as processor:
        await processor.process_all(items(count, model))
    assert (count - 1) / model.starts[-1] * 60 >= 0.98 * rpm


@pytest.mark.parametrize("rpm", [1.5, 2.9, 10.5])
async def test_a_fraction_of_a_request_is_none(rpm: float) -> None:
    model = Model()
    async with paced(rpm, workers=5) as processor:
        await processor.process_all(items(30, model))
    assert most_in_a_minute(model.starts) <= rpm


async def test_below_one_a_minute_starts_are_minutes_apart() -> None:
    model = Model()
    async with paced(0.25, workers=5) as processor:
        await processor.process_all(items(3, model))
    gaps = [b - a for a, b in zip(model.starts, model.starts[1:], strict=False)]
    assert all(240 <= gap <= 241 for gap in gaps)


async def test_retries_are_starts_too() -> None:
    model = Model([ConnectionError(), ConnectionError(), "ok"])
    async with paced(6, workers=3) as processor:
        await processor.process_all(items(1, model))
    assert model.starts == pytest.approx([0, 10, 20], rel=0.01)
    assert most_in_a_minute(model.starts) <= 6


async def test_the_minute_runs_on_from_one_run_to_the_next() -> None:
    model = Model()
    async with paced(2, workers=3) as processor:
        for _ in range(3):
            await processor.process_all(items(2, model))
    assert len(model.starts) == 6
    assert most_in_a_minute(model.starts) <= 2


async def test_after_a_rate_limit_the_pace_holds_still() -> None:
    model = Model([limited(30.0), limited(45.0), limited(), *(["ok"] * 100)])
    async with paced(4, workers=10) as processor:
        await processor.process_all(items(20, model))
    assert most_in_a_minute(model.starts) <= 4


async def test_a_cancelled_wait_for_a_permit_costs_at_most_that_permit() -> None:
    model = Model()
    async with paced(60, workers=10) as processor:
        run = asyncio.create_task(processor.process_all(items(10, model)))
        await asyncio.sleep(3.5)
        run.cancel()
        await asyncio.wait([run])
        before = len(model.starts)
        await processor.process_all(items(5, model))
    assert before == 4
    assert model.starts[before] <= 5.1
    assert most_in_a_minute(model.starts) <= 60


async def test_without_a_limit_nothing_waits() -> None:
    model = Model()
    async with ParallelBatchProcessor[Any, Any, None](max_workers=3) as processor:
        await processor.process_all(items(1_000, model))
    assert now() == 0


@pytest.mark.timeout(5)
def test_the_pace_can_be_tested_in_virtual_time() -> None:
    """By users, on the loop of `batch_llm.testing`, whose clock stands still between timers."""
    model = Model()

    async def main() -> int:
        async with paced(7, workers=3) as processor:
            return (await processor.process_all(items(30, model))).succeeded

    assert run_in_virtual_time(main) == 30
    assert most_in_a_minute(model.starts) <= 7
