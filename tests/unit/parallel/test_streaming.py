"""Results handed over as items end."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm import LLMWorkItem, ParallelBatchProcessor, ProcessorConfig, WorkItemResult

from ...standins import Model, item, items, names, now

if TYPE_CHECKING:
    from collections.abc import Iterator


def counted(model: Model, taken: list[str]) -> Iterator[LLMWorkItem]:
    for number in itertools.count():
        taken.append(str(number))
        yield item(str(number), model)


async def test_each_result_comes_as_its_item_ends() -> None:
    delays = {"slow": 3.0, "quick": 1.0, "middling": 2.0}

    async def answer(prompt: str, attempt: int) -> str:
        await asyncio.sleep(delays[prompt])
        return prompt

    work = [item(name, Model(answer)) for name in delays]
    seen = []
    async with ParallelBatchProcessor(max_workers=3) as processor:
        async for result in processor.stream(work):
            seen.append((result.item_id, now()))
    assert seen == [("quick", 1.0), ("middling", 2.0), ("slow", 3.0)]


async def test_in_input_order_each_result_comes_as_soon_as_all_before_it_have() -> None:
    delays = {"a": 2.0, "b": 1.0, "c": 5.0, "d": 1.0}

    async def answer(prompt: str, attempt: int) -> str:
        await asyncio.sleep(delays[prompt])
        return prompt

    work = [item(name, Model(answer)) for name in delays]
    seen = []
    async with ParallelBatchProcessor(max_workers=4) as processor:
        async for result in processor.stream(work, order="input"):
            seen.append((result.item_id, now()))
    assert seen == [("a", 2.0), ("b", 2.0), ("c", 5.0), ("d", 5.0)]


async def test_failed_items_are_streamed_too() -> None:
    model = Model(lambda prompt, attempt: TypeError("no") if prompt == "1" else prompt)
    async with ParallelBatchProcessor(max_workers=1) as processor:
        outcomes = [result.outcome async for result in processor.stream(items(3, model))]
    assert outcomes == ["succeeded", "failed", "succeeded"]


@pytest.mark.parametrize("order", ["completion", "input"])
@pytest.mark.parametrize("workers", [1, 4, 40])
async def test_a_slow_reader_slows_the_workers(order: Any, workers: int) -> None:
    model = Model()
    taken: list[str] = []
    async with ParallelBatchProcessor(max_workers=workers) as processor:
        results = processor.stream(counted(model, taken), order=order)
        async with aclosing(results):
            await anext(results)
            await asyncio.sleep(1_000)
            bound = max(64, 2 * workers) + workers + 1
            assert len(taken) <= bound
            before = len(taken)
            for _ in range(30):
                await anext(results)
            await asyncio.sleep(1_000)
            assert before < len(taken) <= bound + 30


@pytest.mark.parametrize("order", ["completion", "input"])
@pytest.mark.parametrize("workers", [1, 3, 40, 200])
async def test_a_long_first_item_locks_up_nothing(order: Any, workers: int) -> None:
    """In input order everything waits for the first item, and its worker waits for nothing."""

    async def answer(prompt: str, attempt: int) -> str:
        await asyncio.sleep(100 if prompt == "0" else 0.01)
        return prompt

    async with ParallelBatchProcessor(max_workers=workers) as processor:
        seen = [r.item_id async for r in processor.stream(items(500, Model(answer)), order=order)]
    assert sorted(seen, key=int) == [str(number) for number in range(500)]
    assert (seen == sorted(seen, key=int)) or order == "completion"


async def test_nothing_that_was_yielded_is_kept() -> None:
    async with ParallelBatchProcessor(max_workers=2) as processor:
        async for _ in processor.stream(items(300, Model(seconds=1.0))):
            assert len(processor.results) <= 64 + 2
        assert processor.results.results == []


async def test_stats_count_what_was_streamed() -> None:
    async with ParallelBatchProcessor() as processor:
        async for _ in processor.stream(items(10, Model(usage={"input_tokens": 2}))):
            pass
        stats = await processor.get_stats()
    assert (stats["total"], stats["succeeded"], stats["total_input_tokens"]) == (10, 10, 20)


async def test_a_break_with_aclosing_cancels_what_is_in_flight_at_once() -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=4) as processor:
        async with aclosing(processor.stream(items(20, model))) as results:
            async for result in results:
                assert result.success
                break
        assert now() == 10.0
        assert model.in_flight == 0
        kept = processor.results
        # Free for the next run at once.
        assert (await processor.process_all(items(1, model))).succeeded == 1
    assert len(kept) == 19
    assert kept.succeeded <= 3
    assert kept.succeeded + kept.cancelled == 19


async def test_a_break_without_aclosing_is_cleaned_up_by_the_async_with() -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=4) as processor:
        async for _ in processor.stream(items(20, model)):
            break
    assert now() == 10.0
    assert model.in_flight == 0
    assert len(processor.results) == 19


async def test_an_error_in_the_body_passes_through_and_cancels_what_is_in_flight() -> None:
    model = Model(seconds=10.0)
    with pytest.raises(ZeroDivisionError):
        async with ParallelBatchProcessor(max_workers=4) as processor:
            async for _ in processor.stream(items(20, model)):
                raise ZeroDivisionError
    assert now() == 10.0
    assert model.in_flight == 0
    assert len(processor.results) == 19


async def test_an_error_thrown_into_the_stream_comes_back() -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=4) as processor:
        results = processor.stream(items(20, model))
        await anext(results)
        with pytest.raises(ZeroDivisionError):
            await results.athrow(ZeroDivisionError())
    assert model.in_flight == 0


async def test_a_reader_that_is_cancelled_cancels_what_is_in_flight_and_keeps_what_ended() -> None:
    model = Model(seconds=10.0)
    read: list[str] = []
    processor = ParallelBatchProcessor[Any, Any, None](max_workers=2)

    async def reader() -> None:
        async with processor, aclosing(processor.stream(items(20, model))) as results:
            async for result in results:
                read.append(result.item_id)

    task = asyncio.create_task(reader())
    await asyncio.sleep(25)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert now() == 25
    assert sorted(read) == ["0", "1", "2", "3"]
    assert len(processor.results) == 16
    assert processor.results.cancelled == 16


async def test_the_reader_may_be_slow_and_then_leave() -> None:
    model = Model()
    async with ParallelBatchProcessor(max_workers=3) as processor:
        async with aclosing(processor.stream(items(1_000, model))) as results:
            await anext(results)
            await asyncio.sleep(100)
        kept = processor.results
    assert len(kept) == 999
    assert kept.succeeded >= 63, "what had ended and was not read is kept"


@pytest.mark.parametrize("order", ["completion", "input"])
async def test_a_stop_while_streaming_yields_every_item_once(order: Any) -> None:
    model = Model(seconds=1.0)
    seen: list[WorkItemResult[Any, Any]] = []
    async with ParallelBatchProcessor(max_workers=3) as processor:
        async for result in processor.stream(items(30, model), order=order):
            seen.append(result)
            if len(seen) == 6:
                processor.stop()
    assert sorted(names(seen), key=int) == [str(number) for number in range(30)]
    assert sum(result.success for result in seen) <= 9
    assert {result.outcome for result in seen} == {"succeeded", "cancelled"}


async def test_a_stream_that_is_never_read_starts_nothing() -> None:
    model = Model()
    async with ParallelBatchProcessor() as processor:
        processor.stream(items(3, model))
        await asyncio.sleep(10)
    assert model.calls == 0


async def test_process_all_while_a_stream_goes_on_is_refused() -> None:
    async with ParallelBatchProcessor(max_workers=1) as processor:
        async with aclosing(processor.stream(items(3, Model()))) as results:
            await anext(results)
            with pytest.raises(RuntimeError, match="already processing"):
                await processor.process_all()
            assert [result.item_id async for result in results] == ["1", "2"]


async def test_streams_follow_one_another() -> None:
    model = Model()
    async with ParallelBatchProcessor() as processor:
        for _ in range(3):
            seen = [r.item_id async for r in processor.stream(items(4, model), order="input")]
            assert seen == ["0", "1", "2", "3"]


async def test_the_queue_can_be_streamed() -> None:
    config = ProcessorConfig(max_workers=1)
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        for work in items(3, Model()):
            await processor.add_work(work)
        assert [result.item_id async for result in processor.stream()] == ["0", "1", "2"]


async def test_an_unbounded_source_is_streamed_in_little_memory() -> None:
    taken: list[str] = []
    async with ParallelBatchProcessor(max_workers=5) as processor:
        results = processor.stream(counted(Model(), taken), order="input")
        async with aclosing(results):
            for number in range(5_000):
                assert (await anext(results)).item_id == str(number)
                assert len(taken) - number <= 64 + 2 * 5
