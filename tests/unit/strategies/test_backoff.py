"""The wait of one item."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.strategies import backoff_seconds


def wait(attempt: int, *, jitter: bool = False, **more: float) -> float:
    settings = {"initial": 1.0, "base": 2.0, "longest": 60.0, **more}
    return backoff_seconds(attempt, jitter=jitter, **settings)


def test_it_doubles_up_to_the_longest() -> None:
    assert [wait(n) for n in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_base_one_stays_the_same() -> None:
    assert [wait(n, base=1.0, initial=3.0) for n in (1, 2, 50)] == [3, 3, 3]


@pytest.mark.parametrize("attempt", [1_025, 10_000, 10**9])
def test_it_does_not_overflow(attempt: int) -> None:
    assert wait(attempt) == 60.0


def test_nothing_stays_nothing() -> None:
    assert wait(5, initial=0.0) == 0.0
    assert wait(5, initial=0.0, jitter=True) == 0.0


@given(
    attempt=st.integers(1, 2_000),
    initial=st.floats(0, 100),
    base=st.floats(1, 10),
    longest=st.floats(100, 1e6),
)
def test_jitter_is_between_a_half_and_the_whole(
    attempt: int, initial: float, base: float, longest: float
) -> None:
    settings = {"initial": initial, "base": base, "longest": longest}
    whole = backoff_seconds(attempt, jitter=False, **settings)
    assert initial <= whole <= longest
    assert whole / 2 <= backoff_seconds(attempt, jitter=True, **settings) <= whole


def test_jitter_reaches_both_ends() -> None:
    waits = [wait(1, jitter=True) for _ in range(2_000)]
    assert min(waits) < 0.52
    assert max(waits) > 0.98
