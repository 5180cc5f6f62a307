"""Whether what calls go to is out of order."""

from __future__ import annotations

from typing import Final

_FAILURES_TO_OPEN: Final = 5
_FIRST_WAIT_SECONDS: Final = 1.0
_LONGEST_WAIT_SECONDS: Final = 60.0


class Breaker:
    """Opens after failures in a row; after a wait, lets one call try, and closes if it succeeds.

    Each trial that fails doubles the wait, up to a minute. (Nygard, "Release It!", 2007, under
    "Circuit Breaker".)
    """

    __slots__ = ("_failures", "_is_tried", "_until", "_wait")

    def __init__(self) -> None:
        self._failures = 0
        self._wait = _FIRST_WAIT_SECONDS
        self._until: float | None = None
        self._is_tried = False

    def is_open(self, now: float) -> bool:
        """Return whether calls had better go elsewhere."""
        return self._until is not None and (self._is_tried or now < self._until)

    def started(self, now: float) -> None:
        """Learn of a call: where the wait is over, it is the trial."""
        if self._until is not None and now >= self._until:
            self._is_tried = True
            # Should nothing be heard of it, another may try a wait later.
            self._until = now + self._wait

    def succeeded(self) -> None:
        """Learn that a call was answered."""
        self._failures = 0
        self._wait = _FIRST_WAIT_SECONDS
        self._until = None
        self._is_tried = False

    def broke(self, now: float) -> None:
        """Learn that a call found no server, or a broken one."""
        self._failures += 1
        if self._until is None:
            if self._failures >= _FAILURES_TO_OPEN:
                self._until = now + self._wait
        elif self._is_tried:
            self._wait = min(2 * self._wait, _LONGEST_WAIT_SECONDS)
            self._until = now + self._wait
            self._is_tried = False
