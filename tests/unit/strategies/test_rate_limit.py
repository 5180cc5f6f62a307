"""Cooldown and slow-start curves."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm import (
    ConfigurationError,
    ExponentialBackoffStrategy,
    FixedDelayStrategy,
    RateLimitStrategy,
)


def cooldowns(strategy: RateLimitStrategy, count: int) -> list[float]:
    async def main() -> list[float]:
        return [await strategy.on_rate_limit(0, n) for n in range(1, count + 1)]

    return asyncio.run(main())


def test_the_defaults_are_those_of_the_contract() -> None:
    strategy = ExponentialBackoffStrategy()
    assert (strategy.initial_cooldown, strategy.max_cooldown) == (60, 600)
    assert strategy.backoff_multiplier == 2.0
    assert strategy.slow_start_items == 50
    assert (strategy.slow_start_initial_delay, strategy.slow_start_final_delay) == (2.0, 0.1)
    assert cooldowns(strategy, 6) == [60, 120, 240, 480, 600, 600]
    fixed = FixedDelayStrategy()
    assert (fixed.cooldown, fixed.delay_between_requests) == (300, 1.0)
    assert cooldowns(fixed, 3) == [300, 300, 300]
    assert fixed.should_apply_slow_start(0) == fixed.should_apply_slow_start(10_000) == (True, 1.0)


def test_the_slow_start_is_the_formula() -> None:
    strategy = ExponentialBackoffStrategy()
    for i in range(50):
        applies, delay = strategy.should_apply_slow_start(i)
        assert applies
        assert delay == pytest.approx(max(0.1, 2.0 - (2.0 - 0.1) * i / 50))
    assert strategy.should_apply_slow_start(50) == (False, 0.0)
    assert strategy.should_apply_slow_start(10**9) == (False, 0.0)


@given(
    items=st.integers(0, 200),
    initial=st.floats(0, 100),
    final=st.floats(0, 100),
)
def test_delays_move_from_the_initial_to_the_final_one_and_never_below_it(
    items: int, initial: float, final: float
) -> None:
    strategy = ExponentialBackoffStrategy(
        slow_start_items=items, slow_start_initial_delay=initial, slow_start_final_delay=final
    )
    delays = [strategy.should_apply_slow_start(i)[1] for i in range(items)]
    assert all(final <= delay for delay in delays)
    if items:
        assert delays[0] == max(initial, final)
    if initial >= final:
        assert delays == sorted(delays, reverse=True)
    assert strategy.should_apply_slow_start(items) == (False, 0.0)


def test_a_very_long_series_ends_at_the_longest() -> None:
    strategy = ExponentialBackoffStrategy(initial_cooldown=1.0, max_cooldown=500.0)

    async def main() -> float:
        return await strategy.on_rate_limit(0, 100_000)

    assert asyncio.run(main()) == 500.0


def test_without_a_delay_there_is_no_slow_start() -> None:
    assert FixedDelayStrategy(10.0, 0.0).should_apply_slow_start(0) == (False, 0.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"initial_cooldown": -1},
        {"max_cooldown": -1},
        {"backoff_multiplier": 0.5},
        {"slow_start_items": -1},
        {"slow_start_initial_delay": -0.1},
        {"slow_start_final_delay": -0.1},
    ],
)
def test_what_cannot_work_is_refused_by_name(wrong: dict[str, float]) -> None:
    (name,) = wrong
    with pytest.raises(ConfigurationError, match=name):
        ExponentialBackoffStrategy(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["cooldown", "delay_between_requests"])
def test_a_fixed_delay_is_not_negative(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        FixedDelayStrategy(**{name: -1.0})
