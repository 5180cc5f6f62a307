"""One pool of connections for each event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import Generic, TypeVar

P = TypeVar("P")


class LoopPools(Generic[P]):
    """The pools of one transport: a connection serves the event loop that opened it, and no other.

    Loops may run in several threads at once.
    """

    def __init__(self) -> None:
        self._pools: dict[asyncio.AbstractEventLoop, P] = {}
        # Taken where a pool comes or goes, and not for every request.
        self._lock = threading.Lock()

    def get(self) -> P | None:
        """Return the pool of the running loop, if there is one."""
        return self._pools.get(asyncio.get_running_loop())

    def add(self, pool: P) -> P:
        """Keep `pool` for the running loop, and return it."""
        with self._lock:
            self._pools[asyncio.get_running_loop()] = pool
        return pool

    def take(self) -> P | None:
        """Return the pool of the running loop for its close, if there is one."""
        with self._lock:
            return self._pools.pop(asyncio.get_running_loop(), None)

    def take_dead(self) -> list[P]:
        """Return the pools of loops that are closed: no one else will let go of them."""
        with self._lock:
            return [self._pools.pop(loop) for loop in list(self._pools) if loop.is_closed()]
