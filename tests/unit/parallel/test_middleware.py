"""Steps around each item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch_llm import (
    BaseMiddleware,
    LLMWorkItem,
    Middleware,
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorConfig,
    WorkItemResult,
)

from ...standins import NO_WAIT, Ear, Model, Step, item, items, names

if TYPE_CHECKING:
    import pytest


def processor_with(*steps: Middleware[Any, Any, Any], **more: Any) -> Any:
    return ParallelBatchProcessor[Any, Any, Any](
        config=ProcessorConfig(max_workers=1, retry=NO_WAIT), middlewares=list(steps), **more
    )


async def test_before_goes_in_order_and_after_in_reverse() -> None:
    log: list[str] = []

    def step(name: str) -> Step:
        return Step(
            before=lambda work: log.append(f"before {name}") or work,
            after=lambda result: log.append(f"after {name}") or result,
        )

    async with processor_with(step("1"), step("2"), step("3")) as processor:
        await processor.process_all(items(1, Model()))
    assert log == ["before 1", "before 2", "before 3", "after 3", "after 2", "after 1"]


async def test_before_may_change_the_item() -> None:
    def shout(work: LLMWorkItem) -> LLMWorkItem:
        return LLMWorkItem(work.item_id, work.strategy, f"{work.prompt}!", {"changed": True})

    async with processor_with(Step(before=shout), Step(before=shout)) as processor:
        (result,) = await processor.process_all([item("a", Model())])
    assert result.output == "a!!"
    assert result.context == {"changed": True}


async def test_none_skips_the_item() -> None:
    model, ear, seen = Model(), Ear(), []
    step = Step(before=lambda work: None if work.item_id == "1" else work)
    processor = processor_with(step, observers=[ear], post_processor=seen.append)
    async with processor:
        batch = await processor.process_all(items(3, model))
        stats = await processor.get_stats()
    skipped = batch.results[1]
    assert [result.success for result in batch] == [True, False, True]
    assert skipped.error == "Skipped by middleware"
    assert skipped.item_id == "1"
    assert skipped.attempts == 0
    assert skipped.outcome == "failed"
    assert model.prompts == ["0", "2"]
    assert names(seen) == ["0", "1", "2"]
    assert (stats["succeeded"], stats["failed"]) == (2, 1)
    assert len(ear.heard(ProcessingEvent.ITEM_FAILED)) == 1


async def test_after_a_skip_no_other_before_is_asked() -> None:
    asked = []
    second = Step(before=lambda work: asked.append(work) or work)
    async with processor_with(Step(before=lambda work: None), second) as processor:
        await processor.process_all(items(1, Model()))
    assert asked == []


async def test_a_skipped_item_keeps_its_context() -> None:
    async with processor_with(Step(before=lambda work: None)) as processor:
        (result,) = await processor.process_all([item("a", Model(), {"row": 7})])
    assert result.context == {"row": 7}


async def test_an_error_in_before_fails_the_item_and_no_other() -> None:
    def picky(work: LLMWorkItem) -> LLMWorkItem:
        if work.item_id == "1":
            raise ValueError("not this one")
        return work

    model = Model()
    async with processor_with(Step(before=picky)) as processor:
        batch = await processor.process_all(items(3, model))
    assert [result.success for result in batch] == [True, False, True]
    assert batch.results[1].error == "ValueError: not this one"
    assert batch.results[1].error_category == "logic_error"
    assert model.prompts == ["0", "2"]


async def test_after_may_change_the_result_and_sees_failures_too() -> None:
    def mark(result: WorkItemResult[Any, Any]) -> WorkItemResult[Any, Any]:
        result.output = f"<{result.output}>"
        return result

    model = Model(lambda prompt, attempt: TypeError() if prompt == "1" else prompt)
    async with processor_with(Step(after=mark)) as processor:
        batch = await processor.process_all(items(2, model))
    assert [result.output for result in batch] == ["<0>", "<None>"]


async def test_after_may_give_another_result() -> None:
    def redo(result: WorkItemResult[Any, Any]) -> WorkItemResult[Any, Any]:
        return WorkItemResult(result.item_id, success=False, error="Rejected: too short")

    async with processor_with(Step(after=redo)) as processor:
        batch = await processor.process_all(items(1, Model()))
        stats = await processor.get_stats()
    assert batch.results[0].error == "Rejected: too short"
    assert (stats["succeeded"], stats["failed"]) == (0, 1), "what is handed out is counted"


async def test_an_error_in_after_is_logged_and_the_result_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def faulty(result: WorkItemResult[Any, Any]) -> WorkItemResult[Any, Any]:
        raise ZeroDivisionError

    outer = Step(after=lambda result: setattr(result, "output", "seen") or result)
    async with processor_with(outer, Step(after=faulty)) as processor:
        (result,) = await processor.process_all(items(1, Model()))
    assert result.success
    assert result.output == "seen", "the other middlewares are asked all the same"
    assert any("after_process" in record.message for record in caplog.records)


async def test_the_first_answer_to_an_error_wins() -> None:
    asked: list[str] = []

    def answers(name: str, text: str | None) -> Step:
        def answer(work: LLMWorkItem, error: Exception) -> WorkItemResult[Any, Any] | None:
            asked.append(name)
            return text and WorkItemResult(work.item_id, success=True, output=text)  # type: ignore[return-value]

        return Step(error=answer)

    model = Model(TypeError("bug"))
    async with processor_with(
        answers("1", None), answers("2", "second"), answers("3", "third")
    ) as processor:
        (result,) = await processor.process_all(items(1, model))
    assert result.output == "second"
    assert result.success
    assert asked == ["1", "2"]


async def test_on_error_hears_the_last_error_once_the_item_has_failed_for_good() -> None:
    heard: list[str] = []
    model = Model([ConnectionError("1"), ConnectionError("2"), ConnectionError("3")])
    step = Step(error=lambda work, error: heard.append(f"{work.item_id}: {error}"))
    async with processor_with(step) as processor:
        await processor.process_all(items(1, model))
    assert heard == ["0: 3"]


async def test_on_error_is_not_asked_about_successes_and_skips() -> None:
    heard = []
    step = Step(
        before=lambda work: None if work.item_id == "0" else work,
        error=lambda work, error: heard.append(error),
    )
    async with processor_with(step) as processor:
        await processor.process_all(items(3, Model()))
    assert heard == []


async def test_an_error_in_on_error_is_logged_and_the_next_is_asked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def faulty(work: LLMWorkItem, error: Exception) -> None:
        raise ZeroDivisionError

    answer = WorkItemResult("0", success=True, output="saved")
    async with processor_with(
        Step(error=faulty), Step(error=lambda work, error: answer)
    ) as processor:
        (result,) = await processor.process_all(items(1, Model(TypeError())))
    assert result.output == "saved"
    assert any("on_error" in record.message for record in caplog.records)


async def test_an_answer_to_an_error_goes_through_after_and_is_counted_as_it_is() -> None:
    answer = WorkItemResult("0", success=True, output="saved")
    steps = [
        Step(after=lambda result: setattr(result, "output", f"<{result.output}>") or result),
        Step(error=lambda work, error: answer),
    ]
    ear = Ear()
    async with processor_with(*steps, observers=[ear]) as processor:
        (result,) = await processor.process_all(items(1, Model(TypeError())))
        stats = await processor.get_stats()
    assert result.output == "<saved>"
    assert (stats["succeeded"], stats["failed"]) == (1, 0)
    assert len(ear.heard(ProcessingEvent.ITEM_COMPLETED)) == 1


async def test_tokens_of_failed_attempts_count_also_where_a_middleware_answers() -> None:
    class Billed(Exception):
        usage = {"input_tokens": 100, "output_tokens": 10}

    answer = WorkItemResult("0", success=True, output="saved")
    step = Step(error=lambda work, error: answer)
    async with processor_with(step) as processor:
        await processor.process_all(items(1, Model(Billed())))
        stats = await processor.get_stats()
    assert (stats["total_input_tokens"], stats["total_output_tokens"]) == (300, 30)


async def test_before_runs_once_an_item_and_not_once_an_attempt() -> None:
    asked = []
    step = Step(before=lambda work: asked.append(work.item_id) or work)
    async with processor_with(step) as processor:
        await processor.process_all(items(1, Model(ConnectionError())))
    assert asked == ["0"]


async def test_the_base_middleware_changes_nothing() -> None:
    async with processor_with(BaseMiddleware()) as processor:
        batch = await processor.process_all(
            [item("a", Model()), item("b", Model(TypeError("bug")))]
        )
    assert [result.output for result in batch] == ["a", None]
    assert batch.results[1].error == "TypeError: bug"


def test_a_middleware_has_three_steps_to_write() -> None:
    assert Middleware.__abstractmethods__ == {"before_process", "after_process", "on_error"}
