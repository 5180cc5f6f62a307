"""Cooldown, slow start, Retry-After, and the budget of their own that rate limits have."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from batch_llm import (
    DefaultErrorClassifier,
    ErrorInfo,
    ExponentialBackoffStrategy,
    FixedDelayStrategy,
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorConfig,
    RateLimitConfig,
    RateLimitStrategy,
    RetryConfig,
)

from ...standins import NO_WAIT, Ear, Model, item, items, limited, now

NO_SLOW_START = RateLimitConfig(cooldown_seconds=100.0, slow_start_items=0)


def processor_with(
    rate_limit: RateLimitConfig = NO_SLOW_START,
    workers: int = 5,
    retry: RetryConfig = NO_WAIT,
    **more: Any,
) -> ParallelBatchProcessor[Any, Any, None]:
    config = ProcessorConfig(max_workers=workers, rate_limit=rate_limit, retry=retry)
    return ParallelBatchProcessor(config=config, **more)


def in_scope(scope: str | None, answer: Any = None, seconds: float = 0.0) -> Model:
    model = Model(answer, seconds=seconds)
    model.quota_scope = scope
    return model


# -- cooldown


async def test_a_rate_limit_pauses_all_workers_and_the_item_then_succeeds() -> None:
    model = Model([limited(), *(["out"] * 50)], seconds=1.0)
    async with processor_with(workers=1) as processor:
        batch = await processor.process_all(items(3, model))
        stats = await processor.get_stats()
    assert batch.succeeded == 3
    assert model.starts == [0.0, 101.0, 102.0, 103.0]
    assert stats["rate_limit_count"] == 1


async def test_no_call_starts_during_a_cooldown() -> None:
    """Calls in flight end in their time; items picked up, and retries, wait."""
    lengths = {"limited": 1.0, "flaky": 5.0}
    flaky_calls = []

    async def answer(prompt: str, attempt: int) -> Any:
        await asyncio.sleep(lengths.get(prompt, 3.0))
        if prompt == "limited" and now() < 50:
            return limited()
        if prompt == "flaky" and not flaky_calls:
            flaky_calls.append(now())
            return ConnectionError()
        return prompt

    model = Model(answer)
    work = [item(name, model) for name in ("limited", "flaky", "a", "b", "c", "d")]
    async with processor_with(workers=3) as processor:
        batch = await processor.process_all(work)
    assert batch.succeeded == 6
    assert [start for start in model.starts if 1.0 < start < 101.0] == []
    assert flaky_calls == [5.0], "its retry came due at second 5, and waited for second 101"


async def test_all_workers_refused_at_one_barrier_cool_down_once() -> None:
    workers = 20
    barrier = asyncio.Barrier(workers)

    async def answer(prompt: str, attempt: int) -> Any:
        if now() < 50:
            await barrier.wait()
            return limited()
        return prompt

    model = Model(answer)
    ear = Ear()
    async with processor_with(workers=workers, observers=[ear]) as processor:
        batch = await processor.process_all(items(workers, model))
        stats = await processor.get_stats()
    assert batch.succeeded == workers
    assert len(ear.heard(ProcessingEvent.RATE_LIMIT_HIT)) == workers
    assert len(ear.heard(ProcessingEvent.COOLDOWN_STARTED)) == 1
    assert len(ear.heard(ProcessingEvent.COOLDOWN_ENDED)) == 1
    assert stats["rate_limit_count"] == workers
    assert model.starts == [0.0] * workers + [100.0] * workers


async def test_stragglers_of_the_same_burst_start_no_second_cooldown() -> None:
    """Calls admitted before the cooldown, and refused during it or after it, say nothing new."""
    lengths = {"0": 1.0, "1": 50.0, "2": 150.0}

    async def answer(prompt: str, attempt: int) -> Any:
        if answered.get(prompt):
            return prompt
        answered[prompt] = True
        await asyncio.sleep(lengths[prompt])
        return limited()

    answered: dict[str, bool] = {}
    model, ear = Model(answer), Ear()
    config = ProcessorConfig(
        max_workers=3, timeout_per_item=1_000.0, rate_limit=NO_SLOW_START, retry=NO_WAIT
    )
    async with ParallelBatchProcessor[Any, Any, None](config=config, observers=[ear]) as processor:
        batch = await processor.process_all(items(3, model))
    assert batch.succeeded == 3
    assert ear.times(ProcessingEvent.COOLDOWN_STARTED) == [1.0]
    assert model.starts == [0.0, 0.0, 0.0, 101.0, 101.0, 150.0]


async def test_a_cooldown_grows_with_hits_in_a_row_and_resets_with_a_success() -> None:
    model = Model([limited(), limited(), limited(), "ok", limited(), "ok"])
    ear = Ear()
    config = RateLimitConfig(cooldown_seconds=10.0, backoff_multiplier=2.0, slow_start_items=0)
    async with processor_with(config, workers=1, observers=[ear]) as processor:
        await processor.process_all(items(2, model))
    started = ear.heard(ProcessingEvent.COOLDOWN_STARTED)
    assert [data["duration"] for data in started] == [10.0, 20.0, 40.0, 10.0]
    assert [data["consecutive"] for data in started] == [1, 2, 3, 1]
    assert [data["consecutive"] for data in ear.heard(ProcessingEvent.RATE_LIMIT_HIT)] == [
        1,
        2,
        3,
        1,
    ]
    assert model.starts == [0.0, 10.0, 30.0, 70.0, 70.0, 80.0]


async def test_a_success_from_before_the_cooldown_does_not_reset_it() -> None:
    async def answer(prompt: str, attempt: int) -> Any:
        if prompt == "slow":
            await asyncio.sleep(50)
            return prompt
        return limited() if now() < 120 else prompt

    ear = Ear()
    config = RateLimitConfig(cooldown_seconds=100.0, backoff_multiplier=2.0, slow_start_items=0)
    async with processor_with(config, workers=2, observers=[ear]) as processor:
        model = Model(answer)
        await processor.process_all([item("slow", model), item("refused", model)])
    durations = [data["duration"] for data in ear.heard(ProcessingEvent.COOLDOWN_STARTED)]
    assert durations == [100.0, 200.0]


async def test_cooldowns_end_at_the_longest() -> None:
    model = Model([limited()] * 4 + ["ok"])
    ear = Ear()
    config = RateLimitConfig(cooldown_seconds=300.0, slow_start_items=0)
    async with processor_with(config, workers=1, observers=[ear]) as processor:
        await processor.process_all(items(1, model))
    durations = [data["duration"] for data in ear.heard(ProcessingEvent.COOLDOWN_STARTED)]
    assert durations == [300.0, 450.0, 600.0, 600.0]


async def test_rate_limit_cooldown_sets_the_first_pause() -> None:
    model = Model([limited(), "ok"])
    processor = ParallelBatchProcessor[Any, Any, None](max_workers=1, rate_limit_cooldown=7.0)
    async with processor:
        await processor.process_all(items(1, model))
    # 7 s of pause, and 2 s for the first call of the slow start.
    assert model.starts == [0.0, 9.0]


async def test_a_strategy_of_ones_own_is_asked_and_obeyed() -> None:
    asked: list[tuple[int, int]] = []

    class Mine(RateLimitStrategy):
        async def on_rate_limit(self, worker_id: int, consecutive_limits: int) -> float:
            asked.append((worker_id, consecutive_limits))
            await asyncio.sleep(3)
            return 5.0

        def should_apply_slow_start(self, items_since_resume: int) -> tuple[bool, float]:
            return False, 0.0

    model = Model([limited(), limited(), "ok"])
    async with processor_with(workers=1, rate_limit_strategy=Mine()) as processor:
        await processor.process_all(items(1, model))
    assert [consecutive for _, consecutive in asked] == [1, 2]
    assert all(isinstance(worker_id, int) for worker_id, _ in asked)
    assert model.starts == [0.0, 8.0, 16.0]


async def test_a_cooldown_holds_across_runs_of_a_processor() -> None:
    model = Model([limited(), "ok"])
    retry = RetryConfig(max_rate_limit_retries=0)
    async with processor_with(workers=1, retry=retry) as processor:
        assert (await processor.process_all(items(1, model))).failed == 1
        assert (await processor.process_all(items(1, model))).succeeded == 1
    assert model.starts == [0.0, 100.0]


async def test_each_processor_cools_down_alone() -> None:
    refused, free = Model([limited(), "ok"]), Model(seconds=1.0)
    async with processor_with() as one, processor_with(workers=1) as other:
        await asyncio.gather(one.process_all(items(1, refused)), other.process_all(items(5, free)))
    assert free.starts == [0.0, 1.0, 2.0, 3.0, 4.0]


# -- slow start


async def test_slow_start_spaces_calls_out_by_the_formula() -> None:
    model = Model([limited(), *(["ok"] * 50)])
    config = RateLimitConfig(
        cooldown_seconds=100.0,
        slow_start_items=4,
        slow_start_initial_delay=2.0,
        slow_start_final_delay=0.4,
    )
    async with processor_with(config, workers=1) as processor:
        await processor.process_all(items(8, model))
    delays = [max(0.4, 2.0 - 1.6 * i / 4) for i in range(4)]
    gaps = [b - a for a, b in zip([100.0, *model.starts[1:]], model.starts[1:], strict=False)]
    assert gaps == pytest.approx([*delays, 0.0, 0.0, 0.0, 0.0])


async def test_slow_start_is_for_all_workers_together() -> None:
    """However many wait: they come one by one, each its delay after the one before."""
    barrier = asyncio.Barrier(10)

    async def answer(prompt: str, attempt: int) -> Any:
        if now() < 50:
            await barrier.wait()
            return limited()
        return prompt

    model = Model(answer)
    config = RateLimitConfig(
        cooldown_seconds=100.0,
        slow_start_items=5,
        slow_start_initial_delay=10.0,
        slow_start_final_delay=5.0,
    )
    async with processor_with(config, workers=10) as processor:
        await processor.process_all(items(10, model))
    assert model.starts[10:] == pytest.approx([110.0, 119.0, 127.0, 134.0] + [140.0] * 6)


async def test_who_comes_during_a_slow_start_comes_after_those_who_wait() -> None:
    model = Model([limited(), *(["ok"] * 50)])
    config = RateLimitConfig(
        cooldown_seconds=100.0,
        slow_start_items=2,
        slow_start_initial_delay=10.0,
        slow_start_final_delay=10.0,
    )
    async with processor_with(config, workers=10) as processor:
        run = asyncio.create_task(processor.process_all(items(2, model)))
        await asyncio.sleep(105)
        for name in "abc":
            await processor.add_work(item(name, model))
        await run
    assert model.starts == pytest.approx([0.0, 110.0, 120.0, 120.0, 120.0, 120.0])


async def test_a_rate_limit_during_slow_start_begins_it_anew() -> None:
    model = Model([limited(), "ok", limited(), *(["ok"] * 50)])
    config = RateLimitConfig(
        cooldown_seconds=100.0,
        backoff_multiplier=1.0,
        slow_start_items=3,
        slow_start_initial_delay=3.0,
        slow_start_final_delay=3.0,
    )
    async with processor_with(config, workers=1) as processor:
        await processor.process_all(items(6, model))
    assert model.starts == pytest.approx([0, 103, 106, 209, 212, 215, 215, 215])


async def test_a_fixed_delay_holds_for_every_call_after() -> None:
    model = Model([limited(), *(["ok"] * 50)])
    async with processor_with(
        workers=3, rate_limit_strategy=FixedDelayStrategy(50.0, 2.0)
    ) as processor:
        await processor.process_all(items(6, model))
    resumed = model.starts[-5:]
    gaps = [b - a for a, b in itertools.pairwise(resumed)]
    assert gaps == pytest.approx([2.0] * 4)


async def test_slow_start_is_computed_once() -> None:
    class Counts(ExponentialBackoffStrategy):
        asked: list[int] = []

        def should_apply_slow_start(self, items_since_resume: int) -> tuple[bool, float]:
            self.asked.append(items_since_resume)
            return super().should_apply_slow_start(items_since_resume)

    model = Model([limited(), *(["ok"] * 50)])
    strategy = Counts(10.0, slow_start_items=3, slow_start_initial_delay=0.5)
    async with processor_with(workers=1, rate_limit_strategy=strategy) as processor:
        await processor.process_all(items(10, model))
    assert Counts.asked == [0, 1, 2, 3], "once for each call, and no more after its end"


# -- Retry-After


@pytest.mark.parametrize("seconds", [0.5, 1.0, 59.0, 4_000.0])
async def test_retry_after_is_obeyed_to_the_second_without_cooldown_and_slow_start(
    seconds: float,
) -> None:
    model, ear = Model([limited(seconds), *(["ok"] * 50)]), Ear()
    config = RateLimitConfig(cooldown_seconds=300.0)
    async with processor_with(config, workers=1, observers=[ear]) as processor:
        batch = await processor.process_all(items(5, model))
    assert batch.succeeded == 5
    assert model.starts == [0.0] + [seconds] * 5
    assert ear.heard(ProcessingEvent.COOLDOWN_STARTED) == []


async def test_retry_after_pauses_its_scope_and_no_other() -> None:
    busy = in_scope("model-a", [limited(50.0), *(["ok"] * 50)], seconds=1.0)
    free = in_scope("model-b", seconds=1.0)
    work = [item("a0", busy), item("b0", free), item("a1", busy)]
    async with processor_with(workers=10) as processor:
        run = asyncio.create_task(processor.process_all(work))
        await asyncio.sleep(10)
        await processor.add_work(item("a2", busy))
        await processor.add_work(item("b1", free))
        batch = await run
    assert batch.succeeded == 5
    assert busy.starts == [0.0, 0.0, 51.0, 51.0]
    assert free.starts == [0.0, 10.0]


async def test_without_a_scope_all_calls_share_one() -> None:
    one, other = Model([limited(50.0), "ok"], seconds=1.0), Model(seconds=1.0)
    async with processor_with(workers=1) as processor:
        await processor.process_all([item("a", one), item("b", other)])
    assert one.starts == [0.0, 51.0]
    assert other.starts[0] >= 51.0


async def test_a_later_end_lengthens_the_pause_and_an_earlier_one_does_not_shorten_it() -> None:
    waits = {"0": 60.0, "1": 10.0, "2": 90.0}
    refused: set[str] = set()

    async def answer(prompt: str, attempt: int) -> Any:
        if prompt in refused:
            return prompt
        refused.add(prompt)
        await asyncio.sleep(1 + int(prompt))
        return limited(waits[prompt])

    model = Model(answer)
    async with processor_with(workers=3) as processor:
        await processor.process_all(items(3, model))
    assert model.starts == [0.0, 0.0, 0.0, 93.0, 93.0, 93.0]


async def test_retry_after_holds_for_retries_of_other_failures_too() -> None:
    async def answer(prompt: str, attempt: int) -> Any:
        if now() == 0:
            await asyncio.sleep(1 if prompt == "limited" else 5)
            return limited(100.0) if prompt == "limited" else ConnectionError()
        return prompt

    model = Model(answer)
    async with processor_with(workers=2) as processor:
        await processor.process_all([item("limited", model), item("flaky", model)])
    assert model.starts == [0.0, 0.0, 101.0, 101.0]


async def test_retry_after_does_not_make_the_next_cooldown_longer() -> None:
    model, ear = Model([limited(5.0), limited(5.0), limited(), "ok"]), Ear()
    async with processor_with(workers=1, observers=[ear]) as processor:
        await processor.process_all(items(1, model))
    (started,) = ear.heard(ProcessingEvent.COOLDOWN_STARTED)
    assert (started["duration"], started["consecutive"]) == (100.0, 1)


async def test_a_scope_that_changes_is_asked_each_time_it_matters() -> None:
    """GeminiCachedStrategy and the like know their scope only once they are prepared."""

    class Late(Model):
        async def prepare(self) -> None:
            await super().prepare()
            self.quota_scope = "model-a"

    late, other = Late([limited(50.0), "ok"], seconds=1.0), in_scope(None, seconds=1.0)
    async with processor_with(workers=1) as processor:
        run = asyncio.create_task(processor.process_all([item("late", late)]))
        await asyncio.sleep(5)
        second = asyncio.create_task(asyncio.sleep(0))
        await second
        await run
        await processor.process_all([item("other", other)])
    assert late.starts == [0.0, 51.0]


# -- a budget of their own


async def test_rate_limits_do_not_eat_the_attempts() -> None:
    model = Model([limited(1.0)] * 10 + [ConnectionError(), ConnectionError(), "ok"])
    retry = RetryConfig(max_attempts=3, initial_wait=0.0)
    async with processor_with(workers=1, retry=retry) as processor:
        (result,) = await processor.process_all([item("a", model)])
        stats = await processor.get_stats()
    assert result.success
    assert result.attempts == 13
    assert model.attempts == [1] * 11 + [2, 3]
    assert stats["rate_limit_count"] == 10


@pytest.mark.parametrize("most", [0, 1, 5])
async def test_after_max_rate_limit_retries_the_item_fails_as_rate_limit(most: int) -> None:
    model = Model(limited(1.0))
    retry = RetryConfig(max_attempts=3, max_rate_limit_retries=most)
    async with processor_with(workers=1, retry=retry) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert model.calls == most + 1
    assert result.error_category == "rate_limit"
    assert (result.error or "").startswith("RateLimitedError")


async def test_a_retry_after_of_nothing_uses_the_budget_up_all_the_same() -> None:
    model, other = Model(limited(0.0)), Model()
    async with processor_with(workers=1, retry=RetryConfig()) as processor:
        batch = await processor.process_all([item("a", model), item("b", other)])
    assert model.calls == 21
    assert [result.error_category for result in batch] == ["rate_limit", None]


async def test_the_budget_holds_though_others_get_through() -> None:
    """Each refusal without a Retry-After stops all: one hopeless item must not go on with that."""
    hopeless, good = Model(limited(), seconds=5.0), Model(seconds=1.0)
    retry = RetryConfig(max_rate_limit_retries=3)
    async with processor_with(workers=2, retry=retry) as processor:
        batch = await processor.process_all([item("hopeless", hopeless), *items(40, good)])
    assert batch.succeeded == 40
    assert hopeless.calls == 4
    assert now() <= 4 * 100 + 4 * 5 + 40


async def test_the_budget_is_twenty_by_default() -> None:
    model = Model(limited(1.0))
    async with processor_with(workers=1, retry=RetryConfig()) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert model.calls == 21
    assert not result.success


async def test_a_rate_limit_that_no_one_may_retry_fails_its_item_at_once() -> None:
    """A quota of the day: not a rate limit to wait for, though it is named one."""

    class Daily(DefaultErrorClassifier):
        def classify(self, exception: Exception) -> ErrorInfo:
            return ErrorInfo(False, False, False, "rate_limit")

    model, free = Model(limited()), Model()
    async with processor_with(workers=1, error_classifier=Daily()) as processor:
        batch = await processor.process_all([item("a", model), item("b", free)])
    assert model.calls == 1
    assert [result.error_category for result in batch] == ["rate_limit", None]
    assert now() == 0


# -- prepare() meets rate limits too


async def test_a_prepare_that_is_rate_limited_waits_for_the_cooldown() -> None:
    class Creates(Model):
        async def prepare(self) -> None:
            prepared.append(now())
            if len(prepared) < 3:
                raise limited()

    prepared: list[float] = []
    config = RateLimitConfig(cooldown_seconds=100.0, backoff_multiplier=1.0, slow_start_items=0)
    async with processor_with(config, workers=5) as processor:
        batch = await processor.process_all(items(5, Creates()))
    assert batch.succeeded == 5
    assert prepared == [0.0, 100.0, 200.0]


async def test_a_prepare_that_is_told_when_to_come_back_comes_then() -> None:
    class Creates(Model):
        async def prepare(self) -> None:
            prepared.append(now())
            if len(prepared) < 3:
                raise limited(30.0)

    prepared: list[float] = []
    async with processor_with(workers=5) as processor:
        batch = await processor.process_all(items(5, Creates()))
    assert batch.succeeded == 5
    assert prepared == [0.0, 30.0, 60.0]


async def test_a_prepare_rate_limited_after_an_earlier_cooldown_cools_down_as_well() -> None:
    class Creates(Model):
        async def prepare(self) -> None:
            prepared.append(now())
            if len(prepared) < 2:
                raise limited()

    prepared: list[float] = []
    first = Model([limited(), "ok"])
    config = RateLimitConfig(cooldown_seconds=100.0, backoff_multiplier=1.0, slow_start_items=0)
    async with processor_with(config, workers=1) as processor:
        batch = await processor.process_all([item("a", first), item("b", Creates())])
    assert batch.succeeded == 2
    assert prepared == [100.0, 200.0]
