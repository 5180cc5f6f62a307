"""The pause of all, and the slow start after it."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from ...observers.base import ProcessingEvent
from ..faults import logged_faults

if TYPE_CHECKING:
    from ...strategies import RateLimitStrategy
    from ..events import Events

_FALLBACK_COOLDOWN_SECONDS = 60.0


class Cooldown:
    """What follows a rate limit that names no time.

    Args:
        rate_limits: how long to cool down, and how slowly to start again.
        events: who hears of it.

    Attributes:
        task: the pause under way, or None.
        epoch: how many there were.
        consecutive: how many began since the admission of the last call that succeeded.
    """

    def __init__(self, rate_limits: RateLimitStrategy, events: Events) -> None:
        self._rate_limits = rate_limits
        self._events = events
        self.task: asyncio.Task[None] | None = None
        self.epoch = 0
        self.consecutive = 0
        # Of the pause under way or the last one: whose refusal began it, since when and until when.
        self._worker_id = 0
        self._began = 0.0
        self._until = -math.inf
        # The number of the next call of the slow start, and when it may start, once asked for.
        self._step: int | None = None
        self._turn: float | None = None
        self._last_turn = 0.0

    @property
    def is_over(self) -> bool:
        """Whether calls start as they come."""
        return self.task is None and self._step is None

    def begin(self, worker_id: int) -> None:
        """Pause all."""
        self.epoch += 1
        self.consecutive += 1
        self._worker_id = worker_id
        self._began = asyncio.get_running_loop().time()
        self.task = asyncio.create_task(self._cool_down())

    def succeeded(self, epoch: int) -> None:
        """Learn that a call admitted in `epoch` succeeded: the series of hits begins after that.

        Refusals come back sooner than answers: most of those to the calls beside a refused one
        arrive in the pause that it began.
        """
        self.consecutive = min(self.consecutive, self.epoch - epoch)

    def follow(self, earlier: Cooldown) -> None:
        """Go on from one on another loop, of the same clock; a pause cut off with it goes on."""
        self.epoch, self.consecutive = earlier.epoch, earlier.consecutive
        self._worker_id = earlier._worker_id
        self._began, self._until = earlier._began, earlier._until
        self._step, self._turn = earlier._step, earlier._turn
        self._last_turn = earlier._last_turn
        seconds = self._until - asyncio.get_running_loop().time()
        if seconds > 0:
            self.task = asyncio.create_task(self._cool_on(seconds))

    def ready_at(self, now: float) -> float:
        """Return when the next call of the slow start may start: its turn, or at once."""
        if self._step is None:
            return now
        if self._turn is None:
            delay = self._delay(self._step)
            if delay is None:
                self._step = None
                return now
            self._turn = max(self._last_turn, now) + delay
        return self._turn

    def started(self) -> None:
        """Learn that a call has started: the next turn is another's."""
        if self._step is not None and self._turn is not None:
            self._step += 1
            self._last_turn = self._turn
            self._turn = None

    async def aclose(self) -> None:
        """End the pause under way."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])

    async def _cool_down(self) -> None:
        try:
            seconds = await self._seconds(self._worker_id)
            await self._announce(
                ProcessingEvent.COOLDOWN_STARTED,
                worker_id=self._worker_id,
                duration=seconds,
                consecutive=self.consecutive,
            )
            self._until = asyncio.get_running_loop().time() + seconds
            await self._wait_out(seconds)
        finally:
            self._start_slowly()

    async def _cool_on(self, seconds: float) -> None:
        try:
            await self._wait_out(seconds)
        finally:
            self._start_slowly()

    async def _wait_out(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._announce(
            ProcessingEvent.COOLDOWN_ENDED,
            worker_id=self._worker_id,
            duration=asyncio.get_running_loop().time() - self._began,
        )

    def _start_slowly(self) -> None:
        self._step = 0
        self._turn = None
        self._last_turn = 0.0
        self.task = None

    async def _seconds(self, worker_id: int) -> float:
        name = type(self._rate_limits).__name__
        with logged_faults(
            "%s.on_rate_limit failed; cooling down for %g s.", name, _FALLBACK_COOLDOWN_SECONDS
        ):
            return _checked(await self._rate_limits.on_rate_limit(worker_id, self.consecutive))
        return _FALLBACK_COOLDOWN_SECONDS

    def _delay(self, step: int) -> float | None:
        with logged_faults(
            "%s.should_apply_slow_start failed; starting at once.", type(self._rate_limits).__name__
        ):
            applies, delay = self._rate_limits.should_apply_slow_start(step)
            return _checked(delay) if applies else None
        return None

    async def _announce(self, event: ProcessingEvent, **data: object) -> None:
        if (heard := self._events.emit(event, data)) is not None:
            await heard


def _checked(value: float) -> float:
    seconds = float(value)
    if not math.isfinite(seconds):
        raise ValueError(f"{value!r} is no number of seconds.")
    return max(0.0, seconds)
