"""Whatever the user's code does, every item ends once, and the run goes on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from batch_llm import (
    BatchResult,
    DefaultErrorClassifier,
    ErrorInfo,
    FixedDelayStrategy,
    LLMCallStrategy,
    LLMWorkItem,
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorConfig,
    ProcessorObserver,
    RateLimitStrategy,
    WorkItemResult,
)

from ...standins import NO_WAIT, Ear, Model, Step, item, items, limited, names, now
from ...virtual import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

QUICK = ProcessorConfig(max_workers=3, retry=NO_WAIT)


def with_one_bad(bad: LLMCallStrategy[Any]) -> list[LLMWorkItem]:
    good = Model()
    return [item("a", good), item("bad", bad), *(item(name, good) for name in "bcdef")]


def the_bad_one(batch: BatchResult[Any, Any]) -> WorkItemResult[Any, Any]:
    """Return the bad item's result, having seen that all others succeeded."""
    assert sorted(names(batch)) == ["a", "b", "bad", "c", "d", "e", "f"]
    (bad,) = [result for result in batch if result.item_id == "bad"]
    assert all(result.success for result in batch if result is not bad)
    return bad


# -- what execute() may come up with


class Returns(LLMCallStrategy[Any]):
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        return self.answer


@pytest.mark.parametrize("answer", [None, "text", 7, (), ("a",), ("a", {}, 1), {"output": 1}, [1]])
async def test_an_answer_that_is_no_pair_fails_its_item_and_says_what_was_wanted(
    answer: object,
) -> None:
    async with ParallelBatchProcessor[Any, Any, None](config=QUICK) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(Returns(answer))))
    assert not bad.success
    assert bad.error is not None
    assert "Returns" in bad.error
    assert "token_usage" in bad.error


@pytest.mark.parametrize(
    "usage",
    ["many", 7, [1, 2], object(), {"input_tokens": "5"}, {"output_tokens": [1]}],
)
async def test_a_usage_that_is_none_touches_no_other_item(usage: object) -> None:
    async with ParallelBatchProcessor[Any, Any, None](config=QUICK) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(Returns(("out", usage)))))
        stats = await processor.get_stats()
    assert stats["processed"] == 7
    assert bad.output == "out", "it is paid for"
    assert bad.attempts == 1
    assert bad.token_usage == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": None}, {"output_tokens": 0}])
async def test_a_usage_with_counts_missing_is_taken_as_zero(usage: Any) -> None:
    async with ParallelBatchProcessor[Any, Any, None](config=QUICK) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(Returns(("out", usage)))))
    assert bad.success
    assert bad.token_usage == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


class Pair(NamedTuple):
    output: str
    usage: dict[str, int]


async def test_a_named_tuple_of_two_is_a_pair() -> None:
    strategy = Returns(Pair("out", {"input_tokens": 2, "output_tokens": 1}))
    async with ParallelBatchProcessor[Any, Any, None](config=QUICK) as processor:
        (result,) = await processor.process_all([item("a", strategy)])
    assert result.output == "out"
    assert result.token_usage["total_tokens"] == 3


async def test_a_strategy_that_is_none_at_all_fails_its_item() -> None:
    async with ParallelBatchProcessor[Any, Any, None](config=QUICK) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad("gpt-4")))  # type: ignore[arg-type]
    assert not bad.success


class Quiet(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


class Thorny(Exception):
    @property
    def result(self) -> object:
        raise RuntimeError("not yet")

    @property
    def usage(self) -> object:
        raise RuntimeError("nor this")

    @property
    def retry_after(self) -> float:
        raise RuntimeError("nor that")


@dataclass(frozen=True)
class Frozen(Exception):
    """Nothing can be set on it, its traceback included."""

    code: int = 7


@pytest.mark.parametrize(
    "error", [Quiet(), Thorny("thorny"), Frozen(), ExceptionGroup("g", [KeyError(1)])]
)
async def test_an_exception_that_defends_itself_fails_its_item_after_all_its_attempts(
    error: Exception,
) -> None:
    model = Model(error)
    async with ParallelBatchProcessor[Any, Any, None](config=QUICK) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(model)))
    assert not bad.success
    assert bad.exception is error
    assert (bad.error or "").startswith(type(error).__name__)
    assert model.calls == 3


async def test_a_ring_of_causes_ends() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    async with ParallelBatchProcessor[Any, Any, None](config=QUICK) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(Model(first))))
    assert bad.error == "ValueError: first"


class Abort(BaseException):
    """Neither an Exception nor a cancellation."""


async def test_a_base_exception_ends_the_run_and_every_item_is_accounted_for() -> None:
    model = Model(lambda prompt, attempt: Abort("now") if prompt == "4" else prompt)
    async with ParallelBatchProcessor[Any, Any, None](max_workers=2) as processor:
        with pytest.raises(Abort):
            await processor.process_all(items(10, model))
        batch = processor.results
        stats = await processor.get_stats()
    assert sorted(names(batch)) == [str(number) for number in range(10)]
    assert batch.succeeded >= 4
    assert stats["processed"] == stats["total"] == 10
    assert model.cleanups >= 5


@pytest.mark.parametrize("end", [SystemExit, KeyboardInterrupt])
def test_the_end_of_the_program_passes_through_and_loses_nothing(
    end: type[BaseException],
) -> None:
    model = Model(lambda prompt, attempt: end() if prompt == "4" else prompt, seconds=1.0)
    processor = ParallelBatchProcessor[Any, Any, None](max_workers=2)

    async def main() -> None:
        async with processor:
            await processor.process_all(items(10, model))

    with pytest.raises(end):
        run(main)
    assert sorted(names(processor.results)) == [str(number) for number in range(10)]
    assert processor.results.succeeded >= 4
    assert model.in_flight == 0
    assert model.closings == 1


# -- cancellations out of nowhere


async def test_a_call_that_cancels_itself_fails_and_is_tried_again() -> None:
    model = Model([asyncio.CancelledError(), "out"])
    async with ParallelBatchProcessor[Any, Any, None](config=QUICK) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(model)))
    assert bad.output == "out"
    assert bad.attempts == 2


async def test_a_call_that_always_cancels_itself_is_failed_and_not_cancelled() -> None:
    async with ParallelBatchProcessor[Any, Any, None](config=QUICK) as processor:
        bad = the_bad_one(
            await processor.process_all(with_one_bad(Model(asyncio.CancelledError())))
        )
    assert bad.outcome == "failed"
    assert "Model" in (bad.error or "")


class CancelsIn(Model):
    def __init__(self, step: str) -> None:
        super().__init__(RuntimeError("as told") if step == "on_error" else None)
        self.step = step

    async def prepare(self) -> None:
        await super().prepare()
        self._raise_in("prepare")

    async def on_error(self, exception: Exception, attempt: int, state: Any = None) -> None:
        await super().on_error(exception, attempt, state)
        self._raise_in("on_error")

    async def cleanup(self) -> None:
        await super().cleanup()
        self._raise_in("cleanup")

    async def aclose(self) -> None:
        await super().aclose()
        self._raise_in("aclose")

    def _raise_in(self, step: str) -> None:
        if step == self.step:
            raise asyncio.CancelledError


@pytest.mark.parametrize("step", ["prepare", "on_error", "cleanup", "aclose"])
async def test_a_stray_cancellation_in_a_strategy_touches_its_item_only(step: str) -> None:
    strategy, seen = CancelsIn(step), []
    processor = ParallelBatchProcessor[Any, Any, None](
        config=QUICK, post_processor=lambda result: seen.append(result.item_id)
    )
    async with processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(strategy)))
    assert bad.success is (step in ("cleanup", "aclose"))
    assert bad.outcome != "cancelled", "nobody stopped the run"
    assert strategy.cleanups == 1
    assert sorted(seen) == ["a", "b", "bad", "c", "d", "e", "f"]


class CancelsAt(ProcessorObserver):
    def __init__(self, event: ProcessingEvent) -> None:
        self.event = event
        self.heard = 0

    async def on_event(self, event: ProcessingEvent, data: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        if event is self.event:
            self.heard += 1
            if self.heard < 1_000:
                raise asyncio.CancelledError


@pytest.mark.parametrize("event", list(ProcessingEvent))
async def test_a_stray_cancellation_in_an_observer_touches_nothing(event: ProcessingEvent) -> None:
    model = Model([limited(), TypeError(), *(["ok"] * 20)], seconds=1.0)
    processor = ParallelBatchProcessor[Any, Any, None](
        max_workers=2, observers=[CancelsAt(event)], rate_limit_cooldown=5.0
    )
    async with processor:
        batch = await processor.process_all(items(6, model))
    assert len(batch) == 6
    assert (batch.succeeded, batch.cancelled) == (5, 0)


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_stray_cancellation_in_callbacks_touches_nothing(is_async: bool) -> None:
    async def cancelled(*_: object) -> None:
        raise asyncio.CancelledError

    def at_once(*_: object) -> None:
        raise asyncio.CancelledError

    callback = cancelled if is_async else at_once
    processor = ParallelBatchProcessor[Any, Any, None](
        config=ProcessorConfig(progress_interval=1),
        post_processor=callback,
        progress_callback=callback,
    )
    async with processor:
        batch = await processor.process_all(items(5, Model(seconds=1.0)))
    assert batch.succeeded == 5


async def test_a_stray_cancellation_in_a_cooldown_strategy_fails_no_item() -> None:
    class Cancels(FixedDelayStrategy):
        async def on_rate_limit(self, worker_id: int, consecutive_limits: int) -> float:
            raise asyncio.CancelledError

    processor = ParallelBatchProcessor[Any, Any, None](
        max_workers=2, rate_limit_strategy=Cancels(1.0, 0.0)
    )
    async with processor:
        batch = await processor.process_all(items(4, Model([limited(), "ok"], seconds=1.0)))
    assert batch.succeeded == 4


# -- middleware


@pytest.mark.parametrize("garbage", [True, "item", 7, object()])
async def test_a_middleware_that_gives_no_item_fails_that_item(garbage: object) -> None:
    step = Step(before=lambda work: garbage if work.item_id == "bad" else work)
    async with ParallelBatchProcessor[Any, Any, None](
        config=QUICK, middlewares=[step]
    ) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(Model())))
        stats = await processor.get_stats()
    assert not bad.success
    assert stats["processed"] == 7


@pytest.mark.parametrize("garbage", [None, True, "result", {"success": True}])
async def test_a_middleware_that_loses_the_result_does_not_lose_it(garbage: object) -> None:
    """To forget the `return` in `after_process` is an easy slip, and the answer is paid for."""
    step = Step(after=lambda result: garbage if result.item_id == "bad" else result)
    async with ParallelBatchProcessor[Any, Any, None](
        config=QUICK, middlewares=[step]
    ) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(Model())))
    assert bad.success
    assert bad.output == "bad"


@pytest.mark.parametrize("garbage", [True, "result", {"success": True}])
async def test_a_middleware_that_answers_an_error_with_no_result_is_passed_over(
    garbage: object,
) -> None:
    step = Step(error=lambda work, error: garbage)
    async with ParallelBatchProcessor[Any, Any, None](
        config=QUICK, middlewares=[step]
    ) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(Model(TypeError("why")))))
    assert bad.error == "TypeError: why"


@pytest.mark.parametrize("usage", [{}, {"input_tokens": 5}, {"total_tokens": 5}, None])
async def test_a_middleware_result_may_leave_counts_out(usage: Any) -> None:
    """Every key of `TokenUsage` is optional."""
    answer = WorkItemResult("bad", success=True, output="stand-in", token_usage=usage)
    step = Step(error=lambda work, error: answer)
    ear = Ear()
    async with ParallelBatchProcessor[Any, Any, None](
        config=QUICK, middlewares=[step], observers=[ear]
    ) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(Model(TypeError()))))
    assert bad.output == "stand-in"
    assert len(ear.heard(ProcessingEvent.ITEM_COMPLETED)) == 7


# -- what judges and paces


class Judge(DefaultErrorClassifier):
    def __init__(self, verdict: Callable[[Exception], Any]) -> None:
        self.verdict = verdict

    def classify(self, exception: Exception) -> ErrorInfo:
        verdict: ErrorInfo = self.verdict(exception)
        return verdict


def judge_raises(error: Exception) -> ErrorInfo:
    raise ZeroDivisionError("in the classifier")


@pytest.mark.parametrize("verdict", [judge_raises, lambda _: None, lambda _: "retry"])
async def test_a_classifier_that_fails_leaves_the_error_as_unknown(verdict: Any) -> None:
    model = Model(ConnectionError("gone"))
    async with ParallelBatchProcessor[Any, Any, None](
        config=QUICK, error_classifier=Judge(verdict)
    ) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(model)))
    assert bad.error == "ConnectionError: gone"
    assert bad.error_category == "unknown"
    assert model.calls == 3


@pytest.mark.parametrize("wait", [float("nan"), float("inf"), -5.0, "5", [1]])
@pytest.mark.parametrize("is_rate_limit", [False, True])
async def test_a_classifier_that_suggests_no_sensible_wait_holds_up_nothing(
    is_rate_limit: bool, wait: Any
) -> None:
    model = Model([ConnectionError("gone"), "ok"])
    judge = Judge(lambda error: ErrorInfo(True, is_rate_limit, False, "mine", wait))
    async with ParallelBatchProcessor[Any, Any, None](
        config=QUICK, error_classifier=judge, rate_limit_cooldown=30.0
    ) as processor:
        bad = the_bad_one(await processor.process_all(with_one_bad(model)))
    assert bad.output == "ok"
    assert now() < 100


class Pace(RateLimitStrategy):
    def __init__(self, cooldown: Any, slow: Any) -> None:
        self.cooldown, self.slow = cooldown, slow

    async def on_rate_limit(self, worker_id: int, consecutive_limits: int) -> float:
        if isinstance(self.cooldown, Exception):
            raise self.cooldown
        return self.cooldown  # type: ignore[no-any-return]

    def should_apply_slow_start(self, items_since_resume: int) -> tuple[bool, float]:
        if isinstance(self.slow, Exception):
            raise self.slow
        return self.slow  # type: ignore[no-any-return]


@pytest.mark.parametrize("cooldown", [None, "soon", float("nan"), KeyError("cooldown")])
async def test_a_cooldown_that_is_no_number_fails_no_item(cooldown: object) -> None:
    model = Model([limited(), "ok"], seconds=1.0)
    async with ParallelBatchProcessor[Any, Any, None](
        max_workers=3, rate_limit_strategy=Pace(cooldown, (False, 0.0))
    ) as processor:
        batch = await processor.process_all(items(6, model))
    assert batch.succeeded == 6
    assert now() >= 10, "without an answer, it waits a while all the same"


@pytest.mark.parametrize("slow", [KeyError("slow"), None, (True, None), (True, float("nan"))])
async def test_a_slow_start_that_fails_fails_no_item(slow: object) -> None:
    model = Model([limited(), "ok"], seconds=1.0)
    async with ParallelBatchProcessor[Any, Any, None](
        max_workers=3, rate_limit_strategy=Pace(5.0, slow)
    ) as processor:
        batch = await processor.process_all(items(6, model))
    assert batch.succeeded == 6


@pytest.mark.parametrize("slow", [(True, -5.0), (False, 3.0)])
async def test_a_slow_start_that_asks_for_nothing_gets_it(slow: tuple[bool, float]) -> None:
    model = Model([limited(), "ok"])
    async with ParallelBatchProcessor[Any, Any, None](
        max_workers=1, rate_limit_strategy=Pace(5.0, slow)
    ) as processor:
        batch = await processor.process_all(items(3, model))
    assert batch.succeeded == 3
    assert now() == 5.0


# -- code that never lets go of the loop


class NeverWaits(LLMCallStrategy[str]):
    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        return prompt, {}


@pytest.mark.parametrize("dry_run", [False, True])
async def test_calls_that_never_wait_do_not_keep_the_loop_from_a_stop(dry_run: bool) -> None:
    model = NeverWaits()
    source = (item(str(number), model) for number in range(50_000))
    processor = ParallelBatchProcessor[str, str, None](config=ProcessorConfig(dry_run=dry_run))
    async with processor:
        running = asyncio.create_task(processor.process_all(source))
        for _ in range(20):
            await asyncio.sleep(0)
        processor.stop()
        batch = await running
    assert 0 < batch.total_items < 50_000
