"""Equal requests in flight, which share one call where that is wanted."""

from __future__ import annotations

from typing import Any

from batch_llm import ConnectionFailedError, LLMWorkItem, ParallelBatchProcessor, ProcessorConfig

from ...standins import NO_WAIT, Model


class Repeatable(Model):
    """A model that was asked for a temperature of 0."""

    def is_repeatable(self, prompt: object) -> bool:
        return True


def equal_items(count: int, model: Model) -> list[LLMWorkItem]:
    return [LLMWorkItem(str(number), model, "the same") for number in range(count)]


async def run(model: Model, count: int = 5, **settings: Any) -> Any:
    config = ProcessorConfig(max_workers=count, retry=NO_WAIT, **settings)
    async with ParallelBatchProcessor(config=config) as processor:
        result = await processor.process_all(equal_items(count, model))
        return result, await processor.get_stats()


async def test_equal_requests_share_a_call_where_the_temperature_is_0() -> None:
    model = Repeatable("out", seconds=1.0, usage={"input_tokens": 7, "output_tokens": 2})
    result, stats = await run(model)
    assert model.calls == 1
    assert [each.output for each in result] == ["out"] * 5
    assert sorted(each.origin for each in result) == ["call", *["twin"] * 4]
    assert stats["total_tokens"] == 9
    assert stats["reused"] == 4
    assert sum(each.attempts for each in result) == 1


async def test_others_make_a_call_each() -> None:
    model = Model("out", seconds=1.0)
    await run(model)
    assert model.calls == 5


async def test_all_share_where_that_is_asked_for() -> None:
    model = Model("out", seconds=1.0)
    await run(model, share_identical=True)
    assert model.calls == 1


async def test_none_share_where_that_is_refused() -> None:
    model = Repeatable("out", seconds=1.0)
    await run(model, share_identical=False)
    assert model.calls == 5


async def test_a_failure_is_not_shared() -> None:
    model = Repeatable([ConnectionFailedError("no"), ConnectionFailedError("no"), "out"], seconds=1)
    result, _ = await run(model, 3)
    assert [each.success for each in result] == [True] * 3


async def test_each_item_that_follows_a_failed_one_has_its_own_end() -> None:
    model = Repeatable(ValueError("no"), seconds=1.0)
    result, _ = await run(model, 3)
    assert model.calls == 3
    assert {each.error for each in result} == {"ValueError: no"}


async def test_what_one_item_does_to_its_output_is_of_no_concern_to_the_other() -> None:
    model = Repeatable({"answer": []}, seconds=1.0)
    result, _ = await run(model, 2)
    first, second = result.results
    first.output["answer"].append("mine")
    assert second.output == {"answer": []}


async def test_requests_after_the_answer_make_a_new_call() -> None:
    model = Repeatable("out", seconds=1.0)
    async with ParallelBatchProcessor(max_workers=1) as processor:
        await processor.process_all(equal_items(3, model))
    assert model.calls == 3


async def test_a_stop_frees_those_who_wait_for_the_call_of_another() -> None:
    model = Repeatable("out", seconds=5.0)
    async with ParallelBatchProcessor(max_workers=3) as processor:
        import asyncio

        running = asyncio.create_task(processor.process_all(equal_items(3, model)))
        await asyncio.sleep(1)
        processor.stop()
        result = await running
    assert result.succeeded == 1
    assert result.cancelled == 2
