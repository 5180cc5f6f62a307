"""Batches and costs that do as they are told."""

from __future__ import annotations

import pytest

from batch_llm import JobResult
from batch_llm.testing import MockBatchRequest, MockCostTracker, MockProvider


def test_a_request_goes_through_its_statuses() -> None:
    request = MockBatchRequest(results=[JobResult("a", "text")])
    assert request.status == "pending"
    with pytest.raises(ValueError, match="is pending"):
        request.get_results()
    assert [request.get_status() for _ in range(4)] == [
        "pending", "running", "complete", "complete",
    ]  # fmt: skip
    assert request.polls == 4
    assert request.get_results() == [JobResult("a", "text")]
    assert isinstance(request.provider, MockProvider)


def test_a_request_is_put_into_a_status() -> None:
    request = MockBatchRequest(statuses=["running", "failed"])
    request.complete([JobResult("a")])
    assert request.get_status() == "complete"
    assert request.get_results() == [JobResult("a")]
    request.fail()
    assert (request.get_status(), request.is_complete) == ("failed", True)


def test_a_tracker_counts_as_the_real_one_does() -> None:
    tracker = MockCostTracker(1.0)
    assert tracker.reserve(0.75) is True
    assert tracker.can_proceed(0.5) is False
    tracker.settle(0.75, 0.25)
    assert tracker.can_afford(0.5) is True
    tracker.track(0.5)
    assert tracker.asked_usd == [0.75, 0.5, 0.5]
    assert tracker.tracked_usd == [0.25, 0.5]
    assert tracker.used_usd == 0.75


def test_a_tracker_refuses_when_it_is_told_to() -> None:
    tracker = MockCostTracker(refuses_after=2)
    assert [tracker.reserve(0.1) for _ in range(3)] == [True, True, False]
    again = MockCostTracker()
    assert again.can_proceed(1e9) is True
    again.refuse()
    assert again.can_proceed(0.0) is False
    assert again.reserve(0.0) is False
