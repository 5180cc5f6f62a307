"""Strategies shared by items, workers and processors: prepared once, cleaned up, closed once."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from batch_llm import (
    ConfigurationError,
    FrameworkTimeoutError,
    LLMCallStrategy,
    MissingKeyError,
    ParallelBatchProcessor,
    ProcessorConfig,
    RetryConfig,
    ServerError,
)

from ...standins import NO_WAIT, Model, item, items, names, now


class Prepares(Model):
    """Takes its time to prepare, and fails as often as told.

    Args:
        fails: what `prepare()` raises, one a call; then it succeeds.
        takes: how long each takes.
    """

    def __init__(
        self, *fails: BaseException, takes: float = 1.0, answer: Any = None, seconds: float = 0.0
    ) -> None:
        super().__init__(answer, seconds=seconds)
        self.fails = list(fails)
        self.takes = takes
        self.prepared_at: list[float] = []

    async def prepare(self) -> None:
        await super().prepare()
        self.prepared_at.append(now())
        await asyncio.sleep(self.takes)
        if self.fails:
            raise self.fails.pop(0)


def processor_of(
    workers: int = 50, retry: RetryConfig = NO_WAIT, timeout: float = 120.0
) -> ParallelBatchProcessor[Any, Any, None]:
    config = ProcessorConfig(max_workers=workers, retry=retry, timeout_per_item=timeout)
    return ParallelBatchProcessor(config=config)


async def test_fifty_workers_race_for_one_preparation() -> None:
    model = Prepares()
    async with processor_of(50) as processor:
        batch = await processor.process_all(items(200, model))
    assert batch.succeeded == 200
    assert model.preparations == 1
    assert min(model.starts) == 1.0, "no call before it is ready"
    assert model.calls == model.cleanups == 200


async def test_each_instance_is_prepared_on_its_own() -> None:
    models = [Prepares() for _ in range(3)]
    work = [item(f"{name}{n}", model) for n in range(10) for name, model in zip("abc", models)]
    async with processor_of() as processor:
        assert (await processor.process_all(work)).succeeded == 30
    assert [model.preparations for model in models] == [1, 1, 1]


async def test_preparation_is_lazy() -> None:
    model = Prepares()
    async with processor_of() as processor:
        await processor.add_work(item("a", model))
        await asyncio.sleep(10)
        assert model.preparations == 0
        await processor.process_all()
    assert model.preparations == 1


async def test_two_processors_at_once_share_one_preparation() -> None:
    model = Prepares()
    async with processor_of() as one, processor_of() as other:
        batches = await asyncio.gather(
            one.process_all(items(60, model)), other.process_all(items(60, model))
        )
    assert [batch.succeeded for batch in batches] == [60, 60]
    assert model.preparations == 1
    assert model.closings == 1


async def test_runs_of_one_processor_share_one_preparation() -> None:
    model = Prepares()
    async with processor_of() as processor:
        for _ in range(3):
            await processor.process_all(items(5, model))
        assert model.closings == 0
    assert model.preparations == 1
    assert model.closings == 1


async def test_a_strategy_that_holds_nothing_is_prepared_once_for_processors_in_turn() -> None:
    """A service makes a processor a request, and keeps its strategy."""

    class Light(LLMCallStrategy[str]):
        preparations = 0

        async def prepare(self) -> None:
            self.preparations += 1

        async def execute(
            self, prompt: str, attempt: int, timeout: float, state: Any = None
        ) -> Any:
            return prompt, {}

    model = Light()
    for _ in range(4):
        async with processor_of() as processor:
            assert (await processor.process_all(items(3, model))).succeeded == 3
    assert model.preparations == 1


async def test_a_closed_strategy_is_prepared_again_by_the_next_processor() -> None:
    model = Prepares()
    for _ in range(2):
        async with processor_of() as processor:
            assert (await processor.process_all(items(3, model))).succeeded == 3
    assert model.preparations == 2
    assert model.closings == 2


async def test_a_processor_that_comes_while_the_strategy_closes_waits_for_that() -> None:
    log: list[str] = []

    class Connection(Model):
        async def prepare(self) -> None:
            log.append("prepare")

        async def aclose(self) -> None:
            log.append("closing")
            await asyncio.sleep(5)
            log.append("closed")

    model = Connection()
    first = processor_of()
    await first.process_all(items(1, model))
    closing = asyncio.create_task(first.cleanup())
    await asyncio.sleep(1)
    async with processor_of() as second:
        assert (await second.process_all(items(1, model))).succeeded == 1
    await closing
    assert log == ["prepare", "closing", "closed", "prepare", "closing", "closed"]


async def test_a_processor_that_closes_leaves_the_strategy_open_for_the_other() -> None:
    model = Prepares(seconds=10.0)
    other = processor_of()
    run = asyncio.create_task(other.process_all(items(3, model)))
    async with processor_of() as one:
        await one.process_all(items(1, model))
    assert model.closings == 0
    assert (await run).succeeded == 3
    await other.cleanup()
    assert model.closings == 1


async def test_a_processor_that_closes_during_the_preparation_takes_it_from_no_one() -> None:
    model = Prepares(takes=10.0)
    first, second = processor_of(), processor_of()
    runs = [
        asyncio.create_task(first.process_all(items(3, model))),
        asyncio.create_task(second.process_all(items(3, model))),
    ]
    await asyncio.sleep(5)
    await first.cleanup()
    cut, whole = await asyncio.gather(*runs)
    await second.cleanup()
    assert cut.cancelled == 3
    assert whole.succeeded == 3
    assert model.preparations == 1


# -- preparations that fail


async def test_a_preparation_that_fails_for_now_is_tried_again_with_the_item() -> None:
    model = Prepares(ServerError("503", status_code=503), ConnectionError())
    async with processor_of(5) as processor:
        batch = await processor.process_all(items(5, model))
    assert batch.succeeded == 5
    assert model.preparations == 3
    assert model.prepared_at == [0.0, 1.0, 2.0]
    assert model.calls == 5


async def test_waiters_share_each_failed_preparation() -> None:
    """Fifty workers come once a round, and not fifty times."""
    model = Prepares(*(ConnectionError() for _ in range(3)))
    async with processor_of(50) as processor:
        batch = await processor.process_all(items(50, model))
    assert batch.failed == 50
    assert model.preparations == 3
    assert model.calls == 0
    assert {result.error_category for result in batch} == {"connection_error"}
    assert {result.attempts for result in batch} == {0}


async def test_waiters_with_jitter_in_their_waits_all_end() -> None:
    model = Prepares(*(ConnectionError() for _ in range(500)))
    async with processor_of(50, RetryConfig(max_attempts=3)) as processor:
        batch = await processor.process_all(items(50, model))
    assert batch.failed == 50


async def test_a_preparation_that_can_never_succeed_is_not_tried_for_every_item() -> None:
    model = Prepares(*(MissingKeyError("set MY_KEY") for _ in range(500)))
    good = Model()
    async with processor_of(5) as processor:
        batch = await processor.process_all([*items(100, model), item("good", good)])
    assert batch.failed == 100
    assert batch.succeeded == 1
    assert model.preparations == 1
    assert {result.error for result in batch if not result.success} == {
        "MissingKeyError: set MY_KEY"
    }
    assert model.cleanups == 100


async def test_the_next_run_tries_a_broken_preparation_again() -> None:
    model = Prepares(ConfigurationError("no key yet"))
    async with processor_of() as processor:
        assert (await processor.process_all(items(3, model))).failed == 3
        assert (await processor.process_all(items(3, model))).succeeded == 3
    assert model.preparations == 2


async def test_a_failure_shared_by_many_items_does_not_grow_with_them() -> None:
    model = Prepares(*(ConfigurationError("never") for _ in range(3_000)))
    async with processor_of(5) as processor:
        batch = await processor.process_all(items(1_000, model))
    depths = []
    for result in batch:
        depth, link = 0, result.exception.__traceback__ if result.exception else None
        while link is not None:
            depth, link = depth + 1, link.tb_next
        depths.append(depth)
    assert max(depths) < 100


async def test_cleanup_runs_where_the_preparation_failed() -> None:
    model = Prepares(*(TypeError("bug") for _ in range(10)))
    async with processor_of(5) as processor:
        await processor.process_all(items(5, model))
    assert model.cleanups == 5


async def test_a_preparation_that_hangs_is_cut_off_like_an_attempt() -> None:
    model = Prepares(takes=1_000.0)
    async with processor_of(5, timeout=10.0) as processor:
        batch = await processor.process_all(items(5, model))
    assert batch.failed == 5
    assert model.prepared_at == [0.0, 10.0, 20.0]
    assert {result.error_category for result in batch} == {"framework_timeout"}
    for result in batch:
        assert isinstance(result.exception, FrameworkTimeoutError)
        assert (result.exception.elapsed, result.exception.timeout_limit) == (10.0, 10.0)
    assert model.cleanups == 5


async def test_a_preparation_that_times_out_by_itself_does_not_claim_the_limit() -> None:
    model = Prepares(*(TimeoutError("socket") for _ in range(9)), takes=3.0)
    async with processor_of(2, timeout=10.0) as processor:
        batch = await processor.process_all(items(2, model))
    for result in batch:
        assert isinstance(result.exception, TimeoutError)
        assert "socket" in str(result.exception)
        assert result.error_category == "timeout"
    assert model.preparations == 3


async def test_a_first_waiter_that_is_cancelled_takes_nothing_from_the_others() -> None:
    model = Prepares(takes=10.0)
    first, second = processor_of(1), processor_of(5)
    lead = asyncio.create_task(first.process_all(items(1, model)))
    await asyncio.sleep(1)
    rest = asyncio.create_task(second.process_all(items(5, model)))
    await asyncio.sleep(1)
    lead.cancel()
    with pytest.raises(asyncio.CancelledError):
        await lead
    assert (await rest).succeeded == 5
    assert model.preparations == 1
    await first.cleanup()
    await second.cleanup()


async def test_a_run_that_ends_during_the_preparation_lets_the_next_one_use_it() -> None:
    model = Prepares(takes=10.0)
    async with processor_of(3) as processor:
        run = asyncio.create_task(processor.process_all(items(3, model)))
        await asyncio.sleep(5)
        run.cancel()
        await asyncio.wait([run])
        assert (await processor.process_all(items(3, model))).succeeded == 3
    assert model.preparations == 1
    assert model.starts == [10.0] * 3


async def test_closing_during_the_preparation_cancels_it() -> None:
    model = Prepares(takes=1_000.0)
    async with processor_of(3) as processor:
        run = asyncio.create_task(processor.process_all(items(3, model)))
        await asyncio.sleep(5)
    assert now() == 5
    assert (await run).cancelled == 3
    assert model.cleanups == 3


# -- cleanup and aclose


async def test_cleanup_is_once_an_item_however_many_attempts_it_had() -> None:
    model = Model([ConnectionError(), ConnectionError(), "ok", TypeError(), "ok"])
    async with processor_of(1) as processor:
        await processor.process_all(items(3, model))
    assert model.calls == 5
    assert model.cleanups == 3


async def test_cleanup_comes_after_the_last_attempt_and_before_the_post_processor() -> None:
    log: list[str] = []

    class Logs(Model):
        async def cleanup(self) -> None:
            log.append("cleanup")

    model = Logs(lambda prompt, attempt: log.append(f"attempt {attempt}") or ConnectionError())
    processor = ParallelBatchProcessor[Any, Any, None](
        config=ProcessorConfig(retry=NO_WAIT), post_processor=lambda result: log.append("post")
    )
    async with processor:
        await processor.process_all(items(1, model))
    assert log == ["attempt 1", "attempt 2", "attempt 3", "cleanup", "post"]


async def test_a_cleanup_that_fails_is_logged_and_the_result_stands(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Faulty(Model):
        async def cleanup(self) -> None:
            raise OSError("busy")

    async with processor_of() as processor:
        batch = await processor.process_all(items(3, Faulty()))
    assert batch.succeeded == 3
    assert sum("cleanup" in record.message for record in caplog.records) == 3


async def test_a_strategy_that_fails_to_close_keeps_no_other_open(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Faulty(Model):
        async def aclose(self) -> None:
            await super().aclose()
            raise OSError("still in use")

    faulty, fine = Faulty(), Model()
    async with processor_of() as processor:
        await processor.process_all([item("a", faulty), item("b", fine)])
    assert (faulty.closings, fine.closings) == (1, 1)
    assert any("close" in record.message for record in caplog.records)


async def test_a_strategy_given_to_another_by_middleware_is_prepared_and_closed_too() -> None:
    from ...standins import Step

    asked, used = Model("asked"), Model("used")

    def swap(work: Any) -> Any:
        return item(work.item_id, used)

    processor = ParallelBatchProcessor[Any, Any, None](middlewares=[Step(before=swap)])
    async with processor:
        batch = await processor.process_all(items(3, asked))
    assert [result.output for result in batch] == ["used"] * 3
    assert (used.preparations, used.cleanups, used.closings) == (1, 3, 1)
    assert asked.calls == asked.preparations == 0


async def test_a_strategy_with_slots_and_no_hash_will_do() -> None:
    class Plain(LLMCallStrategy[str]):
        __slots__ = ("preparations",)
        __hash__ = None  # type: ignore[assignment]

        def __init__(self) -> None:
            self.preparations = 0

        def __eq__(self, other: object) -> bool:
            return True

        async def prepare(self) -> None:
            self.preparations += 1

        async def execute(
            self, prompt: str, attempt: int, timeout: float, state: Any = None
        ) -> Any:
            return prompt, {}

    one, other = Plain(), Plain()
    async with processor_of() as processor:
        batch = await processor.process_all([*items(3, one), *items(3, other)])
    assert batch.succeeded == 6
    assert (one.preparations, other.preparations) == (1, 1), "equal is not the same"


async def test_an_unused_strategy_is_not_kept_alive() -> None:
    model = Prepares()
    async with processor_of() as processor:
        await processor.process_all(items(3, model))
    gone = weakref.ref(model)
    del model, processor
    gc.collect()
    assert gone() is None


async def test_strategies_of_a_processor_that_was_never_closed_are_not_kept_alive() -> None:
    model = Prepares()
    processor = processor_of()
    await processor.process_all(items(3, model))
    gone = weakref.ref(model)
    del model, processor
    gc.collect()
    assert gone() is None


def test_a_strategy_is_prepared_again_on_another_event_loop() -> None:
    """What it opened belongs to the loop that is gone."""
    model = Model()

    async def main() -> list[str]:
        async with ParallelBatchProcessor[Any, Any, None]() as processor:
            return names(await processor.process_all(items(2, model)))

    for _ in range(2):
        assert asyncio.run(main()) == ["0", "1"]
    assert model.preparations == 2


def test_one_processor_can_be_used_on_one_loop_after_another() -> None:
    model = Model()
    processor = ParallelBatchProcessor[Any, Any, None]()

    async def main() -> int:
        return (await processor.process_all(items(2, model))).succeeded

    assert [asyncio.run(main()), asyncio.run(main())] == [2, 2]
    asyncio.run(processor.cleanup())
