"""What every strategy for rate limits must do."""

from __future__ import annotations

import asyncio
import inspect
import math
from typing import TYPE_CHECKING

import pytest

from batch_llm import (
    ExponentialBackoffStrategy,
    FixedDelayStrategy,
    ParallelBatchProcessor,
    RateLimitStrategy,
)

from ..standins import Model, items, limited, now
from ..virtual import run

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY = pytest.mark.parametrize(
    "make",
    [
        ExponentialBackoffStrategy,
        lambda: ExponentialBackoffStrategy(0.0, 0.0, 1.0, 0, 0.0, 0.0),
        lambda: ExponentialBackoffStrategy(1e6, 1e9, 10.0, 1_000, 0.0, 5.0),
        FixedDelayStrategy,
        lambda: FixedDelayStrategy(0.0, 0.0),
        lambda: FixedDelayStrategy(1e6, 0.001),
    ],
    ids=["exponential", "exponential at zero", "exponential, steep", "fixed", "zero", "long"],
)


@EVERY
def test_it_is_a_strategy_with_an_async_cooldown(make: Callable[[], RateLimitStrategy]) -> None:
    strategy = make()
    assert isinstance(strategy, RateLimitStrategy)
    assert inspect.iscoroutinefunction(strategy.on_rate_limit)


@EVERY
def test_a_cooldown_is_a_number_of_seconds_and_never_shrinks_in_a_row(
    make: Callable[[], RateLimitStrategy],
) -> None:
    strategy = make()

    async def main() -> list[float]:
        return [await strategy.on_rate_limit(3, n) for n in (1, 2, 3, 10, 100, 10_000)]

    seconds = asyncio.run(main())
    assert all(math.isfinite(each) and each >= 0 for each in seconds)
    assert seconds == sorted(seconds)


@EVERY
def test_it_takes_no_time_to_say_so(make: Callable[[], RateLimitStrategy]) -> None:
    async def main() -> None:
        await make().on_rate_limit(0, 1)
        assert now() == 0

    run(main)


@EVERY
def test_the_same_question_has_the_same_answer(make: Callable[[], RateLimitStrategy]) -> None:
    strategy = make()
    for i in (0, 1, 49, 50, 10_000):
        applies, delay = strategy.should_apply_slow_start(i)
        assert isinstance(applies, bool)
        assert math.isfinite(delay)
        assert delay >= 0
        assert strategy.should_apply_slow_start(i) == (applies, delay)


@EVERY
def test_a_run_under_it_ends_with_all_items_done_and_none_within_a_cooldown(
    make: Callable[[], RateLimitStrategy],
) -> None:
    strategy = make()
    model = Model([limited(), limited(), "ok"], seconds=0.5)

    async def main() -> float:
        async with ParallelBatchProcessor(max_workers=4, rate_limit_strategy=strategy) as processor:
            batch = await processor.process_all(items(20, model))
        assert batch.succeeded == 20
        return await strategy.on_rate_limit(0, 1)

    cooldown = run(main)
    assert [start for start in model.starts if 0.5 < start < 0.5 + cooldown] == []
