"""The user's own limit on starts a minute."""

from __future__ import annotations

import math
from typing import Final

# A start reaches the wire a little after its permit: with exact spacing, one late start and one
# prompt one could fall into the same window. Two thousandths of 60 s allow 120 ms of that.
_SPACING_MARGIN: Final = 1.002
# Half of that may be caught up with by starts after one that a timer made late, and no more than a
# fifth of the distance between two.
_CAUGHT_UP_SECONDS: Final = 0.06
_CAUGHT_UP_SHARE: Final = 0.2


class Starts:
    """One start every 60/rpm seconds, kept by aiolimiter.

    A little over one permit at a time: a bucket of `requests_per_minute` permits would let nearly
    twice as many start within one window. A permit is taken only where it is there: no wait holds
    one.

    Args:
        requests_per_minute: half a request does not start, and 1.5 a minute are one in each.
    """

    def __init__(self, requests_per_minute: float) -> None:
        from aiolimiter import AsyncLimiter

        starts = (
            math.floor(requests_per_minute) if requests_per_minute >= 1 else requests_per_minute
        )
        self._interval = 60 / starts * _SPACING_MARGIN
        late = min(_CAUGHT_UP_SECONDS / self._interval, _CAUGHT_UP_SHARE)
        self._late_seconds = late * self._interval
        self._limiter = AsyncLimiter(1 + late, self._interval * (1 + late))
        self._due = -math.inf

    def ready_at(self, now: float) -> float:
        """Return when the next start may be made, `now` at the earliest."""
        if now < self._due:
            return self._due
        # What is lost in rounding is waited for as well.
        return now if self._limiter.has_capacity() else now + self._interval * 1e-6

    def follow(self, earlier: Starts) -> None:
        """Go on from the last start of those on another loop, of the same clock."""
        # Once the next start is due, all of the bucket is free, but for what may be caught up with.
        self._due = earlier._due

    async def take(self, now: float) -> None:
        """Make a start that is ready; it does not wait."""
        await self._limiter.acquire()
        is_in_time = now - self._due <= self._late_seconds
        self._due = (self._due if is_in_time else now) + self._interval
