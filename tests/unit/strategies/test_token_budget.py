"""Tokens of a sliding minute."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.strategies.token_budget import TokenBudget


def test_what_is_reserved_and_used_counts_until_a_minute_after_the_end() -> None:
    budget = TokenBudget(1_000)
    hold = budget.reserve(800, 0.0)
    assert budget.ready_at(300, 1.0) == math.inf
    budget.settle(hold, 800, 5.0)
    assert budget.ready_at(300, 6.0) == 65.0
    assert budget.ready_at(300, 65.0) == 65.0


def test_a_hold_of_none_is_charged_and_a_usage_of_none_is_kept() -> None:
    budget = TokenBudget(1_000)
    budget.settle(None, 700, 0.0)
    assert budget.headroom(0.0) == pytest.approx(0.3)
    budget.settle(None, None, 0.0)
    hold = budget.reserve(200, 0.0)
    budget.settle(hold, None, 0.0)
    assert budget.headroom(0.0) == pytest.approx(0.1)
    budget.settle(budget.reserve(50, 0.0), 0, 0.0)
    assert budget.headroom(0.0) == pytest.approx(0.1)


def test_one_larger_than_the_limit_waits_for_an_empty_window() -> None:
    budget = TokenBudget(1_000)
    assert budget.ready_at(9_000, 0.0) == 0.0
    budget.settle(budget.reserve(10, 0.0), 10, 3.0)
    assert budget.ready_at(9_000, 4.0) == 63.0


@given(
    calls=st.lists(
        st.tuples(st.integers(1, 400), st.floats(0, 1), st.floats(0, 20)), min_size=1, max_size=60
    ),
    limit=st.integers(400, 2_000),
)
def test_no_minute_holds_more_than_the_limit_wherever_a_call_is_counted(
    calls: list[tuple[int, float, float]], limit: int
) -> None:
    """Of each call: the tokens reserved, the share used, the seconds it takes."""
    budget, now = TokenBudget(limit), 0.0
    running: list[tuple[float, object, int, float]] = []
    spans: list[tuple[float, float, int]] = []

    def end(until: float) -> None:
        for entry in sorted(running, key=lambda entry: entry[0]):
            if entry[0] <= until:
                running.remove(entry)
                budget.settle(entry[1], entry[2], entry[0])  # type: ignore[arg-type]
                spans.append((entry[3], entry[0], entry[2]))

    for tokens, share, seconds in calls:
        while (when := budget.ready_at(tokens, now)) > now:
            first = min((entry[0] for entry in running), default=math.inf)
            now = min(when, first)
            end(now)
        running.append((now + seconds, budget.reserve(tokens, now), int(tokens * share), now))
    end(math.inf)
    assert budget.in_flight == 0, "all that was reserved is settled"
    for at in (0, 1):
        counted = sorted((span[at], span[2]) for span in spans)
        for moment, _ in counted:
            window = sum(used for when, used in counted if moment <= when < moment + 60 - 1e-9)
            assert window <= limit
    # The worst of all: each call counts where it hurts most. (60 s, but for rounding.)
    for _, moment, _ in spans:
        since = moment - 60 + 1e-9
        worst = sum(used for start, stop, used in spans if stop > since and start <= moment)
        assert worst <= limit
