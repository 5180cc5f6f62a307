"""Batches and costs that do as they are told: for tests of code that uses them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..batch.faces.mock_provider import MockProvider
from ..batch.money.cost import CostTracker
from ..batch.seam.batch_request import BatchRequest
from ..exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..base import Job, JobResult
    from ..batch.seam.provider import BatchStatus, Provider


class MockBatchRequest(BatchRequest):
    """A batch that goes from one status to the next whenever it is asked for it.

        request = MockBatchRequest(statuses=["pending", "running", "complete"], results=[...])

    Args:
        id: its id.
        statuses: what `get_status` returns, one after the other; the last one stays.
        results: what `get_results` returns once it is complete.
        jobs: that it is of.
        provider: who has it; by default a `MockProvider`, which is not asked.

    Attributes:
        polls: how often `get_status` was called.
    """

    def __init__(
        self,
        id: str = "mock_batch",  # noqa: A002 - the contract's name
        statuses: Iterable[BatchStatus] = ("pending", "running", "complete"),
        results: Iterable[JobResult] = (),
        jobs: Iterable[Job] = (),
        provider: Provider | None = None,
    ) -> None:
        super().__init__(id, provider or MockProvider(), jobs)
        self.polls = 0
        self._next = list(statuses)
        self._results = list(results)

    def get_status(self) -> BatchStatus:
        """Go on to the next status, and return it."""
        self.polls += 1
        if self._next:
            self.status = self._next.pop(0)
        return self.status

    def get_results(self) -> list[JobResult]:
        """Return the results.

        Raises:
            InputError: while it is neither complete nor failed.
        """
        if not self.is_complete:
            raise InputError(f"The batch {self.id} is {self.status}.")
        return list(self._results)

    def set_status(self, status: BatchStatus) -> None:
        """Put it into a status, which stays."""
        self._next, self.status = [], status

    def complete(self, results: Iterable[JobResult]) -> None:
        """Let it be complete, with these results."""
        self._results = list(results)
        self.set_status("complete")

    def fail(self) -> None:
        """Let it have failed."""
        self.set_status("failed")


class MockCostTracker(CostTracker):
    """Counts costs as a `CostTracker` does, and refuses when it is told to.

    Args:
        limit_usd: the limit.
        refuses_after: how many costs it lets through; None leaves that to the limit.

    Attributes:
        asked_usd: what it was asked for, let through or not, in order.
        tracked_usd: what was spent, in order; None where that was not known.
    """

    def __init__(self, limit_usd: float | None = None, *, refuses_after: int | None = None) -> None:
        super().__init__(limit_usd)
        self.asked_usd: list[float | None] = []
        self.tracked_usd: list[float | None] = []
        self._refuses_after = refuses_after
        self._let_through = 0

    def refuse(self) -> None:
        """Let nothing more through."""
        self._refuses_after = 0

    def can_afford(self, cost_usd: float | None) -> bool:
        """Return whether `cost_usd` is let through."""
        return self._noted(cost_usd, not self._refuses() and super().can_afford(cost_usd))

    def reserve(self, estimate_usd: float | None) -> bool:
        """Reserve what is let through."""
        return self._noted(estimate_usd, not self._refuses() and super().reserve(estimate_usd))

    def track_spend(self, cost_usd: float | None) -> None:
        """Add what something cost."""
        self.tracked_usd.append(cost_usd)
        super().track_spend(cost_usd)

    def settle(self, reserved_usd: float | None, actual_usd: float | None) -> None:
        """Put what something cost in the place of what was reserved for it."""
        self.tracked_usd.append(actual_usd)
        super().settle(reserved_usd, actual_usd)

    can_proceed = can_afford
    track = track_spend

    def _refuses(self) -> bool:
        return self._refuses_after is not None and self._let_through >= self._refuses_after

    def _noted(self, cost_usd: float | None, lets_through: bool) -> bool:
        self.asked_usd.append(cost_usd)
        self._let_through += lets_through
        return lets_through
