"""One call ahead of the others, where it fills a cache that the others read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from .leases import Lease


class Warmups:
    """Lets the first call of each strategy with a cached prefix go alone.

    Sent together, all of the first calls would miss the cache and pay for writing it. Where the
    first one fails, the next goes alone; once one has succeeded, nobody waits any more.
    """

    __slots__ = ("_leaders", "_warm")

    def __init__(self) -> None:
        self._warm: set[Lease] = set()
        self._leaders: dict[Lease, asyncio.Future[None]] = {}

    def turn(self, lease: Lease) -> Awaitable[None] | None:
        """Return None where the call may go, else what to await before asking again."""
        if lease in self._warm:
            return None
        leader = self._leaders.get(lease)
        if leader is not None:
            # Shielded: one that is cancelled while it waits takes nothing from the others.
            return asyncio.shield(leader)
        self._leaders[lease] = asyncio.get_running_loop().create_future()
        return None

    def ended(self, lease: Lease, *, succeeded: bool) -> None:
        """Learn how a call ended, or that it was never made."""
        if succeeded:
            self._warm.add(lease)
        leader = self._leaders.pop(lease, None)
        if leader is not None and not leader.done():
            leader.set_result(None)
