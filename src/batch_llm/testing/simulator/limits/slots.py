"""Calls that run at once, and those that wait their turn."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..clock import Clock
    from .limit import Capacity


class Slots:
    """The places of one server that refuses nothing. Who comes first is served first.

    A call takes longer the more places are taken when it begins: alone it takes its own time, and
    on the last free place 1 + `slowdown` times as long, in even steps. So more calls at once are
    answered faster up to the last place; beyond, they only wait.

    Args:
        capacity: how many places, and how much slower; None takes all calls, at full speed.
        clock: simulated time.
    """

    def __init__(self, capacity: Capacity | None, clock: Clock) -> None:
        self._capacity = capacity
        self._clock = clock
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def resize(self, capacity: Capacity | None) -> None:
        """Take another capacity; calls that run go on as they do."""
        self._capacity = capacity
        self._call_next()

    def is_idle(self) -> bool:
        """Return whether no call is here: none waits where none runs."""
        return self._taken == 0

    async def serve(self, seconds: float) -> None:
        """Let a call wait its turn, and run for so long as `seconds` take here."""
        await self._take()
        try:
            await self._clock.sleep(seconds * self._slower())
        finally:
            self._leave()

    async def _take(self) -> None:
        if self._has_free():  # then none waits
            self._taken += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # its turn had come, and goes to the next
                self._leave()
            raise

    def _leave(self) -> None:
        self._taken -= 1
        self._call_next()

    def _call_next(self) -> None:
        while self._waiting and self._has_free():
            turn = self._waiting.popleft()
            if not turn.cancelled():
                self._taken += 1
                turn.set_result(None)

    def _has_free(self) -> bool:
        return self._capacity is None or self._taken < self._capacity.slots

    def _slower(self) -> float:
        """Return how many times as long a call takes that has just taken its place."""
        capacity = self._capacity
        if capacity is None or capacity.slots == 1:
            return 1.0
        share = min(1.0, (self._taken - 1) / (capacity.slots - 1))
        return 1.0 + capacity.slowdown * share
