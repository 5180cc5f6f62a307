"""One timer for all attempts of a run."""

from __future__ import annotations

import asyncio
import time
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Task, TimerHandle


class Deadlines:
    """Cancels the tasks whose attempt has run out of time.

    All attempts of a run have the same limit, so they expire in the order in which they began:
    a dictionary in that order and one timer for its first entry serve them all, at a twentieth of
    the cost of a timer each.

    Args:
        limit_seconds: how long an attempt may take.

    Attributes:
        now: the loop's clock.
    """

    __slots__ = ("_expired", "_loop", "_running", "_timer", "limit_seconds", "now")

    def __init__(self, limit_seconds: float) -> None:
        self.limit_seconds = limit_seconds
        self._loop: AbstractEventLoop = asyncio.get_running_loop()
        # asyncio's own loops tell time by time.monotonic: asking it directly takes half as long.
        is_plain = type(self._loop).time is asyncio.BaseEventLoop.time
        self.now = time.monotonic if is_plain else self._loop.time
        self._running: dict[Task[Any], float] = {}
        self._expired: set[Task[Any]] = set()
        self._timer: TimerHandle | None = None

    def begin(self, task: Task[Any], now: float) -> None:
        """Start the clock for `task`; `now` is the loop's time."""
        self._running[task] = now + self.limit_seconds
        if self._timer is None:
            self._timer = self._loop.call_at(now + self.limit_seconds, self._sweep)

    def end(self, task: Task[Any]) -> bool:
        """Stop the clock for `task`; return whether its time had run out.

        Where it had, the task was cancelled, and the caller takes that cancellation back
        (`task.uncancel()`), whether or not it was seen.
        """
        if self._running.pop(task, None) is not None:
            return False
        if task in self._expired:
            self._expired.remove(task)
            return True
        return False

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        self._timer = None
        now = self.now()
        for task in self._due(now):
            del self._running[task]
            self._expired.add(task)
            task.cancel("the attempt ran out of time")
        first = next(iter(self._running.values()), None)
        if first is not None:
            self._timer = self._loop.call_at(first, self._sweep)

    def _due(self, now: float) -> list[Task[Any]]:
        # The loop may fire a timer early, by up to its clock's resolution.
        horizon = now + 1e-6
        return [
            task for task, _ in takewhile(lambda entry: entry[1] <= horizon, self._running.items())
        ]
