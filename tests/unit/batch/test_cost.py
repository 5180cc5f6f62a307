"""The sums of a run: exact, thread-safe, and refusing what is not known."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from batch_llm.batch import CostTracker
from batch_llm.batch.money import cost
from batch_llm.pricing import Spending


def test_what_is_reserved_is_settled_held_or_released() -> None:
    tracker = CostTracker(1.0, used_usd=0.1, held_usd=0.1)
    assert tracker.reserve(0.3)
    assert tracker.reserve(0.3)
    assert tracker.reserve(0.2)
    assert not tracker.reserve(0.1)
    tracker.settle(0.3, 0.1)
    tracker.hold(0.3)
    tracker.release(0.2)
    assert tracker.get_stats() == {
        "limit_usd": 1.0,
        "used_usd": pytest.approx(0.2),
        "reserved_usd": 0.0,
        "held_usd": pytest.approx(0.4),
        "remaining_usd": pytest.approx(0.4),
        "unpriced": 0,
        "overruns": 0,
    }
    assert tracker.remaining() == pytest.approx(0.4)
    assert tracker.used_usd == pytest.approx(0.2)


def test_a_reservation_may_be_settled_in_parts() -> None:
    tracker = CostTracker(1.0)
    parts = [0.1 / 3] * 30
    assert tracker.reserve(sum(parts))
    for part in parts:
        tracker.settle(part, part / 2)
    assert tracker.get_stats()["reserved_usd"] == pytest.approx(0)
    assert tracker.used_usd == pytest.approx(0.5)


def test_both_pairs_of_names_are_one() -> None:
    tracker = CostTracker(limit_usd=1.0)
    assert tracker.can_afford(1.0)
    assert tracker.can_proceed(1.0)
    tracker.track(0.4)
    tracker.track_spend(0.4)
    assert tracker.used_usd == pytest.approx(0.8)
    assert not tracker.can_proceed(0.3)
    assert tracker.limit_usd == 1.0


def test_without_a_limit_everything_is_let_through_and_counted() -> None:
    tracker = CostTracker()
    assert tracker.can_afford(None)
    assert tracker.reserve(None)
    tracker.settle(None, 3.0)
    assert tracker.reserve(1.0)
    tracker.settle(1.0, 2.0)
    assert tracker.reserve(None)
    tracker.hold(None)
    assert tracker.remaining() is None
    assert tracker.reserve(1e9)
    stats = tracker.get_stats()
    assert (stats["used_usd"], stats["unpriced"], stats["overruns"]) == (5.0, 1, 0)


def test_an_estimate_that_is_not_known_refuses_a_limit() -> None:
    tracker = CostTracker(1_000.0)
    assert not tracker.can_afford(None)
    assert not tracker.reserve(None)


def test_once_a_cost_is_not_known_the_limit_lets_nothing_through() -> None:
    tracker = CostTracker(1_000.0)
    tracker.track_spend(None)
    assert not tracker.reserve(0.01)
    assert tracker.remaining() == 0.0


def test_a_cost_that_never_comes_holds_what_was_reserved() -> None:
    tracker = CostTracker(1.0)
    assert tracker.reserve(0.6)
    tracker.settle(0.6, None)
    assert tracker.remaining() == pytest.approx(0.4)
    assert tracker.can_afford(0.4)
    assert tracker.get_stats()["unpriced"] == 0


def test_a_cost_above_its_bound_closes_the_limit(caplog: pytest.LogCaptureFixture) -> None:
    tracker = CostTracker(10.0)
    assert tracker.reserve(1.0)
    tracker.settle(1.0, 1.5)
    assert not tracker.can_afford(0.01)
    assert tracker.remaining() == 0.0
    assert tracker.get_stats()["overruns"] == 1
    assert "its bound was wrong" in caplog.text


@pytest.mark.parametrize("amount", [-1.0, float("nan"), float("inf")])
def test_what_is_no_sum_is_refused(amount: float) -> None:
    tracker = CostTracker(1.0)
    for call in (tracker.can_afford, tracker.track_spend, tracker.reserve, CostTracker):
        with pytest.raises(ValueError, match="number from 0 up"):
            call(amount)
    with pytest.raises(ValueError, match="not reserved"):
        tracker.release(0.5)


class Yielding(Spending):
    """Lets other threads in between the look and the leap."""

    def _fits(self, units: int) -> bool:
        fits = super()._fits(units)
        time.sleep(0)
        return fits


def test_many_threads_together_do_not_pass_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "Spending", Yielding)
    tracker = CostTracker(10.0)

    def submit(_: int) -> bool:
        if not tracker.reserve(0.01):
            return False
        tracker.settle(0.01, 0.01)
        return True

    with ThreadPoolExecutor(16) as pool:
        done = sum(pool.map(submit, range(2_000)))
    assert done == 1_000
    assert tracker.used_usd == pytest.approx(10.0)


def test_it_reads_as_its_sums() -> None:
    tracker = CostTracker(2.0)
    tracker.track_spend(0.5)
    assert repr(tracker).startswith("CostTracker(limit_usd=2.0, used_usd=0.5, reserved_usd=0.0")
