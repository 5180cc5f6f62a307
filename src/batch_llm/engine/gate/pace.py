"""The distance between the starts of one scope."""

from __future__ import annotations

from typing import Final

# A timer may be late by so much; the starts that it made late are caught up with.
_LATE_SECONDS: Final = 0.02
# After a Retry-After, so many start at once: a handful is no burst.
_AT_ONCE: Final = 10
_RAMP_SHARE: Final = 0.1


class Pace:
    """Spaces starts out by a rate that may change, and for a moment after a pause.

    All who were refused wait for the end of the same pause. That they do not return in one burst,
    and are refused once more, those beyond a handful are spread over a tenth of the time that was
    asked for, or less where the rate before allows it.

    Attributes:
        rate: starts a second, or None.
    """

    __slots__ = ("_due", "_ramp_ends", "_ramp_rate", "_resumed", "rate")

    def __init__(self) -> None:
        self.rate: float | None = None
        self._due = 0.0
        self._ramp_ends = 0.0
        self._ramp_rate = 0.0
        self._resumed = 0

    def ready_at(self, now: float) -> float:
        """Return when the next may start, `now` at the earliest."""
        return max(now, self._due)

    def start(self, rate: float | None, waiting: int, now: float) -> bool:
        """Space the next start out from one made now; return whether this one had to wait.

        Args:
            rate: starts a second, or None for no limit.
            waiting: how many wait, this one included.
            now: the loop's time.
        """
        has_waited = self.rate is not None and now - self._due < _LATE_SECONDS
        self.rate = rate
        if rate is not None:
            self._due = max(self._due, now - _LATE_SECONDS) + 1 / rate
        elif now < self._ramp_ends:
            self._resumed += 1
            if self._resumed >= _AT_ONCE:
                spread = (self._ramp_ends - now) / max(1, waiting)
                self._due = now + min(spread, 1 / self._ramp_rate)
        else:
            self._due = 0.0
        return has_waited

    def resume(self, when: float, waited_seconds: float, rate_before: float) -> None:
        """Expect the end of a pause."""
        self._ramp_ends = when + _RAMP_SHARE * waited_seconds
        self._ramp_rate = max(rate_before, 1e-3)
        self._resumed = 0
