"""What all scopes of a processor draw on together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .bell import Bell

if TYPE_CHECKING:
    from ...base.usage import TokenBound, TokenUsage
    from .shared_permits import SharedPermits
    from .starts import Starts
    from .token_limits import TokenLimits


class CommonLimits:
    """The limits that the user set for the processor.

    Args:
        starts: starts a minute, or None.
        tokens: tokens a minute, or None.
        shared: starts a minute of several processes, or None.

    Attributes:
        line: held by the first of those who wait; each scope sends one at a time, so that they
            take turns.
    """

    def __init__(
        self,
        starts: Starts | None,
        tokens: TokenLimits | None,
        shared: SharedPermits | None,
    ) -> None:
        self.line = asyncio.Lock()
        self._starts = starts
        self._tokens = tokens
        self._shared = shared
        self._bell = Bell()
        self._loop = asyncio.get_running_loop()

    @property
    def wants_tokens(self) -> bool:
        """Whether tokens are limited."""
        return self._tokens is not None

    async def wait(self, bound: TokenBound | None) -> None:
        """Wait until a call may start; nothing is taken."""
        while True:
            now = self._loop.time()
            when = now if self._starts is None else self._starts.ready_at(now)
            if self._tokens is not None:
                when = max(when, self._tokens.ready_at(bound, now))
            if when > now:
                await self._bell.wait_until(when)
            elif self._shared is not None and not self._shared.has_permit:
                await asyncio.sleep(await self._shared.draw())
            else:
                return

    async def start(self, bound: TokenBound | None) -> None:
        """Take what `wait` waited for; it does not wait."""
        now = self._loop.time()
        if self._starts is not None:
            await self._starts.take(now)
        if self._tokens is not None:
            self._tokens.reserve(bound, now)
        if self._shared is not None:
            self._shared.spend()

    def settle(self, bound: TokenBound | None, usage: TokenUsage | None) -> None:
        """Put the real usage in the place of what a call reserved."""
        if self._tokens is not None:
            self._tokens.settle(bound, usage, self._loop.time())
            self._bell.ring()

    def headroom(self) -> float:
        """Return the free share of the tokens."""
        return 1.0 if self._tokens is None else self._tokens.headroom(self._loop.time())

    def follow(self, earlier: CommonLimits) -> None:
        """Go on from what was started and used on another loop, of the same clock and limits."""
        if self._starts is not None and earlier._starts is not None:
            self._starts.follow(earlier._starts)
        if earlier._tokens is not None:
            self._tokens = earlier._tokens
            self._tokens.abandon(self._loop.time())
        if self._shared is not None and earlier._shared is not None:
            self._shared.follow(earlier._shared)

    async def aclose(self) -> None:
        """Close the connection to what is shared."""
        if self._shared is not None:
            await self._shared.aclose()
