"""One rate a minute, as a bucket that leaks."""

from __future__ import annotations

from typing import Final, NamedTuple

from .admission import Quota

# A float of unix seconds has no finer grain: who comes a microsecond early comes in time.
GRACE_SECONDS: Final = 1e-6

# What has shrunk to this share of itself is gone.
_LEAST_SHARE: Final = 1e-100


class Hold(NamedTuple):
    """What a call is assumed to use, until it is settled.

    Attributes:
        amount: of tokens or requests.
        period: since when the bucket was not empty; by it and `share` the bucket knows how much
            of the hold has leaked away since.
        share: what was left then of the first drop of that period.
    """

    amount: int
    period: int
    share: float


class Bucket:
    """What is used of one rate. It leaks at the rate, and holds what may be used at once.

    A use that is larger than the bucket may start when it is empty, and overfills it: on the whole
    the rate is kept.

    Args:
        per_minute: the rate.
        burst_seconds: how much it holds, in seconds of the rate; at least one unit.
        now: simulated unix seconds.
    """

    __slots__ = (
        "_at",
        "_grace",
        "_per_minute",
        "_per_second",
        "_period",
        "_share",
        "_size",
        "_used",
    )

    def __init__(self, per_minute: float, burst_seconds: float, now: float) -> None:
        self._used = self._per_second = 0.0
        self._period = 0
        self._share = 1.0
        self._at = now
        self.resize(per_minute, burst_seconds, now)

    def resize(self, per_minute: float, burst_seconds: float, now: float) -> None:
        """Take another rate; what is used counts on, up to a full bucket."""
        self._leak(now)
        self._per_minute = per_minute
        self._per_second = per_minute / 60.0
        self._size = max(1.0, self._per_second * burst_seconds)
        self._grace = self._per_second * GRACE_SECONDS
        self._shrink_to(min(self._used, self._size))

    def never_holds(self, amount: int) -> bool:
        """Return whether a use is larger than a whole minute's; one unit never is."""
        return amount > max(1.0, self._per_minute)

    def wait_seconds(self, amount: int, now: float) -> float:
        """Return the seconds until a use may start; 0 for now."""
        self._leak(now)
        excess = self._used - max(0.0, self._size - amount)
        return 0.0 if excess <= self._grace else excess / self._per_second

    def hold(self, amount: int) -> Hold:
        """Use what a call is assumed to use, until it is settled."""
        self._used += amount
        return Hold(amount, self._period, self._share)

    def settle(self, held: Hold | None, used: int, now: float) -> None:
        """Put what a call used in the place of what it held; None held nothing.

        What it held has been leaking meanwhile, like all else: of what it did not use, that part
        is given back which is still there.
        """
        self._leak(now)
        amount = 0 if held is None else held.amount
        if used >= amount or held is None:
            self._used += used - amount
        elif held.period == self._period:
            self._shrink_to(self._used - (amount - used) * self._share / held.share, leaks=False)

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
        self._shrink_to(self._used - (now - self._at) * self._per_second)
        self._at = now

    def _shrink_to(self, used: float, *, leaks: bool = True) -> None:
        """Hold so much from now on; what `leaks` goes from all that is held alike."""
        if used <= 0 or (leaks and self._share < _LEAST_SHARE):
            # Nothing that was held before has anything left in here.
            self._used = max(0.0, used)
            self._period += 1
            self._share = 1.0
            return
        if leaks and used < self._used:
            self._share *= used / self._used
        self._used = used
