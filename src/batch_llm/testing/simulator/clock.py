"""A clock that can run faster than the world's, and jump."""

from __future__ import annotations

import asyncio
import datetime
import heapq
import math
import time
from typing import Final, NamedTuple

from ...exceptions import ConfigurationError

_FEW: Final = 100


# A year before dates end, so that what expires later has one too.
_LAST_MOMENT: Final = 253_370_764_800.0


class Clock:
    """Simulated time, in unix seconds. All times and waits of the simulator are its own.

    It starts at the world's time, runs `speed` times as fast, and can be moved forward by hand.
    It belongs to one event loop; only `now` and `speed` may be read from other threads.

    Args:
        speed: simulated seconds in a real one; above 0.
        start: unix seconds at which it starts; None is now.
    """

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        base = time.time() if start is None else start
        # One value, so that another thread never reads half of a change.
        self._course = _Course(base, time.monotonic(), _checked_speed(speed))
        self._is_over = False
        self._sleepers = _Sleepers()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def speed(self) -> float:
        """Simulated seconds in a real one."""
        return self._course.speed

    def now(self) -> float:
        """Return unix seconds."""
        course = self._course
        return course.base + (time.monotonic() - course.started) * course.speed

    async def sleep(self, seconds: float) -> None:
        """Wait for simulated seconds; ends early where the clock is moved past the end."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        await self.sleep_until(self.now() + seconds)

    async def sleep_until(self, moment: float) -> None:
        """Wait until `moment`, in unix seconds."""
        if self._is_over:
            return
        woken = asyncio.get_running_loop().create_future()
        first = self._sleepers.first
        self._sleepers.add(moment, woken)
        if first is None or moment < first:
            self._wake_and_wait()
        try:
            await woken
        finally:
            if woken.cancelled():
                self._sleepers.forget_one()

    def advance(self, seconds: float) -> None:
        """Move the clock forward, and wake whoever slept until a moment that is past now.

        What they wait for next is counted from the new time.

        Raises:
            ConfigurationError: for a negative number, since time does not go back, and for a
                moment after which there are no dates.
        """
        if not 0 <= seconds < _LAST_MOMENT - self.now():
            raise ConfigurationError(
                f"A clock is moved forward, by seconds and up to the year 9999; not by {seconds!r}."
            )
        self._course = self._course._replace(base=self._course.base + seconds)
        self._wake_and_wait()

    def set_speed(self, speed: float) -> None:
        """Run at another speed from now on.

        Raises:
            ConfigurationError: for a speed that is not above 0.
        """
        checked = _checked_speed(speed)
        started = time.monotonic()
        course = self._course
        base = course.base + (started - course.started) * course.speed
        self._course = _Course(base, started, checked)
        self._wake_and_wait()

    def let_go(self) -> None:
        """End all waits, and those to come, where nobody will move this clock any more."""
        self._is_over = True
        self._sleepers.wake(math.inf)
        self._wake_and_wait()

    def _wake_and_wait(self) -> None:
        """Wake whoever has slept long enough, and wait for the next one: with one timer for all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self.now()
        self._sleepers.wake(now)
        if (first := self._sleepers.first) is not None:
            wait = (first - now) / self.speed
            self._timer = asyncio.get_running_loop().call_later(wait, self._wake_and_wait)


class _Course(NamedTuple):
    """How simulated time goes on: from `base`, where the real clock showed `started`."""

    base: float
    started: float
    speed: float


class _Sleepers:
    """Those who wait, by the moment at which they are woken; at one moment in their order."""

    def __init__(self) -> None:
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._gone = 0

    @property
    def first(self) -> float | None:
        """When the next one is to be woken; None where nobody sleeps."""
        return self._waiting[0][0] if self._waiting else None

    def add(self, moment: float, woken: asyncio.Future[None]) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (moment, self._count, woken))

    def wake(self, now: float) -> None:
        """Wake all who are due, and pass over those who are gone."""
        waiting = self._waiting
        while waiting and (waiting[0][0] <= now or waiting[0][2].done()):
            _, _, woken = heapq.heappop(waiting)
            if woken.done():
                self._gone = max(0, self._gone - 1)
            else:
                woken.set_result(None)

    def forget_one(self) -> None:
        """Note that someone is gone before their time; most of them gone, they are cleared out."""
        self._gone += 1
        if self._gone > _FEW and self._gone * 2 > len(self._waiting):
            self._waiting = [entry for entry in self._waiting if not entry[2].done()]
            heapq.heapify(self._waiting)
            self._gone = 0


def rfc3339(moment: float) -> str:
    """Return unix seconds as "2026-11-22T07:02:06.123456Z", as Anthropic and Google write it."""
    utc = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _checked_speed(speed: float) -> float:
    if not 0 < speed < float("inf"):
        raise ConfigurationError(f"speed is a number above 0, not {speed!r}.")
    return float(speed)
