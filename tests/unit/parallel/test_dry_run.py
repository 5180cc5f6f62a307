"""Running without calling."""

from __future__ import annotations

from typing import Any

from batch_llm import (
    LLMRequest,
    LLMWorkItem,
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorConfig,
    RequestStrategy,
)

from ...standins import Ear, Model, Step, item, items, now

DRY = ProcessorConfig(max_workers=2, dry_run=True)


async def test_no_call_is_made_and_nothing_is_prepared() -> None:
    model = Model()
    async with ParallelBatchProcessor[Any, Any, None](config=DRY) as processor:
        batch = await processor.process_all(items(3, model))
    assert batch.succeeded == 3
    assert (model.calls, model.preparations) == (0, 0)
    assert model.cleanups == 3
    assert {result.attempts for result in batch} == {0}


async def test_the_default_stand_in_says_so_and_estimates_tokens() -> None:
    async with ParallelBatchProcessor[Any, Any, None](config=DRY) as processor:
        (result,) = await processor.process_all([LLMWorkItem("a", Model(), "x" * 400)])
    assert "dry run" in result.output.lower()
    assert "xxx" not in result.output
    assert result.token_usage["input_tokens"] == 100
    assert result.token_usage["output_tokens"] == 0
    assert result.token_usage["total_tokens"] == 100


async def test_a_stand_in_of_ones_own() -> None:
    class Mine(Model):
        async def dry_run(self, prompt: str) -> Any:
            return {"length": len(prompt)}, {"input_tokens": 1, "output_tokens": 2}

    async with ParallelBatchProcessor[Any, Any, None](config=DRY) as processor:
        (result,) = await processor.process_all([item("abc", Mine())])
    assert result.output == {"length": 3}
    assert result.token_usage == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


async def test_a_stand_in_that_fails_fails_its_item_and_no_other() -> None:
    class Faulty(Model):
        async def dry_run(self, prompt: str) -> Any:
            if prompt == "1":
                raise NotImplementedError("no stand-in")
            return prompt, {}

    async with ParallelBatchProcessor[Any, Any, None](config=DRY) as processor:
        batch = await processor.process_all(items(3, Faulty()))
    assert sorted(result.item_id for result in batch if result.success) == ["0", "2"]


async def test_a_request_has_a_stand_in_too() -> None:
    class Takes(RequestStrategy[str]):
        async def execute(
            self, prompt: Any, attempt: int, timeout: float, state: Any = None
        ) -> Any:
            raise AssertionError

    request = LLMRequest("x" * 40, system="y" * 400)
    async with ParallelBatchProcessor[Any, Any, None](config=DRY) as processor:
        (result,) = await processor.process_all([LLMWorkItem("a", Takes(), request)])
    assert result.success
    assert result.token_usage["input_tokens"] >= 10


async def test_middleware_observers_and_post_processor_take_part() -> None:
    ear, seen = Ear(), []
    processor = ParallelBatchProcessor[Any, Any, None](
        config=DRY,
        observers=[ear],
        post_processor=seen.append,
        middlewares=[Step(after=lambda result: setattr(result, "output", "after") or result)],
    )
    async with processor:
        await processor.process_all(items(1, Model()))
    assert [result.output for result in seen] == ["after"]
    assert len(ear.heard(ProcessingEvent.ITEM_STARTED)) == 1
    assert len(ear.heard(ProcessingEvent.ITEM_COMPLETED)) == 1


async def test_nothing_is_paced() -> None:
    config = ProcessorConfig(dry_run=True, max_requests_per_minute=1)
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        await processor.process_all(items(10, Model()))
    assert now() == 0
