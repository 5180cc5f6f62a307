"""A clock that can run faster than the world's, and jump."""

from __future__ import annotations

import asyncio
import datetime
import time

from ...exceptions import ConfigurationError


class Clock:
    """Simulated time, in unix seconds. All times and waits of the simulator are its own.

    It starts at the world's time, runs `speed` times as fast, and can be moved forward by hand.
    It belongs to one event loop.

    Args:
        speed: simulated seconds in a real one; above 0.
        start: unix seconds at which it starts; None is now.
    """

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        self._speed = _checked_speed(speed)
        self._base = time.time() if start is None else start
        self._started = time.monotonic()
        self._sleepers: set[_Sleeper] = set()

    @property
    def speed(self) -> float:
        """Simulated seconds in a real one."""
        return self._speed

    def now(self) -> float:
        """Return unix seconds."""
        return self._base + (time.monotonic() - self._started) * self._speed

    async def sleep(self, seconds: float) -> None:
        """Wait for simulated seconds; ends early where the clock is moved past the end."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        await self.sleep_until(self.now() + seconds)

    async def sleep_until(self, moment: float) -> None:
        """Wait until `moment`, in unix seconds."""
        sleeper = _Sleeper(moment, asyncio.get_running_loop().create_future())
        self._sleepers.add(sleeper)
        try:
            self._arm(sleeper)
            await sleeper.woken
        finally:
            sleeper.disarm()
            self._sleepers.discard(sleeper)

    def advance(self, seconds: float) -> None:
        """Move the clock forward, and wake whoever slept until a moment that is past now.

        Raises:
            ConfigurationError: for a negative number: time does not go back.
        """
        if not 0 <= seconds < float("inf"):
            raise ConfigurationError(f"A clock is moved forward, by seconds; not by {seconds!r}.")
        self._base += seconds
        self._arm_all()

    def set_speed(self, speed: float) -> None:
        """Run at another speed from now on.

        Raises:
            ConfigurationError: for a speed that is not above 0.
        """
        checked = _checked_speed(speed)
        self._base = self.now()
        self._started = time.monotonic()
        self._speed = checked
        self._arm_all()

    def _arm_all(self) -> None:
        for sleeper in tuple(self._sleepers):
            self._arm(sleeper)

    def _arm(self, sleeper: _Sleeper) -> None:
        sleeper.disarm()
        wait = (sleeper.moment - self.now()) / self._speed
        if wait <= 0:
            sleeper.wake()
        else:
            loop = sleeper.woken.get_loop()
            sleeper.timer = loop.call_later(wait, self._arm, sleeper)


class _Sleeper:
    """Someone who waits for a moment."""

    __slots__ = ("moment", "timer", "woken")

    def __init__(self, moment: float, woken: asyncio.Future[None]) -> None:
        self.moment = moment
        self.woken = woken
        self.timer: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)

    def disarm(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def rfc3339(moment: float) -> str:
    """Return unix seconds as "2026-11-22T07:02:06.123456Z", as Anthropic and Google write it."""
    utc = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _checked_speed(speed: float) -> float:
    if not 0 < speed < float("inf"):
        raise ConfigurationError(f"speed is a number above 0, not {speed!r}.")
    return float(speed)
