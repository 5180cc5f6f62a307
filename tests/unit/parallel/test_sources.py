"""Items from lists, iterators and async iterators."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm import (
    InputError,
    LLMWorkItem,
    ParallelBatchProcessor,
    ProcessorConfig,
    SourceError,
)

from ...standins import Model, item, items, names, now

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


async def stream_of(work: list[LLMWorkItem], seconds: float = 0.0) -> AsyncIterator[LLMWorkItem]:
    for each in work:
        if seconds:
            await asyncio.sleep(seconds)
        yield each


class ByNext:
    """An async iterator that is no generator, and has no `aclose`."""

    def __init__(self, work: list[LLMWorkItem]) -> None:
        self._rest = list(reversed(work))

    def __aiter__(self) -> ByNext:
        return self

    async def __anext__(self) -> LLMWorkItem:
        await asyncio.sleep(0)
        if not self._rest:
            raise StopAsyncIteration
        return self._rest.pop()


KINDS = {
    "list": lambda work: work,
    "tuple": tuple,
    "iterator": iter,
    "generator": lambda work: (each for each in work),
    "dict values": lambda work: {each.item_id: each for each in work}.values(),
    "async generator": stream_of,
    "slow async generator": lambda work: stream_of(work, 1.0),
    "async iterator": ByNext,
}


@pytest.mark.parametrize("order", ["completion", "input"])
@pytest.mark.parametrize("workers", [1, 3, 50])
@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_source_is_read_to_its_end(kind: str, workers: int, order: Any) -> None:
    model = Model(seconds=0.5)
    async with ParallelBatchProcessor(max_workers=workers) as processor:
        batch = await processor.process_all(KINDS[kind](items(20, model)), order=order)
    ended = names(batch) if order == "input" else sorted(names(batch), key=int)
    assert ended == [str(number) for number in range(20)]
    assert batch.succeeded == model.calls == 20


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_source_may_be_empty(kind: str) -> None:
    async with ParallelBatchProcessor() as processor:
        assert (await processor.process_all(KINDS[kind]([]))).results == []
        assert [result async for result in processor.stream(KINDS[kind]([]))] == []


@pytest.mark.parametrize("kind", KINDS)
async def test_the_queue_comes_before_the_source(kind: str) -> None:
    model = Model()
    async with ParallelBatchProcessor(max_workers=1) as processor:
        await processor.add_work(item("queued", model))
        batch = await processor.process_all(KINDS[kind](items(2, model)))
    assert names(batch) == ["queued", "0", "1"]


async def test_an_iterator_is_read_as_workers_get_free_and_no_further() -> None:
    model = Model(seconds=10.0)
    taken: list[float] = []

    def source() -> Iterator[LLMWorkItem]:
        for each in items(6, model):
            taken.append(now())
            yield each

    async with ParallelBatchProcessor(max_workers=2) as processor:
        await processor.process_all(source())
    assert taken == [0.0, 0.0, 10.0, 10.0, 20.0, 20.0]


async def test_an_async_source_is_read_by_one_at_a_time_while_others_work() -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=5) as processor:
        await processor.process_all(stream_of(items(4, model), seconds=1.0))
    assert model.starts == [1.0, 2.0, 3.0, 4.0]


@pytest.mark.parametrize("workers", [1, 2, 3])
async def test_work_added_does_not_wait_for_a_slow_source(workers: int) -> None:
    """To read a source is no call: it must not hold the only worker's place."""
    model = Model()
    async with ParallelBatchProcessor(max_workers=workers) as processor:
        run = asyncio.create_task(processor.process_all(stream_of(items(1, model), 100.0)))
        await asyncio.sleep(5)
        await processor.add_work(item("added", model))
        batch = await run
    assert names(batch) == ["added", "0"]
    assert model.starts == [5.0, 100.0]


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_source_that_feeds_on_what_is_added_is_no_lock_up(workers: int) -> None:
    model = Model()
    done = asyncio.Event()

    async def source() -> AsyncIterator[LLMWorkItem]:
        await processor.add_work(item("first", model))
        await done.wait()
        yield item("second", model)

    processor = ParallelBatchProcessor[Any, Any, None](
        max_workers=workers, post_processor=lambda result: done.set()
    )
    async with processor:
        batch = await processor.process_all(source())
    assert names(batch) == ["first", "second"]


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_source_without_an_end_is_read_until_the_stop(is_async: bool) -> None:
    model = Model(seconds=1.0)
    endless = (item(str(number), model) for number in itertools.count())

    async def endless_stream() -> AsyncIterator[LLMWorkItem]:
        for each in endless:
            yield each

    async with ParallelBatchProcessor(max_workers=3) as processor:
        run = asyncio.create_task(processor.process_all(endless_stream() if is_async else endless))
        await asyncio.sleep(10.5)
        processor.stop()
        batch = await run
    assert batch.succeeded == 33, "ten rounds of three, and the three in flight at the stop"
    # What was never taken from the source is no item; an async one is read one item ahead.
    assert batch.total_items <= 33 + is_async


async def test_the_rest_of_a_list_is_known_and_ends_as_cancelled() -> None:
    model = Model(seconds=1.0)
    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(items(10, model), order="input"))
        await asyncio.sleep(1.5)
        processor.stop()
        batch = await run
        stats = await processor.get_stats()
    assert names(batch) == [str(number) for number in range(10)]
    assert [result.outcome for result in batch] == ["succeeded"] * 4 + ["cancelled"] * 6
    assert stats["total"] == stats["processed"] == 10
    assert (stats["succeeded"], stats["failed"]) == (4, 6)


# -- sources that fail


def failing(work: list[LLMWorkItem]) -> Iterator[LLMWorkItem]:
    yield from work
    raise OSError("the file ended in the middle of a row")


async def failing_stream(work: list[LLMWorkItem]) -> AsyncIterator[LLMWorkItem]:
    for each in work:
        yield each
    raise OSError("the file ended in the middle of a row")


@pytest.mark.parametrize("kind", [failing, failing_stream])
@pytest.mark.parametrize("workers", [1, 2, 10])
async def test_a_source_that_fails_midway_keeps_all_that_finished(kind: Any, workers: int) -> None:
    model = Model(seconds=1.0)
    async with ParallelBatchProcessor(max_workers=workers) as processor:
        with pytest.raises(SourceError) as caught:
            await processor.process_all(kind(items(5, model)), order="input")
        stats = await processor.get_stats()
        assert names(processor.results) == ["0", "1", "2", "3", "4"]
    assert names(caught.value.result) == ["0", "1", "2", "3", "4"]
    assert caught.value.result.succeeded == 5
    assert isinstance(caught.value.__cause__, OSError)
    assert "OSError" in str(caught.value)
    assert "5 items" in str(caught.value)
    assert stats["total"] == 5


@pytest.mark.parametrize("kind", [failing, failing_stream])
async def test_a_stream_over_a_source_that_fails_yields_first_and_raises_at_its_end(
    kind: Any,
) -> None:
    seen = []
    async with ParallelBatchProcessor(max_workers=2) as processor:
        with pytest.raises(SourceError) as caught:
            async for result in processor.stream(kind(items(5, Model(seconds=1.0)))):
                seen.append(result.item_id)
    assert seen == ["0", "1", "2", "3", "4"]
    assert isinstance(caught.value.__cause__, OSError)


async def test_work_in_the_queue_is_done_although_the_source_failed() -> None:
    model = Model(seconds=1.0)
    async with ParallelBatchProcessor(max_workers=1) as processor:
        run = asyncio.create_task(processor.process_all(failing(items(2, model))))
        await asyncio.sleep(1.5)
        await processor.add_work(item("added", model))
        with pytest.raises(SourceError) as caught:
            await run
    assert sorted(names(caught.value.result)) == ["0", "1", "added"]


async def test_a_processor_goes_on_after_a_source_that_failed() -> None:
    model = Model()
    async with ParallelBatchProcessor() as processor:
        with pytest.raises(SourceError):
            await processor.process_all(failing(items(1, model)))
        assert names(await processor.process_all(items(2, model))) == ["0", "1"]


@pytest.mark.parametrize("wrong", ["a prompt", None, ("id", "prompt"), object()])
@pytest.mark.parametrize("kind", ["list", "generator", "async generator"])
async def test_a_source_that_gives_something_else_is_told_so(kind: str, wrong: Any) -> None:
    model = Model()
    source = [*items(2, model), wrong, *items(2, model)]
    async with ParallelBatchProcessor(max_workers=1) as processor:
        with pytest.raises(SourceError, match="InputError") as caught:
            await processor.process_all(KINDS[kind](source))
    assert names(caught.value.result) == ["0", "1"]
    assert isinstance(caught.value.__cause__, InputError)
    assert "number 3" in str(caught.value.__cause__)


async def test_a_list_with_something_else_in_it_can_be_stopped() -> None:
    model = Model(seconds=1.0)
    source: list[Any] = [*items(4, model), "no item", *items(2, model)]
    async with ParallelBatchProcessor(max_workers=1) as processor:
        run = asyncio.create_task(processor.process_all(source))
        await asyncio.sleep(0.5)
        processor.stop()
        (ended,) = await asyncio.gather(run, return_exceptions=True)
        batch = processor.results
    assert not isinstance(ended, AttributeError)
    assert batch.succeeded == 1
    assert {"0", "1", "2", "3"} <= set(names(batch))


@pytest.mark.parametrize("wrong", [7, object(), 1.5])
async def test_a_source_that_cannot_be_read_is_refused_and_the_queue_kept(wrong: Any) -> None:
    async with ParallelBatchProcessor() as processor:
        await processor.add_work(item("a", Model()))
        with pytest.raises(InputError, match="source"):
            await processor.process_all(wrong)
        assert names(await processor.process_all()) == ["a"]


async def test_one_item_in_place_of_a_list_is_refused() -> None:
    async with ParallelBatchProcessor() as processor:
        with pytest.raises(InputError):
            await processor.process_all(item("a", Model()))  # type: ignore[arg-type]


class LazyRows:
    """Knows its length, and reads its rows one by one, as data sets do."""

    def __init__(self, work: list[LLMWorkItem], fails_at: int | None = None) -> None:
        self._work, self._fails_at = work, fails_at

    def __len__(self) -> int:
        return len(self._work)

    def __iter__(self) -> Iterator[LLMWorkItem]:
        for number, each in enumerate(self._work):
            if number == self._fails_at:
                raise OSError("disk")
            yield each


async def test_a_stop_survives_a_list_that_fails_to_give_its_rest() -> None:
    model = Model(seconds=1.0)
    async with ParallelBatchProcessor(max_workers=1) as processor:
        await processor.add_work(item("queued", model))
        await processor.add_work(item("queued too", model))
        run = asyncio.create_task(processor.process_all(LazyRows(items(5, model), fails_at=2)))
        await asyncio.sleep(0.5)
        processor.stop()
        with pytest.raises(SourceError) as caught:
            await run
        stats = await processor.get_stats()
    assert names(caught.value.result)[:2] == ["queued", "queued too"]
    assert stats["processed"] == stats["total"] == len(caught.value.result)


async def test_a_source_whose_own_call_was_cancelled_has_failed_and_not_ended() -> None:
    model = Model(seconds=1.0)

    async def cut() -> AsyncIterator[LLMWorkItem]:
        yield item("0", model)
        raise asyncio.CancelledError  # what awaiting a cancelled task comes to

    async with ParallelBatchProcessor(max_workers=2) as processor:
        with pytest.raises(SourceError) as caught:
            await processor.process_all(cut())
    assert names(caught.value.result) == ["0"]


async def test_a_source_that_cancels_for_ever_is_read_no_further() -> None:
    class Cut:
        reads = 0

        def __aiter__(self) -> Cut:
            return self

        async def __anext__(self) -> LLMWorkItem:
            Cut.reads += 1
            if Cut.reads > 1_000:
                raise StopAsyncIteration
            raise asyncio.CancelledError

    async with ParallelBatchProcessor() as processor:
        with pytest.raises(SourceError):
            await processor.process_all(Cut())
    assert Cut.reads == 1


# -- closing sources


async def test_an_async_source_is_closed_when_the_run_stops() -> None:
    closed: list[float] = []

    async def rows() -> AsyncIterator[LLMWorkItem]:
        try:
            for number in itertools.count():
                yield item(str(number), model)
        finally:
            await asyncio.sleep(1)
            closed.append(now())

    model = Model(seconds=1.0)
    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(rows()))
        await asyncio.sleep(2.5)
        processor.stop()
        await run
        assert closed == [4.0]


async def test_an_async_source_that_is_waited_for_is_closed_when_the_run_stops() -> None:
    closed: list[float] = []

    async def rows() -> AsyncIterator[LLMWorkItem]:
        try:
            await asyncio.sleep(1_000)
            yield item("never", Model())
        finally:
            closed.append(now())

    async with ParallelBatchProcessor() as processor:
        run = asyncio.create_task(processor.process_all(rows()))
        await asyncio.sleep(1)
        processor.stop()
        assert (await run).results == []
    assert closed == [1.0]


async def test_a_generator_is_closed_when_the_run_stops() -> None:
    closed = []

    def rows() -> Iterator[LLMWorkItem]:
        try:
            for number in itertools.count():
                yield item(str(number), model)
        finally:
            closed.append(now())

    model = Model(seconds=1.0)
    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(rows()))
        await asyncio.sleep(2.5)
        processor.stop()
        await run
        assert closed == [3.0]


async def test_a_source_that_fails_to_close_loses_no_result() -> None:
    async def rows() -> AsyncIterator[LLMWorkItem]:
        try:
            for number in itertools.count():
                yield item(str(number), model)
        finally:
            raise OSError("cannot close")

    model = Model(seconds=1.0)
    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(rows()))
        await asyncio.sleep(2.5)
        processor.stop()
        batch = await run
    assert batch.succeeded == 6


# -- what is known of how many there are


@pytest.mark.parametrize("queued", [0, 3])
async def test_progress_knows_the_total_of_queue_and_list_from_the_start(queued: int) -> None:
    model = Model(seconds=1.0)
    totals: list[int] = []
    processor = ParallelBatchProcessor[Any, Any, None](
        config=ProcessorConfig(max_workers=1, progress_interval=1),
        progress_callback=lambda completed, total, last: totals.append(total),
    )
    async with processor:
        for work in items(queued, model):
            await processor.add_work(work)
        await processor.process_all(items(5, model))
    assert totals == [queued + 5] * (queued + 5)


async def test_stats_know_the_total_of_queue_and_list_during_the_run() -> None:
    model = Model(seconds=1.0)
    async with ParallelBatchProcessor(max_workers=1) as processor:
        for work in items(3, model):
            await processor.add_work(work)
        run = asyncio.create_task(processor.process_all(items(5, model)))
        totals = []
        for _ in range(7):
            await asyncio.sleep(1.01)
            totals.append((await processor.get_stats())["total"])
        await run
    assert totals == [8] * 7
