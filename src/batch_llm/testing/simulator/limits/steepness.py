"""How fast the use of a model grows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bucket import GRACE_SECONDS

if TYPE_CHECKING:
    from .limit import Slope


class Steepness:
    """Compares the starts of a window of time with those of the window before.

    Windows follow one another: they do not slide.

    Args:
        slope: what is allowed.
    """

    __slots__ = ("_before", "_number", "_starts", "slope")

    def __init__(self, slope: Slope) -> None:
        self.slope = slope
        self._number = 0
        self._starts = self._before = 0

    def wait_seconds(self, now: float) -> float:
        """Return the seconds until a call may start; 0 for now."""
        self._enter(now)
        if self._starts < max(self.slope.floor, int(self._before * self.slope.factor)):
            return 0.0
        return (self._number + 1) * self.slope.window_seconds - now

    def start(self) -> None:
        """Count a start."""
        self._starts += 1

    def is_idle(self, now: float) -> bool:
        """Return whether no start is remembered that still counts."""
        self._enter(now)
        return self._starts == self._before == 0

    def _enter(self, now: float) -> None:
        """Go to the window of this moment."""
        number = int((now + GRACE_SECONDS) / self.slope.window_seconds)
        if number != self._number:
            self._before = self._starts if number == self._number + 1 else 0
            self._number, self._starts = number, 0
