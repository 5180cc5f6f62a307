"""Admission before every attempt."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from ..observers.base import ProcessingEvent
from .faults import logged_faults

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from aiolimiter import AsyncLimiter

    from ..strategies import RateLimitStrategy
    from .concurrency import AdaptiveConcurrency
    from .events import Events

_FALLBACK_COOLDOWN_SECONDS = 60.0
# A start reaches the wire a little after its permit: with exact spacing, one late start and one
# prompt one could fall into the same window. Two thousandths of 60 s allow 120 ms of that.
_SPACING_MARGIN = 1.002


def pacer(requests_per_minute: float | None) -> AsyncLimiter | None:
    """Return a limiter of one start every 60/rpm seconds, or None for no limit.

    One permit at a time: a bucket of `requests_per_minute` permits would let nearly twice as many
    start within one window.
    """
    if requests_per_minute is None:
        return None
    from aiolimiter import AsyncLimiter

    # Half a request does not start: 1.5 a minute are one in each.
    starts = math.floor(requests_per_minute) if requests_per_minute >= 1 else requests_per_minute
    return AsyncLimiter(1, 60 / starts * _SPACING_MARGIN)


class Gate:
    """Says when an attempt may start.

    In this order an attempt waits for: a place among the calls in flight (where that number is
    adaptive), the end of a pause of its scope and of a cooldown of all, its turn in the slow start
    after one, and its permit of the minute.

    Args:
        rate_limits: how long to cool down, and how slowly to start again.
        pace: the limiter of starts a minute, or None.
        concurrency: the adaptive limit on calls in flight, or None.
        events: who hears of cooldowns.

    Attributes:
        loop: the event loop it belongs to.
        epoch: how many cooldowns there were. A rate limit met by an attempt of an earlier epoch
            says nothing new, and a success of one does not end a series of hits.
    """

    def __init__(
        self,
        rate_limits: RateLimitStrategy,
        pace: AsyncLimiter | None,
        concurrency: AdaptiveConcurrency | None,
        events: Events,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._rate_limits = rate_limits
        self._pace = pace
        self._concurrency = concurrency
        self._events = events
        self._always_open = pace is None and concurrency is None
        # Each pause is the timer that ends it.
        self._scopes: dict[str | None, asyncio.TimerHandle] = {}
        self._cooling: asyncio.Task[None] | None = None
        self._slow_step: int | None = None
        self._slow_turn = 0.0
        self._consecutive = 0
        self.epoch = 0

    def admit(self, scope: str | None) -> Awaitable[None] | None:
        """Return None where the attempt may start now, else what to await first."""
        if (
            self._always_open
            and self._cooling is None
            and self._slow_step is None
            and not self._scopes
        ):
            return None
        return self._queue(scope)

    def pause(self, scope: str | None) -> Awaitable[None] | None:
        """Return None where calls of `scope` are not paused, else what to await first."""
        if self._cooling is None and scope not in self._scopes:
            return None
        return self._wait_out_pauses(scope)

    def leave(self) -> None:
        """Learn that an admitted attempt has ended."""
        if self._concurrency is not None:
            self._concurrency.leave()

    def succeeded(self, epoch: int) -> None:
        """Learn that an attempt admitted in `epoch` succeeded."""
        if epoch == self.epoch and self._cooling is None:
            self._consecutive = 0
        if self._concurrency is not None:
            self._concurrency.rise()

    def rate_limited(
        self, scope: str | None, wait_seconds: float | None, epoch: int, worker_id: int
    ) -> None:
        """Learn that an attempt admitted in `epoch` was refused.

        With `wait_seconds` the scope pauses for exactly that long. Without, all workers cool down,
        once for all that report the same burst.
        """
        if wait_seconds is not None:
            self._pause_scope(scope, wait_seconds)
        elif epoch == self.epoch and self._cooling is None:
            self._slow_down()
            self.epoch += 1
            self._consecutive += 1
            self._cooling = asyncio.create_task(self._cool_down(worker_id))

    async def aclose(self) -> None:
        """End the pauses under way."""
        while self._scopes:
            _, pause = self._scopes.popitem()
            pause.cancel()
        if self._cooling is not None:
            self._cooling.cancel()
            await asyncio.wait([self._cooling])

    @property
    def consecutive(self) -> int:
        """Cooldowns since the last success."""
        return self._consecutive

    def _pause_scope(self, scope: str | None, seconds: float) -> None:
        if seconds <= 0:
            return
        until = self.loop.time() + seconds
        current = self._scopes.get(scope)
        if current is None:
            # Later reports of the same burst lengthen the pause and say nothing more.
            self._slow_down()
        elif current.when() >= until:
            return
        else:
            current.cancel()
        self._scopes[scope] = self.loop.call_at(until, self._scopes.pop, scope)

    def _slow_down(self) -> None:
        if self._concurrency is not None:
            self._concurrency.fall()

    async def _cool_down(self, worker_id: int) -> None:
        began = self.loop.time()
        try:
            seconds = await self._cooldown_seconds(worker_id)
            await self._announce(
                ProcessingEvent.COOLDOWN_STARTED,
                worker_id=worker_id,
                duration=seconds,
                consecutive=self._consecutive,
            )
            await asyncio.sleep(seconds)
            await self._announce(
                ProcessingEvent.COOLDOWN_ENDED,
                worker_id=worker_id,
                duration=self.loop.time() - began,
            )
        finally:
            self._slow_step = 0
            self._slow_turn = 0.0
            self._cooling = None

    async def _cooldown_seconds(self, worker_id: int) -> float:
        name = type(self._rate_limits).__name__
        with logged_faults(
            "%s.on_rate_limit failed; cooling down for %g s.", name, _FALLBACK_COOLDOWN_SECONDS
        ):
            return _seconds(await self._rate_limits.on_rate_limit(worker_id, self._consecutive))
        return _FALLBACK_COOLDOWN_SECONDS

    async def _announce(self, event: ProcessingEvent, **data: object) -> None:
        if (heard := self._events.emit(event, data)) is not None:
            await heard

    async def _queue(self, scope: str | None) -> None:
        if self._concurrency is not None:
            await self._concurrency.enter()
        try:
            await self._wait_for_turn(scope)
        except BaseException:
            self.leave()
            raise

    async def _wait_for_turn(self, scope: str | None) -> None:
        while True:
            await self._wait_out_pauses(scope)
            await self._take_slow_turn()
            if self._pace is not None:
                await self._pace.acquire()
            # A pause may have begun meanwhile; a permit wasted on it is the safe side.
            if self._cooling is None and scope not in self._scopes:
                return

    async def _wait_out_pauses(self, scope: str | None) -> None:
        while True:
            if self._cooling is not None:
                await asyncio.shield(self._cooling)
            pause = self._scopes.get(scope)
            if pause is not None:
                await asyncio.sleep(pause.when() - self.loop.time())
            elif self._cooling is None:
                return

    async def _take_slow_turn(self) -> None:
        if self._slow_step is None:
            return
        delay = self._slow_delay(self._slow_step)
        if delay is not None:
            self._slow_step += 1
            self._slow_turn = max(self._slow_turn, self.loop.time()) + delay
        elif self._slow_turn <= self.loop.time():
            self._slow_step = None
            return
        # All turns may be given out and not taken yet: who comes then comes after them.
        await asyncio.sleep(self._slow_turn - self.loop.time())

    def _slow_delay(self, step: int) -> float | None:
        with logged_faults(
            "%s.should_apply_slow_start failed; starting at once.", type(self._rate_limits).__name__
        ):
            applies, delay = self._rate_limits.should_apply_slow_start(step)
            return _seconds(delay) if applies else None
        return None


def _seconds(value: float) -> float:
    seconds = float(value)
    if not math.isfinite(seconds):
        raise ValueError(f"{value!r} is no number of seconds.")
    return max(0.0, seconds)
