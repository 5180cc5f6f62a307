"""`add_work`, before and during processing, with and without a bound on the queue."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm import (
    LLMRequest,
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorClosedError,
    ProcessorConfig,
    ProcessorObserver,
    WorkItemResult,
)

from ...standins import Model, Step, item, items, names, now


def bounded(size: int, workers: int = 2, **more: Any) -> ParallelBatchProcessor[Any, Any, None]:
    config = ProcessorConfig(max_workers=workers, max_queue_size=size)
    return ParallelBatchProcessor(config=config, **more)


@pytest.mark.parametrize("wrong", [None, "prompt", ("a", "prompt"), LLMRequest("prompt"), object()])
async def test_what_is_no_work_item_is_refused(wrong: Any) -> None:
    async with ParallelBatchProcessor() as processor:
        with pytest.raises(TypeError, match="LLMWorkItem"):
            await processor.add_work(wrong)
        assert (await processor.process_all()).results == []


async def test_work_added_during_processing_is_processed_in_the_same_run() -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=2) as processor:
        await processor.add_work(item("a", model))
        run = asyncio.create_task(processor.process_all())
        await asyncio.sleep(1)
        await processor.add_work(item("b", model))
        await processor.add_work(item("c", model))
        batch = await run
    assert names(batch) == ["a", "b", "c"]
    assert model.starts == [0.0, 1.0, 10.0], "a free worker takes new work at once"


async def test_work_added_during_a_stream_is_streamed() -> None:
    model = Model(seconds=1.0)
    seen = []
    async with ParallelBatchProcessor(max_workers=1) as processor:
        await processor.add_work(item("0", model))
        async for result in processor.stream():
            seen.append(result.item_id)
            if len(seen) < 5:
                await processor.add_work(item(str(len(seen)), model))
    assert seen == ["0", "1", "2", "3", "4"]


async def test_a_post_processor_can_add_work() -> None:
    model = Model()

    async def follow_up(result: WorkItemResult[str, None]) -> None:
        if len(result.item_id) < 4:
            await processor.add_work(item(result.item_id + "x", model))

    processor = ParallelBatchProcessor[str, str, None](max_workers=1, post_processor=follow_up)
    async with processor:
        await processor.add_work(item("a", model))
        batch = await processor.process_all()
    assert names(batch) == ["a", "ax", "axx", "axxx"]


@pytest.mark.parametrize("workers", [1, 2, 7])
async def test_a_post_processor_adding_work_to_a_full_queue_is_no_lock_up(workers: int) -> None:
    model = Model(seconds=1.0)

    async def follow_up(result: WorkItemResult[str, None]) -> None:
        if len(result.item_id) == 1:
            for end in "xyz":
                await processor.add_work(item(result.item_id + end, model))

    processor = bounded(1, workers, post_processor=follow_up)
    async with processor:
        for name in "abcdef":
            await processor.add_work(item(name, model))
        batch = await processor.process_all()
    assert batch.succeeded == 6 + 18


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("workers", [1, 3])
async def test_a_full_queue_before_process_all_does_not_block_for_ever(
    size: int, workers: int
) -> None:
    model = Model(seconds=1.0)
    async with bounded(size, workers) as processor:
        for work in items(20, model):
            await processor.add_work(work)
        batch = await processor.process_all()
    assert sorted(names(batch), key=int) == [str(number) for number in range(20)]
    assert batch.succeeded == 20
    assert model.calls == 20


async def test_a_queue_that_is_not_full_starts_nothing_before_process_all() -> None:
    model = Model()
    async with bounded(5) as processor:
        for work in items(5, model):
            await processor.add_work(work)
        await asyncio.sleep(100)
        assert model.calls == 0
        await processor.process_all()
    assert model.calls == 5


async def test_a_full_queue_holds_the_producer_back() -> None:
    model = Model(seconds=10.0)
    added = []

    async def produce() -> None:
        for work in items(7, model):
            await processor.add_work(work)
            added.append(now())

    processor = bounded(2, workers=1)
    async with processor:
        producer = asyncio.create_task(produce())
        await asyncio.sleep(0)
        batch_of = asyncio.create_task(processor.process_all())
        await producer
        batch = await batch_of
    assert batch.succeeded == 7
    # Two wait in the queue and one is in flight; each later one waits for a call to end.
    assert added == [0.0, 0.0, 0.0, 10.0, 20.0, 30.0, 40.0]


async def test_producers_are_let_in_one_for_each_free_place() -> None:
    model = Model(seconds=10.0)
    added: list[tuple[str, float]] = []

    async def produce(name: str) -> None:
        await processor.add_work(item(name, model))
        added.append((name, now()))

    processor = bounded(1, workers=1)
    async with processor:
        async with asyncio.TaskGroup() as producers:
            for name in "abcdef":
                producers.create_task(produce(name))
            run = producers.create_task(processor.process_all())
        assert run.result().succeeded == 6
    assert [name for name, _ in added] == list("abcdef")
    assert [time for _, time in added] == [0.0, 0.0, 10.0, 20.0, 30.0, 40.0]


async def test_results_of_work_begun_by_a_full_queue_are_those_of_the_next_process_all() -> None:
    model = Model(usage={"input_tokens": 1})
    async with bounded(2) as processor:
        for work in items(6, model):
            await processor.add_work(work)
        await asyncio.sleep(50)
        batch = await processor.process_all(items(2, model), order="input")
        stats = await processor.get_stats()
    assert names(batch) == ["0", "1", "2", "3", "4", "5", "0", "1"]
    assert (stats["total"], stats["processed"], stats["total_input_tokens"]) == (8, 8, 8)


@pytest.mark.parametrize("order", ["completion", "input"])
async def test_a_stream_after_a_full_queue_that_is_done_already_comes_to_its_end(
    order: Any,
) -> None:
    async with bounded(1) as processor:
        for work in items(5, Model()):
            await processor.add_work(work)
        await asyncio.sleep(50)
        streamed = [result.item_id async for result in processor.stream(order=order)]
    assert sorted(streamed) == ["0", "1", "2", "3", "4"]
    assert streamed == sorted(streamed) or order == "completion"


async def test_more_work_after_a_full_queue_was_worked_off_is_processed() -> None:
    model = Model()
    async with bounded(1) as processor:
        for work in items(3, model):
            await processor.add_work(work)
        await asyncio.sleep(50)
        await processor.add_work(item("late", model))
        batch = await processor.process_all()
    assert sorted(names(batch)) == ["0", "1", "2", "late"]


async def test_a_full_queue_can_be_left_without_process_all() -> None:
    model = Model(seconds=100.0)
    async with bounded(1) as processor:
        for work in items(2, model):
            await processor.add_work(work)
    assert sorted(names(processor.results)) == ["0", "1"]
    assert processor.results.cancelled == 2


async def test_a_producer_that_waits_for_room_is_cancelled_at_once_and_takes_none() -> None:
    model = Model(seconds=10.0)
    processor = bounded(1, workers=1)
    async with processor:
        for work in items(2, model):
            await processor.add_work(work)
        waiting = asyncio.create_task(processor.add_work(item("never", model)))
        await asyncio.sleep(1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert now() == 1
        batch = await processor.process_all()
    assert names(batch) == ["0", "1"]


async def test_a_cancelled_producer_does_not_cost_the_next_one_its_place() -> None:
    model = Model(seconds=10.0)
    processor = bounded(1, workers=1)
    async with processor:
        for work in items(2, model):
            await processor.add_work(work)
        first = asyncio.create_task(processor.add_work(item("first", model)))
        second = asyncio.create_task(processor.add_work(item("second", model)))
        # The call in flight ends, and its worker takes from the queue, at this very moment.
        await asyncio.sleep(10)
        first.cancel()
        await asyncio.wait([first, second])
        batch = await processor.process_all()
    assert {"0", "1", "second"} <= set(names(batch))


@pytest.mark.parametrize("end", ["shutdown", "cleanup"])
async def test_a_producer_that_waits_for_room_learns_that_the_processor_closes(end: str) -> None:
    model = Model(seconds=10.0)
    processor = bounded(1, workers=1)
    for work in items(2, model):
        await processor.add_work(work)
    waiting = asyncio.create_task(processor.add_work(item("late", model)))
    await asyncio.sleep(1)
    await getattr(processor, end)()
    with pytest.raises(ProcessorClosedError):
        await waiting
    assert "late" not in names(processor.results)


async def test_work_accepted_while_a_run_stops_is_in_one_of_the_results() -> None:
    """Whatever `add_work` has taken ends: in the run that stops, or in the next one."""
    model = Model(seconds=10.0)
    processor = bounded(1, workers=1)
    accepted: list[str] = []

    async def produce() -> None:
        for number in range(6):
            await processor.add_work(item(str(number), model))
            accepted.append(str(number))

    async with processor:
        producer = asyncio.create_task(produce())
        run = asyncio.create_task(processor.process_all())
        await asyncio.sleep(15)
        processor.stop()
        stopped = await run
        following = await processor.process_all()
        await producer
        rest = await processor.process_all()
    ended = [*names(stopped), *names(following), *names(rest)]
    assert sorted(ended) == sorted(accepted) == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("turns", range(12))
@pytest.mark.parametrize("workers", [1, 2])
async def test_work_added_at_the_very_end_of_a_run_is_processed_there_or_by_the_next(
    turns: int, workers: int
) -> None:
    """The last call ends at second 10, and so does the producer's wait, give or take `turns`."""
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=workers) as processor:

        async def produce() -> None:
            await asyncio.sleep(10)
            for _ in range(turns):
                await asyncio.sleep(0)
            await processor.add_work(item("late", model))

        run = asyncio.create_task(processor.process_all(items(workers, model)))
        await produce()
        first = await run
        second = await processor.process_all()
    together = [*first, *second]
    assert names(together).count("late") == 1
    assert all(result.success for result in together)


async def test_a_worker_that_goes_as_work_comes_leaves_none_lying_behind_a_long_call() -> None:
    slow = Model(seconds=100.0)
    quick = Model()
    ends: list[float] = []
    processor = bounded(1, workers=2, post_processor=lambda result: ends.append(now()))

    async def produce() -> None:
        for number in range(6):
            await processor.add_work(item(f"quick {number}", quick))

    async with processor:
        run = asyncio.create_task(processor.process_all([item("slow", slow)]))
        await asyncio.sleep(1)
        await produce()
        await run
    assert ends == [1.0] * 6 + [100.0]


async def test_many_producers_and_few_places_lose_nothing() -> None:
    model = Model(seconds=0.5)
    processor = bounded(3, workers=4)

    async def produce(letter: str) -> None:
        for number in range(10):
            await asyncio.sleep(0.3)
            await processor.add_work(item(f"{letter}{number}", model))

    async with processor:
        async with asyncio.TaskGroup() as producers:
            for letter in "abcdefgh":
                producers.create_task(produce(letter))
        batch = await processor.process_all()
    assert sorted(names(batch)) == sorted(
        f"{letter}{n}" for letter in "abcdefgh" for n in range(10)
    )
    assert batch.succeeded == 80


async def test_a_full_queue_while_the_last_run_is_still_being_told_of_is_no_lock_up() -> None:
    """The run is over but for a slow observer of its end; its items are the next run's."""

    class Slow(ProcessorObserver):
        async def on_event(self, event: ProcessingEvent, data: object) -> None:
            if event is ProcessingEvent.BATCH_COMPLETED:
                await asyncio.sleep(10)

    model = Model(seconds=1.0)
    processor = bounded(2, workers=1, observers=[Slow()])
    async with processor:
        first = asyncio.create_task(processor.process_all(items(1, model)))
        await asyncio.sleep(5)
        for number in range(6):
            await processor.add_work(item(f"late {number}", model))
        assert names(await first) == ["0"]
        batch = await processor.process_all()
    assert sorted(names(batch)) == [f"late {number}" for number in range(6)]
    assert batch.succeeded == 6


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize(
    "where", ["execute", "on_error", "cleanup", "before", "after", "observer", "progress"]
)
async def test_adding_work_to_a_full_queue_from_anywhere_inside_is_no_lock_up(
    where: str, workers: int
) -> None:
    added: set[str] = set()

    async def add(name: str, place: str) -> None:
        if place == where and len(name) == 1 and name not in added:
            added.add(name)
            for end in "xyz":
                await processor.add_work(item(name + end, plain))

    class Adds(Model):
        async def execute(
            self, prompt: str, attempt: int, timeout: float, state: Any = None
        ) -> Any:
            await add(prompt, "execute")
            if where == "on_error" and attempt == 1:
                state.set("name", prompt)
                raise ConnectionError
            self.last = prompt
            return await super().execute(prompt, attempt, timeout, state)

        async def on_error(self, exception: Exception, attempt: int, state: Any = None) -> None:
            await add(state.get("name"), "on_error")

        async def cleanup(self) -> None:
            await add(self.last, "cleanup")

    class Hears(ProcessorObserver):
        async def on_event(self, event: ProcessingEvent, data: Any) -> None:
            if event is ProcessingEvent.ITEM_COMPLETED:
                await add(data["item_id"], "observer")

    async def before(work: Any) -> Any:
        await add(work.item_id, "before")
        return work

    async def after(result: Any) -> Any:
        await add(result.item_id, "after")
        return result

    async def report(done: int, total: int, last: str) -> None:
        await add(last, "progress")

    plain, adds = Model(seconds=1.0), Adds(seconds=1.0)
    processor = ParallelBatchProcessor[Any, Any, None](
        config=ProcessorConfig(max_workers=workers, max_queue_size=1, progress_interval=1),
        middlewares=[Step(before=before, after=after)],
        observers=[Hears()],
        progress_callback=report,
    )
    async with processor:
        for name in "abcd":
            await processor.add_work(item(name, adds))
        results = [*(await processor.process_all()), *(await processor.process_all())]
    assert {name for name in names(results) if len(name) == 1} == set("abcd")
    assert {name for name in names(results) if len(name) == 2} == {
        name + end for name in added for end in "xyz"
    }
    assert all(result.success for result in results)


async def test_a_processor_within_a_processor_may_add_to_the_outer_full_queue() -> None:
    """The outer worker waits for the inner run, so the inner one's code must not wait for it."""
    model = Model()
    config = ProcessorConfig(max_workers=1, max_queue_size=1)
    outer = ParallelBatchProcessor[Any, Any, None](config=config)

    async def add_outside(result: Any) -> None:
        for name in ("x", "y", "z"):
            await outer.add_work(item(name, model))

    class UsesAnother(Model):
        async def execute(
            self, prompt: str, attempt: int, timeout: float, state: Any = None
        ) -> Any:
            async with ParallelBatchProcessor[Any, Any, None](
                max_workers=1, post_processor=add_outside
            ) as inner:
                await inner.process_all(items(1, model))
            return prompt, {}

    async with outer:
        await outer.add_work(item("a", UsesAnother()))
        batch = await outer.process_all()
    assert sorted(names(batch)) == ["a", "x", "y", "z"]
    assert batch.succeeded == 4
