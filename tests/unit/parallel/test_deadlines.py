"""How long an item, and a run, may take with all their waits."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm import (
    ConnectionFailedError,
    FrameworkTimeoutError,
    ParallelBatchProcessor,
    ProcessorConfig,
    RetryConfig,
)

from ...standins import Model, item, items, limited, now


def processor_with(**settings: Any) -> ParallelBatchProcessor[Any, Any, None]:
    return ParallelBatchProcessor(config=ProcessorConfig(**settings))


async def test_an_item_is_cut_off_in_the_middle_of_a_call() -> None:
    model = Model("out", seconds=60.0)
    async with processor_with(item_deadline_seconds=10) as processor:
        (result,) = await processor.process_all([item("a", model)])
        assert now() == 10
    assert isinstance(result.exception, FrameworkTimeoutError)
    assert result.exception.item_id == "a"
    assert result.exception.timeout_limit == 10
    assert "item_deadline_seconds" in str(result.error)
    assert result.error_category == "framework_timeout"
    assert result.unanswered_calls == 1
    assert model.cleanups == 1


async def test_an_item_is_cut_off_in_the_wait_for_its_next_attempt() -> None:
    model = Model(ConnectionFailedError("no"))
    retry = RetryConfig(max_attempts=9, initial_wait=4, jitter=False)
    async with processor_with(item_deadline_seconds=10, retry=retry) as processor:
        (result,) = await processor.process_all([item("a", model)])
        assert now() == 10
    assert result.attempts == 2
    assert isinstance(result.exception, FrameworkTimeoutError)
    assert isinstance(result.exception.__cause__, ConnectionFailedError)


async def test_an_item_is_cut_off_in_a_rate_limits_pause() -> None:
    model = Model(limited(retry_after=100))
    async with processor_with(item_deadline_seconds=10, max_workers=2) as processor:
        result = await processor.process_all(items(2, model))
        assert now() == 10
    assert [each.error_category for each in result] == ["framework_timeout"] * 2


async def test_the_next_item_has_all_its_time() -> None:
    model = Model(lambda prompt, _: asyncio.sleep(30 if prompt == "0" else 8, prompt))
    async with processor_with(item_deadline_seconds=10, max_workers=1) as processor:
        result = await processor.process_all(items(3, model))
    assert [each.success for each in result] == [False, True, True]


async def test_the_limit_of_an_attempt_still_holds() -> None:
    model = Model("out", seconds=60.0)
    retry = RetryConfig(max_attempts=9, initial_wait=0, jitter=False)
    async with processor_with(
        item_deadline_seconds=10, timeout_per_item=4, retry=retry
    ) as processor:
        (result,) = await processor.process_all([item("a", model)])
        assert now() == 10
    assert model.starts == [0, 4, 8]
    assert result.unanswered_calls == 3


async def test_both_limits_at_one_moment_end_the_item() -> None:
    model = Model("out", seconds=60.0)
    async with processor_with(item_deadline_seconds=10, timeout_per_item=10) as processor:
        (result,) = await processor.process_all([item("a", model)])
        assert now() == 10
    assert "item_deadline_seconds" in str(result.error)


async def test_a_run_is_cut_off_and_returns_what_there_is() -> None:
    model = Model("out", seconds=4.0)
    async with processor_with(run_deadline_seconds=10, max_workers=2) as processor:
        result = await processor.process_all(items(10, model))
        assert now() == 10
    assert (result.succeeded, result.cancelled) == (4, 6)
    assert {each.error.partition(" before")[0] for each in result if not each.success} == {
        "CancelledError: the run's deadline of 10 s passed"
    }


async def test_a_stream_ends_at_the_runs_deadline() -> None:
    model = Model("out", seconds=4.0)
    async with processor_with(run_deadline_seconds=10, max_workers=1) as processor:
        results = [each async for each in processor.stream(items(5, model))]
    assert [each.success for each in results] == [True, True, False, False, False]


async def test_the_next_run_has_all_its_time() -> None:
    model = Model("out", seconds=6.0)
    async with processor_with(run_deadline_seconds=10, max_workers=1) as processor:
        for _ in range(3):
            assert (await processor.process_all([item("a", model)])).succeeded == 1


@pytest.mark.parametrize("name", ["item_deadline_seconds", "run_deadline_seconds"])
async def test_a_deadline_that_is_not_reached_changes_nothing(name: str) -> None:
    model = Model("out", seconds=1.0)
    async with processor_with(**{name: 100}) as processor:
        assert (await processor.process_all(items(20, model))).succeeded == 20
