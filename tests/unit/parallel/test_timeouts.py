"""The limit on one attempt."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm import (
    BatchLLMError,
    FrameworkTimeoutError,
    ParallelBatchProcessor,
    ProcessorConfig,
    RetryConfig,
)

from ...standins import NO_WAIT, Ear, Model, item, items, limited, now


def limit(seconds: float, **more: Any) -> ParallelBatchProcessor[Any, Any, None]:
    config = ProcessorConfig(max_workers=3, timeout_per_item=seconds, retry=NO_WAIT)
    return ParallelBatchProcessor(config=config, **more)


async def test_an_attempt_over_the_limit_is_cut_off_and_made_again() -> None:
    lengths = {1: 100.0, 2: 100.0, 3: 1.0}

    async def answer(prompt: str, attempt: int) -> str:
        await asyncio.sleep(lengths[attempt])
        return prompt

    model = Model(answer)
    async with limit(10.0) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert model.starts == [0.0, 10.0, 20.0]
    assert result.success
    assert now() == 21.0


async def test_the_error_says_which_item_and_how_long_of_how_much() -> None:
    async with limit(10.0) as processor:
        (result,) = await processor.process_all([item("the-item", Model(seconds=100.0))])
    error = result.exception
    assert isinstance(error, FrameworkTimeoutError)
    assert isinstance(error, TimeoutError)
    assert isinstance(error, BatchLLMError)
    assert (error.item_id, error.elapsed, error.timeout_limit) == ("the-item", 10.0, 10.0)
    assert "the-item" in str(error)
    assert "10" in str(error)
    assert result.error_category == "framework_timeout"
    assert (result.error or "").startswith("FrameworkTimeoutError: ")
    assert result.attempts == 3


async def test_a_timeout_of_the_strategys_own_becomes_the_same_error() -> None:
    async def answer(prompt: str, attempt: int) -> str:
        await asyncio.sleep(4)
        raise TimeoutError("socket")

    async with limit(10.0) as processor:
        (result,) = await processor.process_all([item("a", Model(answer))])
    error = result.exception
    assert isinstance(error, FrameworkTimeoutError)
    assert (error.item_id, error.elapsed, error.timeout_limit) == ("a", 4.0, 10.0)
    assert isinstance(error.__cause__, TimeoutError)
    assert str(error.__cause__) == "socket"
    assert result.error_category == "framework_timeout"


async def test_asyncio_timeout_inside_a_strategy_becomes_the_same_error() -> None:
    async def answer(prompt: str, attempt: int) -> str:
        async with asyncio.timeout(2):
            await asyncio.sleep(50)
        return prompt

    async with limit(10.0) as processor:
        (result,) = await processor.process_all([item("a", Model(answer))])
    error = result.exception
    assert isinstance(error, FrameworkTimeoutError)
    assert (error.item_id, error.elapsed, error.timeout_limit) == ("a", 2.0, 10.0)


async def test_the_limit_is_on_one_attempt_and_not_on_the_item() -> None:
    model = Model([ConnectionError(), ConnectionError(), "out"], seconds=9.0)
    config = ProcessorConfig(
        timeout_per_item=10.0, retry=RetryConfig(initial_wait=60.0, jitter=False, max_wait=60.0)
    )
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert result.success
    assert result.duration_seconds == 9 + 60 + 9 + 60 + 9


async def test_waiting_at_the_gate_is_not_counted() -> None:
    model = Model([limited(500.0), "out"], seconds=9.0)
    async with limit(10.0) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert result.success
    assert model.starts == [0.0, 509.0]


async def test_an_attempt_of_exactly_the_limit_ends_one_way_or_the_other_once() -> None:
    model = Model(seconds=10.0)
    async with limit(10.0) as processor:
        batch = await processor.process_all(items(10, model))
    assert len(batch) == 10
    assert all(r.success or r.error_category == "framework_timeout" for r in batch)


async def test_each_attempt_has_a_clock_of_its_own() -> None:
    begun = {"a": 0.0, "b": 3.0, "c": 6.0}

    async def answer(prompt: str, attempt: int) -> str:
        await asyncio.sleep(1_000)
        return prompt

    config = ProcessorConfig(
        max_workers=3, timeout_per_item=10.0, retry=RetryConfig(max_attempts=1)
    )
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        model = Model(answer)
        await processor.add_work(item("a", model))
        run = asyncio.create_task(processor.process_all())
        ends: dict[str, float] = {}
        for name in "bc":
            await asyncio.sleep(3)
            await processor.add_work(item(name, model))
        for result in await run:
            ends[result.item_id] = begun[result.item_id] + result.duration_seconds
    assert ends == {"a": 10.0, "b": 13.0, "c": 16.0}


async def test_a_quick_call_before_a_slow_one_moves_no_deadline() -> None:
    lengths = {"quick": 1.0, "slow": 10.5, "fine": 9.5}

    async def answer(prompt: str, attempt: int) -> str:
        await asyncio.sleep(lengths[prompt])
        return prompt

    config = ProcessorConfig(
        max_workers=1, timeout_per_item=10.0, retry=RetryConfig(max_attempts=1)
    )
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        batch = await processor.process_all(
            [item(name, Model(answer)) for name in ("quick", "slow", "fine", "slow")]
        )
    assert [result.success for result in batch] == [True, False, True, False]
    assert [result.duration_seconds for result in batch] == [1.0, 10.0, 9.5, 10.0]


async def test_a_call_that_swallows_the_cut_and_answers_has_answered() -> None:
    async def answer(prompt: str, attempt: int) -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            return "in time after all"
        return "never"

    model = Model(answer)
    async with limit(10.0) as processor:
        batch = await processor.process_all([item("a", model), item("b", model)])
        # The cancellation was taken back: the next item of the same worker is not hit by it.
        again = await processor.process_all(items(6, Model(seconds=1.0)))
    assert [result.output for result in batch] == ["in time after all"] * 2
    assert again.succeeded == 6


async def test_a_call_that_swallows_the_cut_and_fails_fails_in_its_own_way() -> None:
    async def answer(prompt: str, attempt: int) -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            raise ConnectionError("closed in a hurry") from None
        return "never"

    model = Model(answer)
    async with limit(10.0) as processor:
        batch = await processor.process_all([item("a", model), *items(3, Model(seconds=1.0))])
    failed = [result for result in batch if not result.success]
    assert [result.item_id for result in failed] == ["a"]
    assert failed[0].error == "ConnectionError: closed in a hurry"
    assert model.calls == 3


async def test_a_cut_that_was_swallowed_is_not_held_against_the_next_attempt() -> None:
    async def answer(prompt: str, attempt: int) -> str:
        if attempt == 3:
            return "third time lucky"
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            if attempt == 1:
                raise ConnectionError("closed in a hurry") from None
            raise
        return "never"

    model, ear = Model(answer), Ear()
    async with limit(10.0, observers=[ear]) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert result.output == "third time lucky"
    assert model.starts == [0.0, 10.0, 20.0]
    assert [name for name, _, _ in model.heard] == ["ConnectionError", "FrameworkTimeoutError"]


async def test_a_call_that_tidies_up_after_the_cut_is_given_the_time() -> None:
    tidied = []

    async def answer(prompt: str, attempt: int) -> str:
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(2)
            tidied.append(now())
        return "never"

    config = ProcessorConfig(timeout_per_item=10.0, retry=RetryConfig(max_attempts=1))
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        (result,) = await processor.process_all([item("a", Model(answer))])
    assert tidied == [12.0]
    assert isinstance(result.exception, FrameworkTimeoutError)
    assert result.exception.elapsed == 12.0


@pytest.mark.parametrize("turns", range(4))
async def test_cancelled_at_the_very_moment_of_the_deadline_the_cancellation_wins(
    turns: int,
) -> None:
    model = Model(seconds=100.0)
    async with limit(10.0) as processor:
        run = asyncio.create_task(processor.process_all(items(3, model)))
        await asyncio.sleep(10)
        for _ in range(turns):
            await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert now() == 10
        kept = processor.results
    assert len(kept) == 3
    assert kept.succeeded == 0
    assert model.in_flight == 0


async def test_a_thousand_attempts_run_out_at_once() -> None:
    config = ProcessorConfig(
        max_workers=1_000, timeout_per_item=10.0, retry=RetryConfig(max_attempts=1)
    )
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        batch = await processor.process_all(items(1_000, Model(seconds=100.0)))
    assert {result.error_category for result in batch} == {"framework_timeout"}
    assert now() == 10.0


async def test_no_timer_is_left_when_the_run_is_over() -> None:
    async with limit(10_000.0) as processor:
        await processor.process_all(items(3, Model(seconds=1.0)))
    loop = asyncio.get_running_loop()
    pending = [h for h in loop._scheduled if not h.cancelled()]  # type: ignore[attr-defined]
    assert pending == []
