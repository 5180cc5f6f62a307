"""A second, equal call where the first one takes long."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..core import HedgeConfig

T = TypeVar("T")

_REMEMBERED: Final = 200
_FEWEST: Final = 20
_LATE: Final = 0.95
# So much longer than that, lest calls of equal length be late half of the time.
_MARGIN: Final = 1.1


class Hedging:
    """Says when a call is late, and how many second calls may still be made.

    Args:
        config: the user's settings.
    """

    __slots__ = ("_durations", "_late_seconds", "_most", "_settings", "calls", "extra")

    def __init__(self, config: HedgeConfig) -> None:
        self._settings = config
        self._most = config.max_extra_percent / 100
        self._durations: deque[float] = deque(maxlen=_REMEMBERED)
        self._late_seconds: float | None = None
        self.calls = 0
        self.extra = 0

    def took(self, seconds: float) -> None:
        """Learn how long a call took that succeeded."""
        self.calls += 1
        if self._settings.after_seconds is None:
            self._durations.append(seconds)
            if self.calls % _FEWEST == 0:
                ordered = sorted(self._durations)
                self._late_seconds = ordered[int(len(ordered) * _LATE)] * _MARGIN

    @property
    def late_seconds(self) -> float | None:
        """How long a call may take before a second one is made; None while that is not known."""
        fixed = self._settings.after_seconds
        return self._late_seconds if fixed is None else fixed

    def take_second(self) -> bool:
        """Return whether one more second call stays within the share of all calls, and count it."""
        if self.extra + 1 > self.calls * self._most:
            return False
        self.extra += 1
        return True


async def first_answer(
    first: Callable[[], Coroutine[Any, Any, T]],
    late_seconds: float,
    may_have_second: Callable[[], bool],
    second: Callable[[], Coroutine[Any, Any, T]],
) -> T:
    """Return the first answer of up to two calls; the other one is cut off.

    Args:
        first: makes the first call.
        late_seconds: how long to wait for it alone.
        may_have_second: asked then.
        second: makes the second call.

    Raises:
        Exception: what the first call failed with, where none answered.
    """
    calls = [asyncio.create_task(first())]
    try:
        await asyncio.wait(calls, timeout=late_seconds)
        if not calls[0].done() and may_have_second():
            calls.append(asyncio.create_task(second()))
        return await _first_of(calls)
    finally:
        await _cut_off(calls)
        for task in calls:
            if not task.cancelled():
                task.exception()  # fetched, so that asyncio does not log the loser's


async def _first_of(calls: list[asyncio.Task[T]]) -> T:
    pending = set(calls)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if _has_answered(task):
                return task.result()
    return calls[0].result()


def _has_answered(task: asyncio.Task[Any]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is None


async def _cut_off(calls: list[asyncio.Task[T]]) -> None:
    """Cancel what still runs, and wait for its end, however often that is cancelled itself."""
    cancelled: asyncio.CancelledError | None = None
    for task in calls:
        task.cancel()
    while left := [task for task in calls if not task.done()]:
        try:
            await asyncio.wait(left)
        except asyncio.CancelledError as error:
            # Whoever cancels again wants no clean-up, and is heard once no call is left behind.
            cancelled = error
            for task in left:
                task.cancel()
    if cancelled is not None:
        raise cancelled
