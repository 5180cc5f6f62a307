"""What a run has cost, and what it may still cost."""

from __future__ import annotations

import threading
from typing import TypedDict

from ...pricing import Spending


class CostStats(TypedDict):
    """The sums of a run in USD.

    `used_usd` is what jobs have cost, `reserved_usd` what those in flight may cost at most,
    `held_usd` what jobs may have cost of which that will never be known. `unpriced` counts jobs
    whose cost is not known; `overruns` those that cost more than was reserved for them.
    """

    limit_usd: float | None
    used_usd: float
    reserved_usd: float
    held_usd: float
    remaining_usd: float | None
    unpriced: int
    overruns: int


class CostTracker:
    """Counts what jobs cost, and keeps a limit in USD. Any thread may use it.

    Before jobs are submitted, the most that they can cost is reserved. Afterwards that is settled
    with what they did cost, held for good if that will never be known, or released if they cost
    nothing. What is used, held and reserved together never exceeds the limit.

    What is not known is None, and never 0: under a limit, an estimate of None is refused. Once a
    cost is not known, or exceeds what was reserved for it, nothing more is let through: the limit
    could not be told to hold.

    Args:
        limit_usd: the limit; None sets none, and everything is let through.
        used_usd: used before, by earlier runs that count towards it.
        held_usd: held before.

    Raises:
        ValueError: for an amount that is negative or no number, here and in all methods.
    """

    def __init__(
        self, limit_usd: float | None = None, *, used_usd: float = 0.0, held_usd: float = 0.0
    ) -> None:
        self._sums = Spending(limit_usd, used_usd, held_usd)
        self._limit_usd = limit_usd
        self._unpriced = 0
        self._lock = threading.Lock()

    @property
    def limit_usd(self) -> float | None:
        """The limit."""
        return self._limit_usd

    @property
    def used_usd(self) -> float:
        """What jobs have cost."""
        with self._lock:
            return self._sums.spent_usd

    def can_afford(self, cost_usd: float | None) -> bool:
        """Return whether `cost_usd` would be let through now. To submit, `reserve` it."""
        with self._lock:
            return self._lets_through(cost_usd)

    def track_spend(self, cost_usd: float | None) -> None:
        """Add what something cost for which nothing was reserved; None where that is not known."""
        with self._lock:
            if cost_usd is None:
                self._unpriced += 1
            else:
                self._sums.spend(cost_usd)

    def reserve(self, estimate_usd: float | None) -> bool:
        """Reserve the most that jobs can cost, if it fits; return whether it is done."""
        with self._lock:
            return self._lets_through(estimate_usd) and self._sums.reserve(estimate_usd or 0.0)

    def settle(self, reserved_usd: float | None, actual_usd: float | None) -> None:
        """Put what jobs did cost in the place of what was reserved for them.

        Args:
            reserved_usd: what was reserved.
            actual_usd: what they cost; None, where that is not known, holds what was reserved.
        """
        with self._lock:
            if actual_usd is not None:
                self._sums.settle(reserved_usd or 0.0, actual_usd)
                return
            self._sums.hold(reserved_usd or 0.0)
            if reserved_usd is None:
                self._unpriced += 1

    def hold(self, reserved_usd: float | None) -> None:
        """Keep what was reserved for jobs that may have cost as much: nobody will know."""
        self.settle(reserved_usd, None)

    def release(self, reserved_usd: float | None) -> None:
        """Give back what was reserved for jobs that cost nothing."""
        with self._lock:
            self._sums.release(reserved_usd or 0.0)

    def remaining(self) -> float | None:
        """Return what may still be reserved; None without a limit."""
        with self._lock:
            return self._remaining()

    def get_stats(self) -> CostStats:
        """Return all sums, as they were at one moment."""
        with self._lock:
            return CostStats(
                limit_usd=self._limit_usd,
                used_usd=self._sums.spent_usd,
                reserved_usd=self._sums.open_usd,
                held_usd=self._sums.held_usd,
                remaining_usd=self._remaining(),
                unpriced=self._unpriced,
                overruns=self._sums.overruns,
            )

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={value!r}" for name, value in self.get_stats().items())
        return f"CostTracker({told})"

    can_proceed = can_afford
    track = track_spend

    def _lets_through(self, cost_usd: float | None) -> bool:
        if self._limit_usd is None:
            return True
        return cost_usd is not None and not self._unpriced and self._sums.has_room(cost_usd)

    def _remaining(self) -> float | None:
        is_unknown = self._unpriced and self._limit_usd is not None
        return 0.0 if is_unknown else self._sums.left_usd
