"""The limits in force, and what is used of them."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from .admission import Admission
from .allowance import Allowance
from .enqueued import EnqueuedTokens
from .limit import Limit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..call import ModelCall, Usage
    from ..clock import Clock
    from .enqueued import Scope

_NO_LIMIT: Final = Limit()
_FEW: Final = 1_000


class Limits:
    """Decides which calls may start. It belongs to one event loop.

    It counts by provider, model and key, and forgets those that have used nothing of late.

    Args:
        clock: simulated time.
        limits: in force from the start, or from their `after_seconds` on.
    """

    def __init__(self, clock: Clock, limits: Iterable[Limit] = ()) -> None:
        self._clock = clock
        self._allowances: dict[Scope, Allowance] = {}
        self._look_for_idle_at = _FEW
        self._enqueued = EnqueuedTokens()
        self.set(limits)

    # --- which are in force ----------------------------------------------------------------

    def set(self, limits: Iterable[Limit]) -> None:
        """Put other limits into force; what was used of the old ones counts on.

        A lower limit is at most used up: who used far more does not pay for that for hours. A
        limit on something that had none before begins unused.
        """
        now = self._clock.now()
        self._scheduled = tuple((now + limit.after_seconds, limit) for limit in limits)
        self._put_into_force(now)

    def in_force(self) -> tuple[Limit, ...]:
        """Return the limits of this moment; the first that fits a call counts."""
        self._now()
        return self._limits

    def _now(self) -> float:
        """Return the moment, with the limits in force that are due by then."""
        now = self._clock.now()
        while now >= self._next_change_at:
            self._put_into_force(self._next_change_at)
        return now

    def _put_into_force(self, moment: float) -> None:
        due = [(begins, limit) for begins, limit in self._scheduled if begins <= moment]
        due.sort(key=lambda each: -each[0])
        self._limits = tuple(limit for _, limit in due)
        later = (begins for begins, _ in self._scheduled if begins > moment)
        self._next_change_at = min(later, default=inf)
        for scope, allowance in self._allowances.items():
            allowance.put_into_force(self._limit_of(scope) or _NO_LIMIT, moment)
        self._forget_idle(moment)

    def _limit_of(self, scope: Scope) -> Limit | None:
        return next((limit for limit in self._limits if limit.fits(*scope)), None)

    # --- live calls ------------------------------------------------------------------------

    def admit(self, call: ModelCall) -> Admission:
        """Let a call start, and count it; or say which limit it exceeds, and count nothing."""
        if not self._scheduled:
            return Admission()
        now = self._now()
        allowance = self._allowance(call, now)
        return Admission() if allowance is None else allowance.admit(call, now)

    def settle(self, call: ModelCall, usage: Usage) -> Admission:
        """Put what a call used in the place of what was assumed; return what is left."""
        if not self._scheduled:
            return Admission()
        now = self._now()
        allowance = self._allowance(call, now)
        return Admission() if allowance is None else allowance.settle(call, usage, now)

    async def serve(self, call: ModelCall, seconds: float) -> None:
        """Let a call run for its time, which grows with the calls that run beside it."""
        allowance = self._allowance(call, self._now()) if self._scheduled else None
        if allowance is not None and allowance.slots is not None:
            await allowance.slots.serve(seconds)
        elif seconds > 0:
            await self._clock.sleep(seconds)

    def _allowance(self, call: ModelCall, now: float) -> Allowance | None:
        scope = (call.provider, call.model, call.key)
        allowance = self._allowances.get(scope)
        if allowance is None and (limit := self._limit_of(scope)) is not None:
            if len(self._allowances) >= self._look_for_idle_at:
                self._forget_idle(now)
            allowance = self._allowances[scope] = Allowance(limit, self._clock, now)
        return allowance

    def _forget_idle(self, now: float) -> None:
        self._allowances = {
            scope: allowance
            for scope, allowance in self._allowances.items()
            if not allowance.is_idle(now)
        }
        self._look_for_idle_at = max(_FEW, 2 * len(self._allowances))

    # --- batches ---------------------------------------------------------------------------

    def enqueue(self, provider: str, model: str, key: str, batch: str, tokens: int) -> int | None:
        """Count a batch's tokens until `dequeue`; return the limit where they exceed it."""
        self._now()
        scope = (provider, model, key)
        limit = self._limit_of(scope)
        allowed = None if limit is None else limit.enqueued_tokens
        return None if self._enqueued.add(batch, scope, tokens, allowed) else allowed

    def dequeue(self, batch: str) -> None:
        """Count a batch's tokens no more; nothing happens where it is not counted."""
        self._enqueued.remove(batch)
