"""Admission before every attempt."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Final

from .cooldown import Cooldown
from .scope import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ...base.usage import TokenBound, TokenUsage
    from ...strategies import QuotaReading, RateLimitStrategy
    from ..events import Events
    from .common import CommonLimits

# Some loops read the clock once a turn, and are behind it by as long as the turn has taken.
_BEHIND_SECONDS: Final = 5.0


class Gate:
    """Says when an attempt may start.

    First come, first served within a scope. The first in a scope's line waits until all of these
    allow a start, and takes its permits in one step, so that nothing is lost by whoever stops
    waiting: the end of a cooldown of all and its turn in the slow start after one, the end of a
    pause of its scope, a place among its calls in flight (where that number is adaptive), the
    scope's rate and tokens as told by the provider or learned from its refusals, and what the user
    allows the whole processor. The firsts of several scopes take turns at the latter.

    Args:
        rate_limits: how long to cool down, and how slowly to start again.
        events: who hears of cooldowns.
        common: what the user allows all scopes together, or None.
        is_adaptive: whether to find how many calls of a scope may be in flight.

    Attributes:
        loop: the event loop it belongs to.
        tells_common_time: whether the loop's time is that of `time.monotonic`, as with all loops
            but those of a time of their own: then moments mean the same on the next one.
    """

    def __init__(
        self,
        rate_limits: RateLimitStrategy,
        events: Events,
        *,
        common: CommonLimits | None = None,
        is_adaptive: bool = False,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self._now = self.loop.time
        self.tells_common_time = abs(self._now() - monotonic()) < _BEHIND_SECONDS
        self._cooldown = Cooldown(rate_limits, events)
        self._common = common
        self._is_adaptive = is_adaptive
        self._is_plain = common is None and not is_adaptive
        # In a plain gate, of those alone of which something was heard.
        self._scopes: dict[str | None, Scope] = {}

    # -- before an attempt

    def admit(self, scope: str | None, tokens: TokenBound | None = None) -> Awaitable[None] | None:
        """Return None where the attempt may start now, else what to await first.

        Either way it then has its place and its permits: `leave` and `settle` give them back.

        Args:
            scope: the quota it draws on.
            tokens: the most it may use, where `wants_tokens`; without, a guess is reserved.
        """
        state = self._scopes.get(scope)
        if state is None:
            if self._is_plain and self._cooldown.is_over:
                return None
            state = self._state(scope)
        if self._common is None and not state.waiting and self._cooldown.is_over:
            now = self._now()
            if state.ready_at(tokens, now) <= now:
                state.start(tokens, now)
                return None
        return self._queue(state, tokens)

    def wants_tokens(self, scope: str | None) -> bool:
        """Return whether tokens are limited, by the user or by what the provider told."""
        if self._common is not None and self._common.wants_tokens:
            return True
        state = self._scopes.get(scope)
        return state is not None and state.tokens.is_limited

    def pause(self, scope: str | None) -> Awaitable[None] | None:
        """Return None where calls of `scope` are not paused, else what to await first."""
        state = self._scopes.get(scope)
        now = self._now()
        if self._cooldown.task is None and (state is None or state.paused_until(now) <= now):
            return None
        return self._wait_out_pauses(scope)

    # -- after it

    def leave(self, scope: str | None, seconds: float) -> None:
        """Learn that an admitted attempt has ended after `seconds`, however it did."""
        state = self._scopes.get(scope)
        if state is not None:
            state.end(seconds, self._now())

    def settle(
        self, scope: str | None, reserved: TokenBound | None, usage: TokenUsage | None
    ) -> None:
        """Put the tokens that an attempt used in the place of what it reserved.

        Args:
            scope: the quota it drew on.
            reserved: what was given to `admit`.
            usage: a usage of 0 refunds all; None, where nothing is known of it, keeps all.
        """
        if self._common is not None:
            self._common.settle(reserved, usage)
        state = self._scopes.get(scope)
        if state is not None and state.tokens.is_limited:
            state.tokens.settle(reserved, usage, self._now())
            state.bell.ring()

    def succeeded(self, scope: str | None, epoch: int) -> None:
        """Learn that an attempt admitted in `epoch` succeeded; at once after its `leave`."""
        self._cooldown.succeeded(epoch)
        state = self._scopes.get(scope)
        if state is not None:
            state.succeeded(self._now())

    def rate_limited(
        self, scope: str | None, wait_seconds: float | None, epoch: int, worker_id: int
    ) -> None:
        """Learn that an attempt admitted in `epoch` was refused.

        With `wait_seconds` the scope pauses for exactly that long. Without, all workers cool down,
        once for all that report the same burst.
        """
        self._state(scope).refused(wait_seconds, self._now())
        cooldown = self._cooldown
        if wait_seconds is None and epoch == cooldown.epoch and cooldown.task is None:
            cooldown.begin(worker_id)

    def broke(self, scope: str | None) -> None:
        """Learn that an attempt found no server, or a broken one: `headroom` shows it."""
        self._state(scope).broke(self._now())

    def heard(self, scope: str | None, reading: QuotaReading) -> None:
        """Learn of the limits that a provider tells."""
        self._state(scope).heard(reading, self._now())

    # -- at any time

    def headroom(self, scope: str | None) -> float:
        """Return how free a quota is: 1 is unused, 0 used up or paused, below 0 out of order."""
        state = self._scopes.get(scope)
        free = 1.0 if state is None else state.headroom(self._now())
        if free <= 0:
            return free
        if self._cooldown.task is not None:
            return 0.0
        return free if self._common is None else min(free, self._common.headroom())

    @property
    def epoch(self) -> int:
        """How many cooldowns there were.

        A rate limit met by an attempt of an earlier epoch says nothing new, and a success of one
        leaves the cooldowns that began after its admission in the series of hits.
        """
        return self._cooldown.epoch

    @property
    def consecutive(self) -> int:
        """Cooldowns since the last success."""
        return self._cooldown.consecutive

    async def aclose(self) -> None:
        """End the pauses under way."""
        for state in self._scopes.values():
            state.resume()
        await self._cooldown.aclose()
        if self._common is not None:
            await self._common.aclose()

    def follow(self, earlier: Gate) -> None:
        """Take over what is known from the gate of another loop, whose clock is the same.

        Starts, tokens used, pauses and what was learned hold on; what waits or is in flight there
        does not come along. The earlier gate is left without any of it: a call that ends there
        late changes nothing here.
        """
        now = self._now()
        self._cooldown.follow(earlier._cooldown)
        if self._common is not None and earlier._common is not None:
            self._common.follow(earlier._common)
        self._scopes, earlier._scopes = earlier._scopes, {}
        earlier._common = None
        for state in self._scopes.values():
            state.settle_here(now)

    # -- waiting

    def _state(self, scope: str | None) -> Scope:
        state = self._scopes.get(scope)
        if state is None:
            state = Scope(is_adaptive=self._is_adaptive, now=self._now())
            self._scopes[scope] = state
        return state

    async def _queue(self, state: Scope, tokens: TokenBound | None) -> None:
        state.waiting += 1
        try:
            async with state.line:
                await self._pass(state, tokens)
        finally:
            state.waiting -= 1

    async def _pass(self, state: Scope, tokens: TokenBound | None) -> None:
        """Wait as the first of the line, and take all permits at once."""
        common = self._common
        while True:
            await self._wait_for_scope(state, tokens)
            if common is None:
                break
            async with common.line:
                await common.wait(tokens)
                # A pause may have begun meanwhile: the next in the common line goes first.
                if self._is_ready(state, tokens):
                    await common.start(tokens)
                    break
        self._cooldown.started()
        state.start(tokens, self._now())

    def _is_ready(self, state: Scope, tokens: TokenBound | None) -> bool:
        now = self._now()
        return self._cooldown.task is None and self._ready_at(state, tokens, now) <= now

    def _ready_at(self, state: Scope, tokens: TokenBound | None, now: float) -> float:
        when = state.ready_at(tokens, now)
        # No turn of a slow start is set for a call that cannot take it yet.
        return when if when > now else max(when, self._cooldown.ready_at(now))

    async def _wait_for_scope(self, state: Scope, tokens: TokenBound | None) -> None:
        while True:
            if (cooling := self._cooldown.task) is not None:
                await asyncio.wait([cooling])
                continue
            now = self._now()
            when = self._ready_at(state, tokens, now)
            if when <= now:
                return
            await state.bell.wait_until(when)

    async def _wait_out_pauses(self, scope: str | None) -> None:
        while True:
            if (cooling := self._cooldown.task) is not None:
                await asyncio.wait([cooling])
            now = self._now()
            state = self._scopes.get(scope)
            until = now if state is None else state.paused_until(now)
            if until > now:
                await asyncio.sleep(until - now)
            elif self._cooldown.task is None:
                return
