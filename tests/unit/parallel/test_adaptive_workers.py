"""`max_workers="auto"`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm import ParallelBatchProcessor, ProcessorConfig, RateLimitConfig, RetryConfig

from ...standins import NO_WAIT, Model, items, limited, now


def auto(**more: Any) -> ParallelBatchProcessor[Any, Any, None]:
    config = ProcessorConfig(
        max_workers="auto",
        retry=NO_WAIT,
        rate_limit=RateLimitConfig(cooldown_seconds=1.0, slow_start_items=0),
        **more,
    )
    return ParallelBatchProcessor(config=config)


async def test_calls_in_flight_rise_while_all_goes_well_far_beyond_a_hundred() -> None:
    model = Model(seconds=1.0)
    async with auto() as processor:
        batch = await processor.process_all(items(20_000, model))
    assert batch.succeeded == 20_000
    assert model.starts.count(0.0) == 20, "it starts low"
    assert 300 < model.most_in_flight <= 1_000


async def test_rate_limits_bring_it_down() -> None:
    in_flight: list[int] = []

    async def answer(prompt: str, attempt: int) -> Any:
        in_flight.append(model.in_flight)
        await asyncio.sleep(1)
        return limited(1.0) if model.in_flight > 10 else prompt

    model = Model(answer)
    async with auto() as processor:
        batch = await processor.process_all(items(600, model))
    assert batch.succeeded == 600
    assert max(in_flight[300:]) <= 14, "it has found what the provider takes"
    assert max(in_flight[-100:]) >= 4


async def test_it_never_stalls_however_often_it_is_refused() -> None:
    model = Model([limited(1.0)] * 200 + ["ok"], seconds=0.5)
    async with auto() as processor:
        batch = await processor.process_all(items(40, model))
    assert batch.succeeded == 40


@pytest.mark.parametrize("rounds", range(5))
async def test_cancelled_runs_lose_no_place(rounds: int) -> None:
    model = Model(seconds=10.0)
    async with auto() as processor:
        for _ in range(rounds):
            run = asyncio.create_task(processor.process_all(items(200, model)))
            await asyncio.sleep(5)
            run.cancel()
            await asyncio.wait([run])
        model.most_in_flight = 0
        began = now()
        batch = await processor.process_all(items(20, model))
        assert now() == began + 10.0, "all twenty places are free"
    assert batch.succeeded == 20


async def test_stopped_while_many_wait_for_a_place_all_are_accounted_for() -> None:
    model = Model(seconds=10.0)
    async with auto() as processor:
        run = asyncio.create_task(processor.process_all(items(200, model)))
        await asyncio.sleep(15)
        processor.stop()
        batch = await run
    assert batch.total_items == 200
    assert batch.succeeded == model.calls
    assert batch.cancelled == 200 - model.calls
    assert {result.outcome for result in batch} == {"succeeded", "cancelled"}


@pytest.mark.parametrize("turns", range(6))
async def test_stopped_as_places_get_free_all_are_accounted_for(turns: int) -> None:
    """The calls in flight end at second 10, and so does the patience."""
    model = Model(seconds=10.0)
    async with auto() as processor:
        run = asyncio.create_task(processor.process_all(items(60, model)))
        await asyncio.sleep(10)
        for _ in range(turns):
            await asyncio.sleep(0)
        run.cancel()
        await asyncio.wait([run])
        kept = processor.results
        assert len(kept) == 60
        assert {result.outcome for result in kept} <= {"succeeded", "cancelled"}
        assert (await processor.process_all(items(20, model))).succeeded == 20
    assert model.in_flight == 0


async def test_failures_give_their_places_back() -> None:
    model = Model(ConnectionError(), seconds=1.0)
    config = ProcessorConfig(max_workers="auto", retry=RetryConfig(max_attempts=2, initial_wait=0))
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        await processor.process_all(items(100, model))
        began = now()
        assert (await processor.process_all(items(20, Model(seconds=1.0)))).succeeded == 20
        assert now() == began + 1


async def test_auto_can_be_given_as_the_argument_and_with_a_pace() -> None:
    config = ProcessorConfig(max_requests_per_minute=60)
    processor = ParallelBatchProcessor[Any, Any, None]("auto", config=config)
    async with processor:
        batch = await processor.process_all(items(20, Model(seconds=30.0)))
    assert batch.succeeded == 20
