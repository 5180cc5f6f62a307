"""Providers that exist on a virtual clock: what they take, and how they say no."""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from typing import TYPE_CHECKING, Any

from batch_llm import RateLimitedError

from .standins import Model, now

if TYPE_CHECKING:
    from collections.abc import Callable


class Bucket(Model):
    """Takes a rate of starts, from a bucket that fills up; refuses the others.

    Args:
        per_second: the rate; may be changed at any time.
        burst: what the bucket holds.
        mean_seconds: of a call that is answered; latencies are lognormal.
        retry_after: seconds it asks to wait, of the seconds until there is a place.
        headers: told with every reply.
    """

    def __init__(
        self,
        per_second: float,
        *,
        burst: float = 10.0,
        mean_seconds: float = 0.5,
        retry_after: Callable[[float], float | None] = lambda lack: math.ceil(lack * 1000) / 1000,
        spread: float = 0.5,
        seed: int = 0,
        scope: str | None = "bucket",
    ) -> None:
        super().__init__()
        self.per_second = per_second
        self.burst = burst
        self.quota_scope = scope
        self.answered: list[float] = []
        self.refused: list[float] = []
        self._retry_after = retry_after
        self._left = burst
        self._at = 0.0
        self._latency = lognormal(mean_seconds, spread, seed)

    def free(self) -> float:
        self._left = min(self.burst, self._left + (now() - self._at) * self.per_second)
        self._at = now()
        return self._left

    async def execute(self, prompt: Any, attempt: int, timeout: float, state: Any = None) -> Any:
        self.starts.append(now())
        if self.free() < 1:
            lack = (1 - self._left) / self.per_second
            self.refused.append(now())
            await asyncio.sleep(0.02)
            raise RateLimitedError(
                "slow down", status_code=429, retry_after=self._retry_after(lack)
            )
        self._left -= 1
        await asyncio.sleep(self._latency())
        self.answered.append(now())
        return prompt, {}


class Slots(Model):
    """Refuses nothing: it works on so many calls at once, and the others queue.

    Args:
        slots: calls that run at once; may be changed at any time.
        mean_seconds: of a call that runs alone; latencies are lognormal.
        slowdown: with all slots taken a call takes 1 + `slowdown` times as long.
    """

    def __init__(
        self,
        slots: int,
        *,
        mean_seconds: float = 0.5,
        slowdown: float = 1.0,
        spread: float = 0.5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.quota_scope = "slots"
        self.slots = slots
        self.slowdown = slowdown
        self.mean_seconds = mean_seconds
        self.answered: list[float] = []
        self.present: list[tuple[float, int]] = []
        self._running = 0
        self._queue: deque[asyncio.Future[None]] = deque()
        self._latency = lognormal(mean_seconds, spread, seed)

    @property
    def best(self) -> float:
        """Answers a second, at the best."""
        return self.slots / (self.mean_seconds * (1 + self.slowdown))

    async def execute(self, prompt: Any, attempt: int, timeout: float, state: Any = None) -> Any:
        self.starts.append(now())
        self.present.append((now(), self._running + len(self._queue) + 1))
        if self._running >= self.slots:
            place = asyncio.get_running_loop().create_future()
            self._queue.append(place)
            await place
        self._running += 1
        try:
            await asyncio.sleep(self._latency() * (1 + self.slowdown * self._running / self.slots))
        finally:
            self._running -= 1
            while self._queue and self._running < self.slots:
                place = self._queue.popleft()
                if not place.done():
                    place.set_result(None)
                    break
        self.answered.append(now())
        return prompt, {}


def lognormal(mean: float, spread: float, seed: int) -> Callable[[], float]:
    """Return a source of latencies whose standard deviation is `spread` times the mean."""
    chance = random.Random(seed)
    sigma = math.sqrt(math.log(1 + spread * spread))
    centre = math.log(mean) - sigma * sigma / 2
    return lambda: chance.lognormvariate(centre, sigma)


def within(times: list[float], since: float, until: float) -> int:
    """Return how many of the times lie in [since, until)."""
    return sum(since <= moment < until for moment in times)
