"""Wakes the one who waits for something to change."""

from __future__ import annotations

import asyncio
import math


class Bell:
    """Rung when a wait may be over, by what happens or by the clock. One waits at a time."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake who waits."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def wait_until(self, when: float) -> None:
        """Wait for a ring, or for the loop's time `when`; inf is for a ring alone."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = None if math.isinf(when) else loop.call_at(when, self.ring)
        try:
            await self._waiting
        finally:
            self._waiting = None
            if timer is not None:
                timer.cancel()
