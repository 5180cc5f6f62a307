"""The progress callback."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm import ParallelBatchProcessor, ProcessingEvent, ProcessorConfig, ProcessorObserver

from ...standins import Ear, Model, Step, items, now


def reporting(
    callback: Any, interval: int = 10, workers: int = 1, **more: Any
) -> ParallelBatchProcessor[Any, Any, None]:
    config = ProcessorConfig(max_workers=workers, progress_interval=interval)
    return ParallelBatchProcessor(config=config, progress_callback=callback, **more)


async def test_it_is_told_of_items_ended_items_known_and_the_last_id() -> None:
    reports: list[tuple[int, int, str]] = []
    async with reporting(lambda *report: reports.append(report), interval=1) as processor:
        await processor.process_all(items(3, Model()))
    assert reports == [(1, 3, "0"), (2, 3, "1"), (3, 3, "2")]


async def test_it_is_called_every_interval_and_at_the_end() -> None:
    reports: list[int] = []
    async with reporting(lambda completed, *_: reports.append(completed)) as processor:
        await processor.process_all(items(25, Model()))
        assert reports == [10, 20, 25]
        await processor.process_all(items(20, Model()))
    assert reports == [10, 20, 25, 10, 20], "the end is told once"


async def test_failed_and_skipped_items_are_progress() -> None:
    reports: list[int] = []
    step = Step(before=lambda work: None if work.item_id == "1" else work)
    model = Model(lambda prompt, attempt: TypeError() if prompt == "2" else prompt)
    processor = reporting(lambda done, *_: reports.append(done), 1, middlewares=[step])
    async with processor:
        await processor.process_all(items(4, model))
    assert reports == [1, 2, 3, 4]


async def test_nothing_is_reported_of_nothing() -> None:
    reports: list[object] = []
    async with reporting(lambda *report: reports.append(report), interval=1) as processor:
        await processor.process_all([])
    assert reports == []


async def test_an_async_callback_is_awaited_one_at_a_time_and_no_worker_waits_for_it() -> None:
    spans: list[tuple[int, float, float]] = []

    async def report(completed: int, total: int, last: str) -> None:
        began = now()
        await asyncio.sleep(3)
        spans.append((completed, began, now()))

    model = Model(seconds=1.0)
    async with reporting(report, interval=1) as processor:
        await processor.process_all(items(4, model))
        assert spans == [(1, 1.0, 4.0), (2, 4.0, 7.0), (3, 7.0, 10.0), (4, 10.0, 13.0)]
    assert model.starts == [0.0, 1.0, 2.0, 3.0]


async def test_an_async_callback_is_cut_off_after_its_timeout(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun: list[tuple[float, int]] = []

    async def hangs(completed: int, total: int, last: str) -> None:
        begun.append((now(), completed))
        await asyncio.sleep(10_000)

    config = ProcessorConfig(max_workers=1, progress_interval=1, progress_callback_timeout=5.0)
    processor = ParallelBatchProcessor[Any, Any, None](config=config, progress_callback=hangs)
    async with processor:
        batch = await processor.process_all(items(3, Model()))
    assert batch.succeeded == 3
    # What waited behind the one that hung is old, but for the newest.
    assert begun == [(0.0, 1), (5.0, 3)]
    assert now() == 10.0
    assert sum("progress callback" in record.message for record in caplog.records) == 2


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_callback_that_fails_touches_nothing(
    is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    def fails(completed: int, total: int, last: str) -> None:
        calls.append(completed)
        raise ZeroDivisionError

    async def fails_later(completed: int, total: int, last: str) -> None:
        await asyncio.sleep(1)
        fails(completed, total, last)

    async with reporting(fails_later if is_async else fails, interval=2) as processor:
        batch = await processor.process_all(items(5, Model()))
    assert batch.succeeded == 5
    assert calls == [2, 4, 5]
    assert sum("progress callback" in record.message for record in caplog.records) == 3


async def test_a_callback_may_return_anything() -> None:
    async with reporting(lambda *report: "thank you", interval=1) as processor:
        assert (await processor.process_all(items(3, Model()))).succeeded == 3


async def test_a_callback_that_is_an_object_will_do() -> None:
    class Bar:
        calls = 0

        def __call__(self, completed: int, total: int, last: str) -> None:
            Bar.calls += 1

    async with reporting(Bar(), interval=1) as processor:
        await processor.process_all(items(3, Model()))
    assert Bar.calls == 3


@pytest.mark.parametrize("workers", [1, 5])
async def test_each_count_is_reported_once_and_in_order_whatever_observers_do(
    workers: int,
) -> None:
    class Slow(ProcessorObserver):
        async def on_event(self, event: ProcessingEvent, data: Any) -> None:
            if event is ProcessingEvent.ITEM_COMPLETED:
                await asyncio.sleep(1 + int(data["item_id"]) % 3)

    reports: list[int] = []
    processor = reporting(
        lambda completed, *_: reports.append(completed), 1, workers, observers=[Slow()]
    )
    async with processor:
        await processor.process_all(items(20, Model(seconds=1.0)))
    assert reports == list(range(1, 21))


async def test_a_total_that_grows_is_told_as_it_grows() -> None:
    reports: list[tuple[int, int]] = []
    processor = reporting(lambda done, total, _: reports.append((done, total)), interval=1)
    model = Model(seconds=1.0)
    async with processor:
        run = asyncio.create_task(processor.process_all(items(2, model)))
        await asyncio.sleep(1.5)
        await processor.add_work(items(3, model)[2])
        await run
    assert reports == [(1, 2), (2, 3), (3, 3)]


async def test_of_an_iterator_the_total_is_what_has_come_so_far() -> None:
    reports: list[tuple[int, int]] = []
    processor = reporting(lambda done, total, _: reports.append((done, total)), interval=1)
    async with processor:
        await processor.process_all(iter(items(3, Model())))
    assert [done for done, _ in reports] == [1, 2, 3]
    assert all(done <= total <= 3 for done, total in reports)


async def test_a_stop_is_reported_with_what_is_done() -> None:
    reports: list[int] = []
    ear = Ear()
    processor = reporting(lambda done, *_: reports.append(done), observers=[ear])
    async with processor:
        run = asyncio.create_task(processor.process_all(items(50, Model(seconds=1.0))))
        await asyncio.sleep(14.5)
        processor.stop()
        await run
    assert reports[0] == 10
    assert reports[-1] in (15, 50)
    assert reports == sorted(set(reports))
