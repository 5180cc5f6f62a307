"""Items in, one result each out."""

from __future__ import annotations

import asyncio

import pytest

from batch_llm import (
    BatchProcessor,
    BatchResult,
    ConfigurationError,
    GeminiResponse,
    LLMWorkItem,
    ParallelBatchProcessor,
    ProcessorClosedError,
    ProcessorConfig,
    WorkItemResult,
)

from ...standins import Model, item, items, names, now


async def test_queued_items_end_in_one_result_each_with_output_usage_and_context() -> None:
    model = Model(usage={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5})
    async with ParallelBatchProcessor[str, str, dict[str, int]](max_workers=2) as processor:
        await processor.add_work(LLMWorkItem("a", model, "one", {"row": 1}))
        await processor.add_work(LLMWorkItem("b", model, "two", {"row": 2}))
        batch = await processor.process_all()
    assert isinstance(batch, BatchResult)
    assert [(r.item_id, r.success, r.output, r.context) for r in batch.results] == [
        ("a", True, "one", {"row": 1}),
        ("b", True, "two", {"row": 2}),
    ]
    assert all(isinstance(result, WorkItemResult) for result in batch.results)
    assert batch.results[0].token_usage == {
        "input_tokens": 3,
        "output_tokens": 2,
        "total_tokens": 5,
    }
    assert batch.results[0].error is None
    assert batch.results[0].exception is None
    assert batch.results[0].error_category is None
    assert batch.results[0].attempts == 1
    assert batch.results[0].cost_usd is None
    assert (batch.total_items, batch.succeeded, batch.failed) == (2, 2, 0)


async def test_duration_runs_from_the_start_of_the_item_to_its_end() -> None:
    async with ParallelBatchProcessor(max_workers=1) as processor:
        batch = await processor.process_all(items(2, Model(seconds=7.0)))
    assert [result.duration_seconds for result in batch] == [7.0, 7.0]


async def test_nothing_to_do_is_an_empty_result() -> None:
    async with ParallelBatchProcessor() as processor:
        assert (await processor.process_all()).results == []
        assert (await processor.process_all([])).results == []


async def test_one_bad_item_fails_alone() -> None:
    good, bad = Model(), Model(TypeError("no such field"))
    async with ParallelBatchProcessor() as processor:
        batch = await processor.process_all([item("a", good), item("b", bad), item("c", good)])
    ended = {result.item_id: result for result in batch}
    assert [name for name, result in ended.items() if result.success] == ["a", "c"]
    failed = ended["b"]
    assert failed.error == "TypeError: no such field"
    assert failed.output is None
    assert isinstance(failed.exception, TypeError)
    assert failed.error_category == "logic_error"
    assert failed.outcome == "failed"


async def test_an_error_message_is_cut_and_the_exception_kept_whole() -> None:
    async with ParallelBatchProcessor() as processor:
        batch = await processor.process_all([item("a", Model(TypeError("x" * 5_000)))])
    (result,) = batch
    assert result.error == "TypeError: " + "x" * 200
    assert str(result.exception) == "x" * 5_000


@pytest.mark.parametrize("workers", [1, 3, 8])
async def test_as_many_calls_are_in_flight_as_there_are_workers(workers: int) -> None:
    model = Model(seconds=1.0)
    async with ParallelBatchProcessor(max_workers=workers) as processor:
        batch = await processor.process_all(items(24, model))
        assert now() == 24 / workers
    assert batch.succeeded == 24
    assert model.most_in_flight == workers


async def test_results_come_in_completion_order_unless_asked_otherwise() -> None:
    delays = {"slow": 3.0, "quick": 1.0, "middling": 2.0}

    async def answer(prompt: str, attempt: int) -> str:
        await asyncio.sleep(delays[prompt])
        return prompt

    work = [item(name, Model(answer)) for name in delays]
    async with ParallelBatchProcessor(max_workers=3) as processor:
        assert names(await processor.process_all(work)) == ["quick", "middling", "slow"]
        assert names(await processor.process_all(work, order="completion")) == [
            "quick",
            "middling",
            "slow",
        ]
        assert names(await processor.process_all(work, order="input")) == [
            "slow",
            "quick",
            "middling",
        ]


async def test_input_order_counts_the_queue_first_and_then_the_source() -> None:
    async def answer(prompt: str, attempt: int) -> str:
        await asyncio.sleep(10 - int(prompt))
        return prompt

    work = items(6, Model(answer))
    async with ParallelBatchProcessor(max_workers=6) as processor:
        for queued in work[:3]:
            await processor.add_work(queued)
        batch = await processor.process_all(work[3:], order="input")
    assert names(batch) == ["0", "1", "2", "3", "4", "5"]


async def test_another_order_is_refused_and_nothing_is_lost() -> None:
    async with ParallelBatchProcessor() as processor:
        await processor.add_work(item("a", Model()))
        with pytest.raises(ConfigurationError, match="order"):
            await processor.process_all(order="alphabetical")  # type: ignore[arg-type]
        assert names(await processor.process_all()) == ["a"]


async def test_each_process_all_starts_fresh() -> None:
    model = Model(usage={"input_tokens": 1, "output_tokens": 1})
    async with ParallelBatchProcessor() as processor:
        await processor.add_work(item("a", model))
        first = await processor.process_all()
        await processor.add_work(item("b", model))
        await processor.add_work(item("c", model))
        second = await processor.process_all()
        stats = await processor.get_stats()
        assert names(processor.results) == ["b", "c"]
    assert names(first) == ["a"]
    assert names(second) == ["b", "c"]
    assert (stats["total"], stats["processed"], stats["total_tokens"]) == (2, 2, 4)


async def test_the_same_id_twice_is_two_items() -> None:
    model = Model()
    async with ParallelBatchProcessor() as processor:
        batch = await processor.process_all([item("a", model), item("a", model)])
    assert names(batch) == ["a", "a"]


async def test_a_second_process_all_meanwhile_is_refused() -> None:
    async with ParallelBatchProcessor() as processor:
        under_way = asyncio.create_task(processor.process_all(items(3, Model(seconds=5.0))))
        await asyncio.sleep(1)
        with pytest.raises(RuntimeError, match="already processing"):
            await processor.process_all()
        assert (await under_way).succeeded == 3


async def test_process_all_of_its_own_post_processor_is_refused_and_not_a_lock_up() -> None:
    refusals = []

    async def again(result: WorkItemResult[str, None]) -> None:
        try:
            await processor.process_all()
        except RuntimeError as error:
            refusals.append(error)

    processor = ParallelBatchProcessor[str, str, None](post_processor=again)
    async with processor:
        batch = await processor.process_all(items(2, Model()))
    assert batch.succeeded == 2
    assert len(refusals) == 2


async def test_stats_tell_of_the_run_while_it_goes_on_and_after_it() -> None:
    model = Model(
        lambda prompt, attempt: KeyError("k") if prompt == "3" else prompt,
        seconds=2.0,
        usage={"input_tokens": 10, "output_tokens": 4, "cached_input_tokens": 6},
    )
    async with ParallelBatchProcessor(max_workers=2) as processor:
        assert (await processor.get_stats())["total"] == 0
        run = asyncio.create_task(processor.process_all(items(4, model)))
        await asyncio.sleep(3)
        early = await processor.get_stats()
        await run
        await asyncio.sleep(100)
        late = await processor.get_stats()
    assert (early["total"], early["processed"], early["duration"]) == (4, 2, 3.0)
    assert late["total"] == 4
    assert (late["processed"], late["succeeded"], late["failed"]) == (4, 3, 1)
    assert late["error_counts"] == {"KeyError": 1}
    assert (late["total_input_tokens"], late["total_output_tokens"]) == (30, 12)
    assert late["total_tokens"] == 42
    assert late["cached_input_tokens"] == late["total_cached_tokens"] == 18
    assert late["duration"] == 4.0
    assert late["rate_limit_count"] == 0
    assert late["start_time"] > 1_700_000_000


async def test_stats_before_any_run_count_the_queue() -> None:
    async with ParallelBatchProcessor() as processor:
        await processor.add_work(item("a", Model()))
        stats = await processor.get_stats()
    assert (stats["total"], stats["processed"], stats["duration"]) == (1, 0, 0.0)


async def test_stats_are_a_copy() -> None:
    async with ParallelBatchProcessor() as processor:
        await processor.process_all(items(1, Model(TypeError())))
        (await processor.get_stats())["error_counts"]["TypeError"] = 99
        assert (await processor.get_stats())["error_counts"] == {"TypeError": 1}


async def test_single_settings_override_those_of_the_config_and_leave_it_alone() -> None:
    config = ProcessorConfig(max_workers=3, timeout_per_item=30.0)
    processor = ParallelBatchProcessor[str, str, None](
        max_workers=9, timeout_per_item=7.5, rate_limit_cooldown=11.0, config=config
    )
    assert processor.config.max_workers == 9
    assert processor.config.timeout_per_item == 7.5
    assert processor.config.rate_limit.cooldown_seconds == 11.0
    assert (config.max_workers, config.timeout_per_item) == (3, 30.0)
    assert config.rate_limit.cooldown_seconds == 300.0


@pytest.mark.parametrize(
    "setting",
    [
        {"max_workers": 0},
        {"max_workers": "many"},
        {"timeout_per_item": 0},
        {"rate_limit_cooldown": -1},
        {"config": ProcessorConfig(max_queue_size=-1)},
    ],
)
def test_a_setting_that_cannot_work_is_refused_at_the_door(setting: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        ParallelBatchProcessor(**setting)  # type: ignore[arg-type]


async def test_a_closed_processor_takes_no_work() -> None:
    async with ParallelBatchProcessor() as processor:
        pass
    with pytest.raises(ProcessorClosedError):
        await processor.add_work(item("a", Model()))
    with pytest.raises(ProcessorClosedError):
        await processor.process_all()
    with pytest.raises(RuntimeError):
        await anext(processor.stream())


def test_it_is_a_batch_processor_and_can_be_subscripted() -> None:
    assert issubclass(ParallelBatchProcessor, BatchProcessor)
    assert isinstance(ParallelBatchProcessor[str, str, None](), ParallelBatchProcessor)


async def test_ten_thousand_workers() -> None:
    model = Model(seconds=1.0)
    async with ParallelBatchProcessor(max_workers=10_000) as processor:
        batch = await processor.process_all(items(10_000, model))
        assert now() == 1.0
    assert batch.succeeded == 10_000
    assert model.most_in_flight == 10_000


async def test_a_processor_works_without_async_with() -> None:
    processor = ParallelBatchProcessor[str, str, None]()
    assert (await processor.process_all(items(2, Model()))).succeeded == 2
    await processor.cleanup()


async def test_safety_ratings_of_a_gemini_answer_are_in_the_result() -> None:
    answer = GeminiResponse(
        output="out",
        safety_ratings={"HARM_CATEGORY_HARASSMENT": "NEGLIGIBLE"},
        finish_reason="STOP",
        token_usage={"input_tokens": 1},
        raw_response=None,
    )
    async with ParallelBatchProcessor() as processor:
        (result,) = await processor.process_all([item("a", Model(answer))])
    assert result.output is answer
    assert result.gemini_safety_ratings == {"HARM_CATEGORY_HARASSMENT": "NEGLIGIBLE"}
