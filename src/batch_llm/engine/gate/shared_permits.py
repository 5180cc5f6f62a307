"""Starts a minute of several processes together, counted in Redis."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from typing import TYPE_CHECKING, Final

from ...exceptions import MissingExtraError

if TYPE_CHECKING:
    from ...core.config import SharedLimits

logger = logging.getLogger("batch_llm")

_PREFIX: Final = "batch-llm"
_MINUTE_SECONDS: Final = 60
_LIFE_SECONDS: Final = 1
_ANSWER_SECONDS: Final = 5.0
_LONGEST_OUTAGE_WAIT_SECONDS: Final = 10.0


class SharedPermits:
    """Permits to start, drawn from Redis in blocks and spent one by one.

    A block is about what a second allows, and its permits live for a second: those that are not
    spent by then are lost. A start may so come up to a second after it was counted; therefore
    windows of 60 seconds and that second are counted, and no 60 seconds hold more starts than
    allowed, over all processes. Their clocks must agree to well under a second.

    Where Redis does not answer, nothing starts: a warning says so once, and it is asked again after
    a second, then more, at most ten. Deadlines of items and runs hold meanwhile.

    Args:
        settings: where Redis is, and what is allowed.

    Raises:
        MissingExtraError: if `limits` or `redis` is not installed.
    """

    def __init__(self, settings: SharedLimits) -> None:
        try:
            from limits.aio.storage import RedisStorage
            from redis.asyncio import ConnectionPool
            from redis.exceptions import RedisError
        except ImportError as error:
            raise MissingExtraError("Limits shared by processes", "redis") from error
        self._name = settings.name
        self._most = settings.requests_per_minute
        self._block = max(1, self._most * _LIFE_SECONDS // _MINUTE_SECONDS)
        self._pool = ConnectionPool.from_url(
            settings.url, socket_timeout=_ANSWER_SECONDS, socket_connect_timeout=_ANSWER_SECONDS
        )
        self._storage = RedisStorage(
            settings.url,
            implementation="redispy",
            key_prefix=_PREFIX,
            connection_pool=self._pool,  # type: ignore[arg-type]  # documented, and not typed
        )
        self._failures = (RedisError, OSError, TimeoutError)
        self._now = asyncio.get_running_loop().time
        self._permits: deque[float] = deque()
        self._outages = 0

    @property
    def has_permit(self) -> bool:
        """Whether a start may be made now."""
        now = self._now()
        while self._permits and self._permits[0] <= now:
            self._permits.popleft()
        return bool(self._permits)

    def follow(self, earlier: SharedPermits) -> None:
        """Go on with the permits drawn on another loop, of the same clock; not its connections."""
        self._permits.extend(earlier._permits)
        self._outages = earlier._outages

    def spend(self) -> None:
        """Make a start."""
        self._permits.popleft()

    async def draw(self) -> float:
        """Ask for a block of permits; return the seconds to wait before the next time, if any."""
        # Their life begins before Redis counts them, and so before the moment it counts them at.
        expires = self._now() + _LIFE_SECONDS
        try:
            drawn = await self._drawn()
        except self._failures as error:
            return self._wait_after(error)
        if self._outages:
            logger.warning("Redis answers again: the shared limits %r go on.", self._name)
            self._outages = 0
        self._permits.extend([expires] * drawn)
        # Others wait for the same moment: they come one after the other.
        return 0.0 if drawn else random.uniform(0.2, 1.0)  # noqa: S311 - no secret hangs on it

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    async def _drawn(self) -> int:
        window = _MINUTE_SECONDS + _LIFE_SECONDS
        for amount in dict.fromkeys((self._block, 1)):
            if await self._storage.acquire_entry(self._name, self._most, window, amount):
                return amount
        return 0

    def _wait_after(self, error: Exception) -> float:
        self._outages += 1
        if self._outages == 1:
            logger.warning(
                "Redis does not answer (%s): calls under the shared limits %r wait until it does.",
                type(error).__name__,
                self._name,
            )
        return min(float(self._outages), _LONGEST_OUTAGE_WAIT_SECONDS)
