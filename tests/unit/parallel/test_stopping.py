"""Ends before the end: stop, shutdown, cleanup, cancellation, and leaving the `async with`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm import (
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorClosedError,
    ProcessorConfig,
    ProcessorObserver,
    RetryConfig,
    WorkItemResult,
)

from ...standins import Ear, Model, Step, item, items, limited, names, now

PATIENT = RetryConfig(max_attempts=5, initial_wait=50.0, jitter=False)


# -- stop


async def test_stop_lets_calls_in_flight_finish_and_starts_no_other() -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=3) as processor:
        run = asyncio.create_task(processor.process_all(items(9, model), order="input"))
        await asyncio.sleep(15)
        processor.stop()
        batch = await run
    assert now() == 20
    assert model.calls == 6
    assert [result.outcome for result in batch] == ["succeeded"] * 6 + ["cancelled"] * 3
    assert batch.succeeded == 6
    assert (batch.failed, batch.cancelled) == (3, 3)
    assert batch.results[8].error is not None
    assert batch.results[8].error.startswith("CancelledError")
    assert (batch.results[8].error_category, batch.results[8].attempts) == ("cancelled", 0)


async def test_stop_twice_is_stop_once() -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=1) as processor:
        run = asyncio.create_task(processor.process_all(items(3, model)))
        await asyncio.sleep(1)
        processor.stop()
        await asyncio.sleep(1)
        processor.stop()
        batch = await run
    assert (batch.succeeded, batch.cancelled) == (1, 2)


async def test_stop_with_nothing_under_way_is_nothing() -> None:
    async with ParallelBatchProcessor() as processor:
        processor.stop()
        assert (await processor.process_all(items(2, Model()))).succeeded == 2
        processor.stop()
        assert (await processor.process_all(items(2, Model()))).succeeded == 2


async def test_after_a_stop_the_processor_can_go_on() -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=1) as processor:
        run = asyncio.create_task(processor.process_all(items(3, model)))
        await asyncio.sleep(1)
        processor.stop()
        await run
        assert (await processor.process_all(items(2, model))).succeeded == 2


async def test_stop_ends_the_wait_between_attempts_at_once_and_says_what_had_failed() -> None:
    model = Model(ConnectionError("gone"), seconds=1.0, usage={"input_tokens": 9})
    config = ProcessorConfig(max_workers=1, retry=PATIENT)
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        run = asyncio.create_task(processor.process_all([item("a", model)]))
        await asyncio.sleep(10)
        processor.stop()
        (result,) = await run
    assert now() == 10
    assert result.outcome == "cancelled"
    assert "ConnectionError: gone" in (result.error or "")
    assert isinstance(result.exception, ConnectionError)
    assert result.attempts == 1
    assert model.cleanups == 1


async def test_stop_during_a_call_that_fails_makes_no_other_attempt() -> None:
    model = Model(ConnectionError("gone"), seconds=10.0)
    config = ProcessorConfig(max_workers=1, retry=RetryConfig(initial_wait=0.0))
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        run = asyncio.create_task(processor.process_all([item("a", model)]))
        await asyncio.sleep(5)
        processor.stop()
        (result,) = await run
    assert model.calls == 1
    assert result.outcome == "cancelled"


async def test_stop_ends_a_cooldown_at_once() -> None:
    model = Model(limited(), seconds=1.0)
    async with ParallelBatchProcessor(max_workers=3) as processor:
        run = asyncio.create_task(processor.process_all(items(5, model)))
        await asyncio.sleep(10)
        processor.stop()
        batch = await run
        assert now() == 10
    assert batch.cancelled == 5


async def test_stop_ends_a_retry_after_at_once() -> None:
    model = Model(limited(3_600), seconds=1.0)
    async with ParallelBatchProcessor(max_workers=3) as processor:
        run = asyncio.create_task(processor.process_all(items(5, model)))
        await asyncio.sleep(10)
        processor.stop()
        assert (await run).cancelled == 5
    assert now() == 10


async def test_stop_ends_the_wait_for_a_permit_of_the_minute_at_once() -> None:
    config = ProcessorConfig(max_workers=5, max_requests_per_minute=1)
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        run = asyncio.create_task(processor.process_all(items(5, Model())))
        await asyncio.sleep(10)
        processor.stop()
        batch = await run
    assert now() == 10
    assert (batch.succeeded, batch.cancelled) == (1, 4)


async def test_stop_ends_a_prepare_that_hangs_at_once() -> None:
    class Hangs(Model):
        async def prepare(self) -> None:
            await asyncio.sleep(100_000)

    model = Hangs()
    config = ProcessorConfig(timeout_per_item=1_000_000)
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        run = asyncio.create_task(processor.process_all(items(5, model)))
        await asyncio.sleep(10)
        processor.stop()
        assert (await run).cancelled == 5
    assert now() == 10
    assert model.calls == 0


async def test_stop_from_a_post_processor() -> None:
    def enough(result: WorkItemResult[Any, Any]) -> None:
        if result.item_id == "2":
            processor.stop()

    processor = ParallelBatchProcessor[Any, Any, None](max_workers=1, post_processor=enough)
    async with processor:
        batch = await processor.process_all(items(10, Model()), order="input")
    assert [result.outcome for result in batch] == ["succeeded"] * 3 + ["cancelled"] * 7


async def test_stop_of_work_begun_by_a_full_queue_leaves_its_results_to_process_all() -> None:
    model = Model(seconds=10.0)
    config = ProcessorConfig(max_workers=1, max_queue_size=2)
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        for work in items(3, model):
            await processor.add_work(work)
        await asyncio.sleep(1)
        processor.stop()
        await asyncio.sleep(50)
        await processor.add_work(item("later", model))
        first = await processor.process_all(order="input")
        second = await processor.process_all()
    together = [*first, *second]
    assert sorted(names(together)) == ["0", "1", "2", "later"]
    assert [r.outcome for r in first if r.item_id != "later"] == [
        "succeeded",
        "cancelled",
        "cancelled",
    ]


async def test_items_cut_short_are_told_of_and_counted() -> None:
    ear = Ear()
    async with ParallelBatchProcessor(max_workers=1, observers=[ear]) as processor:
        run = asyncio.create_task(processor.process_all(items(3, Model(seconds=10.0))))
        await asyncio.sleep(1)
        processor.stop()
        await run
        stats = await processor.get_stats()
    assert [data["item_id"] for data in ear.heard(ProcessingEvent.ITEM_FAILED)] == ["1", "2"]
    assert {data["error_type"] for data in ear.heard(ProcessingEvent.ITEM_FAILED)} == {
        "CancelledError"
    }
    assert stats["error_counts"] == {"CancelledError": 2}
    (completed,) = ear.heard(ProcessingEvent.BATCH_COMPLETED)
    assert (completed["total"], completed["succeeded"], completed["failed"]) == (3, 1, 2)


# -- shutdown


async def test_shutdown_waits_for_calls_in_flight_and_closes() -> None:
    model = Model(seconds=10.0)
    processor = ParallelBatchProcessor[Any, Any, None](max_workers=2)
    run = asyncio.create_task(processor.process_all(items(6, model)))
    await asyncio.sleep(5)
    await processor.shutdown()
    assert now() == 10
    batch = await run
    assert (batch.succeeded, batch.cancelled) == (2, 4)
    assert model.closings == 1
    with pytest.raises(ProcessorClosedError):
        await processor.add_work(item("late", model))
    with pytest.raises(ProcessorClosedError):
        await processor.process_all()


async def test_shutdown_twice_closes_once() -> None:
    model = Model()
    processor = ParallelBatchProcessor[Any, Any, None]()
    await processor.process_all(items(1, model))
    await processor.shutdown()
    await processor.shutdown()
    await processor.cleanup()
    assert model.closings == 1


async def test_shutdown_before_anything() -> None:
    processor = ParallelBatchProcessor[Any, Any, None]()
    await processor.shutdown()
    with pytest.raises(ProcessorClosedError):
        await processor.process_all()


@pytest.mark.parametrize("end", ["shutdown", "cleanup"])
async def test_an_end_from_a_post_processor_is_no_lock_up(end: str) -> None:
    model = Model(seconds=1.0)

    async def enough(result: WorkItemResult[Any, Any]) -> None:
        if result.item_id == "2":
            await getattr(processor, end)()

    processor = ParallelBatchProcessor[Any, Any, None](max_workers=1, post_processor=enough)
    async with processor:
        batch = await processor.process_all(items(10, model), order="input")
        stats = await processor.get_stats()
    assert [result.outcome for result in batch] == ["succeeded"] * 3 + ["cancelled"] * 7
    assert stats["processed"] == 10
    assert model.closings == 1


@pytest.mark.parametrize("end", ["shutdown", "cleanup"])
@pytest.mark.parametrize("where", ["before", "after", "error"])
async def test_an_end_from_a_middleware_is_no_lock_up(where: str, end: str) -> None:
    async def enough(*_: object) -> None:
        await getattr(processor, end)()
        raise RuntimeError("done here")

    processor = ParallelBatchProcessor[Any, Any, None](
        max_workers=2, middlewares=[Step(**{where: enough})]
    )
    async with processor:
        batch = await processor.process_all(items(6, Model(TypeError(), seconds=1.0)))
        stats = await processor.get_stats()
    assert len(batch) == 6
    assert stats["processed"] == 6


class Ends(ProcessorObserver):
    def __init__(self, event: ProcessingEvent, end: str) -> None:
        self.event, self.end = event, end
        self.processor: ParallelBatchProcessor[Any, Any, None] | None = None

    async def on_event(self, event: ProcessingEvent, data: object) -> None:
        if event is self.event and self.processor is not None:
            await getattr(self.processor, self.end)()


@pytest.mark.parametrize("end", ["shutdown", "cleanup"])
@pytest.mark.parametrize("event", list(ProcessingEvent))
async def test_an_end_from_an_observer_is_no_lock_up(event: ProcessingEvent, end: str) -> None:
    observer = Ends(event, end)
    model = Model([limited(), TypeError(), *(["ok"] * 20)], seconds=1.0)
    processor = ParallelBatchProcessor[Any, Any, None](
        max_workers=2, observers=[observer], rate_limit_cooldown=5.0
    )
    observer.processor = processor
    async with processor:
        batch = await processor.process_all(items(8, model))
        stats = await processor.get_stats()
    assert len(batch) == 8
    assert stats["processed"] == stats["total"] == 8


@pytest.mark.parametrize("end", ["shutdown", "cleanup"])
async def test_an_end_from_a_progress_callback_is_no_lock_up(end: str) -> None:
    async def report(completed: int, total: int, last: str) -> None:
        await getattr(processor, end)()

    processor = ParallelBatchProcessor[Any, Any, None](
        config=ProcessorConfig(max_workers=2, progress_interval=4), progress_callback=report
    )
    async with processor:
        batch = await processor.process_all(items(9, Model(seconds=1.0)))
        stats = await processor.get_stats()
    assert len(batch) == 9
    assert stats["processed"] == 9


async def test_an_end_from_inside_a_call_is_no_lock_up() -> None:
    async def answer(prompt: str, attempt: int) -> str:
        if prompt == "1":
            await processor.shutdown()
        return prompt

    processor = ParallelBatchProcessor[Any, Any, None](max_workers=1)
    async with processor:
        batch = await processor.process_all(items(4, Model(answer)), order="input")
    assert [result.outcome for result in batch] == ["succeeded"] * 2 + ["cancelled"] * 2


# -- cancellation


async def test_a_cancelled_process_all_keeps_what_succeeded() -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(items(9, model)))
        await asyncio.sleep(25)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        assert now() == 25, "at once"
        kept = processor.results
        stats = await processor.get_stats()
    assert kept.total_items == 9
    assert (kept.succeeded, kept.cancelled) == (4, 5)
    assert stats["processed"] == stats["total"] == 9
    assert model.in_flight == 0
    assert model.cleanups == 6, "once for each item that was started"


async def test_a_timeout_around_process_all_keeps_what_succeeded() -> None:
    async with ParallelBatchProcessor(max_workers=2) as processor:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(15):
                await processor.process_all(items(9, Model(seconds=10.0)))
        assert processor.results.succeeded == 2
    assert now() == 15


async def test_a_cancelled_processor_can_go_on() -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(items(9, model)))
        await asyncio.sleep(5)
        run.cancel()
        await asyncio.wait([run])
        assert (await processor.process_all(items(2, model))).succeeded == 2


async def test_leaving_the_async_with_early_keeps_what_succeeded_and_leaks_no_task() -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(items(9, model)))
        await asyncio.sleep(15)
    assert now() == 15
    batch = await run
    assert (batch.succeeded, batch.cancelled) == (2, 7)
    assert names(processor.results) == names(batch)
    assert model.in_flight == 0
    assert model.closings == 1


async def test_an_error_in_the_async_with_passes_through() -> None:
    model = Model(seconds=10.0)
    with pytest.raises(ZeroDivisionError):
        async with ParallelBatchProcessor(max_workers=2) as processor:
            run = asyncio.create_task(processor.process_all(items(9, model)))
            await asyncio.sleep(15)
            raise ZeroDivisionError
    assert (await run).succeeded == 2


async def test_a_success_whose_follow_up_is_cancelled_stays_a_success() -> None:
    """The answer is paid for: what comes after it cannot take it back."""

    async def slow(result: WorkItemResult[Any, Any]) -> None:
        await asyncio.sleep(100)

    processor = ParallelBatchProcessor[Any, Any, None](
        max_workers=1, post_processor=slow, middlewares=[Step(after=lambda result: result)]
    )
    async with processor:
        run = asyncio.create_task(processor.process_all(items(3, Model(seconds=10.0))))
        await asyncio.sleep(50)
        run.cancel()
        await asyncio.wait([run])
        assert now() == 50
    assert [result.outcome for result in processor.results] == [
        "succeeded",
        "cancelled",
        "cancelled",
    ]


async def test_a_call_that_answers_instead_of_being_cancelled_is_a_success() -> None:
    async def answer(prompt: str, attempt: int) -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            return "after all"
        return "never"

    model = Model(answer)
    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(items(5, model)))
        await asyncio.sleep(10)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert [result.output for result in processor.results if result.success] == ["after all"] * 2
    assert model.calls == 2
    assert processor.results.cancelled == 3


async def test_a_call_that_fails_instead_of_being_cancelled_is_not_tried_again() -> None:
    async def answer(prompt: str, attempt: int) -> str:
        try:
            await asyncio.sleep(100)
        except asyncio.CancelledError:
            raise ConnectionError("dropped") from None
        return "never"

    model = Model(answer)
    config = ProcessorConfig(max_workers=2, retry=RetryConfig(initial_wait=0.0))
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        run = asyncio.create_task(processor.process_all(items(5, model)))
        await asyncio.sleep(10)
        run.cancel()
        await asyncio.wait([run])
    assert model.calls == 2
    assert len(processor.results) == 5


async def test_cleanup_of_a_cancelled_item_runs_to_its_end() -> None:
    done = []

    class Tidy(Model):
        async def cleanup(self) -> None:
            await asyncio.sleep(3)
            done.append(now())

    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(items(4, Tidy(seconds=10.0))))
        await asyncio.sleep(5)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert done == [8.0, 8.0]


async def test_cancelled_twice_it_does_not_wait_for_a_cleanup_that_hangs() -> None:
    cut_off: list[float] = []

    class Hangs(Model):
        async def cleanup(self) -> None:
            try:
                await asyncio.sleep(100_000)
            finally:
                cut_off.append(now())

    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(items(4, Hangs(seconds=10.0))))
        await asyncio.sleep(5)
        run.cancel()
        await asyncio.sleep(5)
        run.cancel()
        await asyncio.wait([run])
        assert now() == 10
        assert run.cancelled()
        await asyncio.sleep(1)
        assert cut_off == [10.0, 10.0]


async def test_cancelled_while_the_last_observer_hangs_it_ends_at_once() -> None:
    class Hangs(ProcessorObserver):
        async def on_event(self, event: ProcessingEvent, data: object) -> None:
            if event is ProcessingEvent.BATCH_COMPLETED:
                await asyncio.sleep(100_000)

    async with ParallelBatchProcessor(observers=[Hangs()]) as processor:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(50):
                await processor.process_all(items(4, Model(seconds=10.0)))
        assert now() == 50
    assert now() == 50
    assert processor.results.succeeded == 4


@pytest.mark.parametrize("event", [ProcessingEvent.BATCH_STARTED, ProcessingEvent.WORKER_STARTED])
async def test_cancelled_while_the_first_observer_hangs_it_ends_and_can_go_on(
    event: ProcessingEvent,
) -> None:
    class Hangs(ProcessorObserver):
        async def on_event(self, heard: ProcessingEvent, data: object) -> None:
            if heard is event and now() < 50:
                await asyncio.sleep(100_000)

    async with ParallelBatchProcessor(observers=[Hangs()]) as processor:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(50):
                await processor.process_all(items(4, Model(seconds=10.0)))
        assert now() == 50
        assert (await processor.process_all(items(2, Model()))).succeeded >= 2


@pytest.mark.parametrize("moment", [0.0, 5.0, 10.0, 15.0, 20.0, 25.0])
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4])
async def test_cancelled_at_any_moment_every_item_is_accounted_for(
    moment: float, turns: int
) -> None:
    model = Model(seconds=10.0)
    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(items(5, model)))
        await asyncio.sleep(moment)
        for _ in range(turns):
            await asyncio.sleep(0)
        run.cancel()
        await asyncio.wait([run])
        stats = await processor.get_stats()
        kept = processor.results
    if model.calls:
        assert sorted(names(kept)) == ["0", "1", "2", "3", "4"]
        assert stats["processed"] == 5
        assert stats["succeeded"] == kept.succeeded
    assert model.in_flight == 0


async def test_cleanup_while_nothing_goes_on_is_harmless_and_may_come_twice() -> None:
    processor = ParallelBatchProcessor[Any, Any, None]()
    await processor.cleanup()
    await processor.cleanup()


async def test_a_cooldown_under_way_ends_with_the_processor() -> None:
    """The last item fails as rate limited; its cooldown has no one left to wait for it."""
    config = ProcessorConfig(retry=RetryConfig(max_rate_limit_retries=0))
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        batch = await processor.process_all([item("a", Model(limited()))])
    assert batch.failed == 1
    assert now() == 0


@pytest.mark.parametrize("refused", [limited(), limited(86_400.0)])
async def test_a_closed_processor_leaves_no_timer_behind(refused: Exception) -> None:
    async with ParallelBatchProcessor(max_workers=2) as processor:
        run = asyncio.create_task(processor.process_all(items(3, Model(refused, seconds=1.0))))
        await asyncio.sleep(5)
        run.cancel()
        await asyncio.wait([run])
    loop = asyncio.get_running_loop()
    assert [timer for timer in loop._scheduled if not timer.cancelled()] == []  # type: ignore[attr-defined]
