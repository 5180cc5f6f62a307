"""The post-processor."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm import ParallelBatchProcessor, ProcessorConfig, WorkItemResult

from ...standins import NO_WAIT, Model, item, items, names, now


def with_post(post: Any, workers: int = 1) -> ParallelBatchProcessor[Any, Any, Any]:
    config = ProcessorConfig(max_workers=workers, retry=NO_WAIT)
    return ParallelBatchProcessor(config=config, post_processor=post)


@pytest.mark.parametrize("is_async", [False, True])
async def test_it_sees_every_result_success_and_failure_once(is_async: bool) -> None:
    seen: list[WorkItemResult[Any, Any]] = []

    async def later(result: WorkItemResult[Any, Any]) -> None:
        await asyncio.sleep(1)
        seen.append(result)

    model = Model(lambda prompt, attempt: ConnectionError() if prompt == "1" else prompt)
    async with with_post(later if is_async else seen.append) as processor:
        batch = await processor.process_all(items(3, model))
    assert seen == batch.results
    assert [result.success for result in seen] == [True, False, True]
    assert model.calls == 5, "once an item, not once an attempt"


async def test_it_sees_the_result_whole() -> None:
    seen: list[WorkItemResult[Any, Any]] = []
    model = Model(usage={"input_tokens": 5})
    async with with_post(seen.append) as processor:
        await processor.process_all([item("a", model, {"row": 3})])
    (result,) = seen
    assert (result.item_id, result.output, result.context) == ("a", "a", {"row": 3})
    assert result.token_usage["input_tokens"] == 5


async def test_the_worker_waits_for_it_and_the_others_do_not() -> None:
    async def slow(result: WorkItemResult[Any, Any]) -> None:
        if result.item_id == "0":
            await asyncio.sleep(100)

    model = Model(seconds=1.0)
    async with with_post(slow, workers=2) as processor:
        batch = await processor.process_all(items(6, model))
    assert names(batch)[-1] == "0", "a result is handed on when its post-processing is done"
    assert now() == 101.0
    assert max(model.starts) == 4.0


@pytest.mark.parametrize("is_async", [False, True])
async def test_its_error_is_logged_and_the_result_stands(
    is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(result: WorkItemResult[Any, Any]) -> None:
        raise OSError("disk full")

    async def fails_later(result: WorkItemResult[Any, Any]) -> None:
        await asyncio.sleep(1)
        raise OSError("disk full")

    async with with_post(fails_later if is_async else fails) as processor:
        batch = await processor.process_all(items(3, Model()))
    assert batch.succeeded == 3
    assert sum("post-processor" in record.message for record in caplog.records) == 3
    assert {record.levelname for record in caplog.records} <= {"ERROR", "WARNING"}


async def test_it_may_return_anything() -> None:
    async with with_post(lambda result: len(result.item_id)) as processor:
        assert (await processor.process_all(items(3, Model()))).succeeded == 3


async def test_it_may_return_a_task_which_is_awaited() -> None:
    done = []

    async def work(name: str) -> None:
        await asyncio.sleep(5)
        done.append(name)

    def start(result: WorkItemResult[Any, Any]) -> asyncio.Task[None]:
        return asyncio.create_task(work(result.item_id))

    async with with_post(start) as processor:
        await processor.process_all(items(2, Model()))
        assert done == ["0", "1"]


async def test_it_is_not_timed() -> None:
    async def slow(result: WorkItemResult[Any, Any]) -> None:
        await asyncio.sleep(10_000)

    processor = ParallelBatchProcessor[Any, Any, None](timeout_per_item=5.0, post_processor=slow)
    async with processor:
        assert (await processor.process_all(items(1, Model()))).succeeded == 1


async def test_it_may_change_the_result_it_is_given() -> None:
    def mark(result: WorkItemResult[Any, Any]) -> None:
        result.output = result.output.upper()

    async with with_post(mark) as processor:
        batch = await processor.process_all([item("a", Model())])
    assert batch.results[0].output == "A"
