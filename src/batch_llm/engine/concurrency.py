"""How many calls may be in flight, found by trying."""

from __future__ import annotations

import asyncio
from collections import deque

START = 20
LEAST = 4
MOST = 100
_DECREASE = 0.7


class AdaptiveConcurrency:
    """A limit on calls in flight that rises while all goes well, and falls at each rate limit.

    Additive increase, multiplicative decrease (Chiu and Jain, 1989): each success while the limit
    is in use adds 1/limit, so that a whole round adds one; a rate limit multiplies by 0.7, once
    for all calls in flight when it came. It never falls below `LEAST`, so it never stalls.

    Attributes:
        limit: calls that may be in flight now.
        in_flight: calls that are.
    """

    __slots__ = ("_waiting", "in_flight", "limit")

    def __init__(self) -> None:
        self.limit: float = START
        self.in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for a place, first come first served, and take it."""
        if not self._waiting and self.in_flight < int(self.limit):
            self.in_flight += 1
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():
                # The place was given just before the wait was cancelled: pass it on.
                self.leave()
            elif place in self._waiting:
                self._waiting.remove(place)
            raise

    def leave(self) -> None:
        """Give a place back."""
        self.in_flight -= 1
        self._hand_out()

    def rise(self) -> None:
        """Learn of a success."""
        if self.in_flight >= int(self.limit) - 1:
            self.limit = min(MOST, self.limit + 1 / self.limit)
            self._hand_out()

    def fall(self) -> None:
        """Learn of a rate limit."""
        self.limit = max(LEAST, self.limit * _DECREASE)

    def _hand_out(self) -> None:
        while self._waiting and self.in_flight < int(self.limit):
            place = self._waiting.popleft()
            if not place.done():
                self.in_flight += 1
                place.set_result(None)
