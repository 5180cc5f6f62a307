"""One rate a minute, as a bucket that leaks."""

from __future__ import annotations

from typing import Final

from .admission import Quota

# A float of unix seconds has no finer grain: who comes a microsecond early comes in time.
GRACE_SECONDS: Final = 1e-6


class Bucket:
    """What is used of one rate. It leaks at the rate, and holds what may be used at once.

    A use that is larger than the bucket may start when it is empty, and overfills it: on the whole
    the rate is kept.

    Args:
        per_minute: the rate.
        burst_seconds: how much it holds, in seconds of the rate; at least one unit.
        now: simulated unix seconds.
    """

    __slots__ = ("_at", "_grace", "_per_minute", "_per_second", "_size", "_used")

    def __init__(self, per_minute: float, burst_seconds: float, now: float) -> None:
        self._used = self._per_second = 0.0
        self._at = now
        self.resize(per_minute, burst_seconds, now)

    def resize(self, per_minute: float, burst_seconds: float, now: float) -> None:
        """Take another rate; what is used counts on, up to a full bucket."""
        self._leak(now)
        self._per_minute = per_minute
        self._per_second = per_minute / 60.0
        self._size = max(1.0, self._per_second * burst_seconds)
        self._grace = self._per_second * GRACE_SECONDS
        self._used = min(self._used, self._size)

    def never_holds(self, amount: int) -> bool:
        """Return whether a use is larger than a whole minute's; one unit never is."""
        return amount > max(1.0, self._per_minute)

    def wait_seconds(self, amount: int, now: float) -> float:
        """Return the seconds until a use may start; 0 for now."""
        self._leak(now)
        excess = self._used - max(0.0, self._size - amount)
        return 0.0 if excess <= self._grace else excess / self._per_second

    def hold(self, amount: int) -> None:
        """Use what a call is assumed to use, until it is settled."""
        self._used += amount

    def settle(self, held: int, used: int, now: float) -> None:
        """Put what a call used in the place of what it held.

        What it held has been leaking meanwhile: only the difference counts.
        """
        self._leak(now)
        self._used = max(0.0, self._used + used - held)

    def is_idle(self, now: float) -> bool:
        """Return whether it is as good as new."""
        self._leak(now)
        return self._used <= self._grace

    def quota(self, now: float) -> Quota:
        """Return what is left."""
        self._leak(now)
        remaining = int(max(0.0, self._size - self._used) + self._grace)
        return Quota(max(1, round(self._per_minute)), remaining, self._used / self._per_second)

    def _leak(self, now: float) -> None:
        used = self._used - (now - self._at) * self._per_second
        self._used = max(0.0, used)
        self._at = now
