"""The sums of a limit, with and without one; `Budget` and `CostTracker` are tests of it too."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.pricing import Spending

AMOUNTS = st.floats(0, 0.5)
STEPS = st.lists(
    st.tuples(st.sampled_from(["settle", "hold", "release", "keep"]), AMOUNTS, st.floats(0, 1)),
    max_size=30,
)


@given(STEPS)
def test_spent_held_and_open_together_stay_within_the_limit(
    steps: list[tuple[str, float, float]],
) -> None:
    sums = Spending(1.0)
    held = 0.0
    for how, usd, share in steps:
        assert sums.has_room(usd) == (
            sums.spent_usd + sums.held_usd + sums.open_usd + usd <= 1.0 + 1e-12
        ) or sums.left_usd == pytest.approx(usd, abs=1e-12)
        if sums.reserve(usd):
            if how == "settle":
                sums.settle(usd, usd * share)
            elif how != "keep":
                getattr(sums, how)(usd)
            held += usd if how == "hold" else 0
        assert sums.spent_usd + sums.held_usd + sums.open_usd <= 1.0 + 1e-12
    assert sums.held_usd == pytest.approx(held)
    assert sums.overruns == 0


def test_sums_without_a_limit_have_always_room() -> None:
    sums = Spending(None, spent_usd=1e9)
    assert sums.reserve(1e9)
    sums.settle(1e9, 2e9)
    assert (sums.max_usd, sums.left_usd, sums.overruns) == (None, None, 0)
    assert sums.has_room(1e12)
    assert not sums.is_hopeless(1e12)


def test_what_was_spent_unasked_counts() -> None:
    sums = Spending(1.0)
    sums.spend(1.5)
    assert (sums.left_usd, sums.has_room(0.1), sums.is_hopeless(0.1)) == (0.0, False, True)
