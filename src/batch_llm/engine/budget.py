"""A limit in USD that holds at every instant."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from ..exceptions import BudgetExceededError
from ..pricing import Spending


@dataclass(slots=True, eq=False)
class _Waiter:
    """One who waits for room."""

    usd: float
    granted: asyncio.Future[None]


class Budget:
    """Spends no more than a limit in USD, whatever its calls turn out to cost.

    Before a call the most that it can cost is reserved. After it, the reservation is settled with
    what it did cost, held for good if that is not known, or released if it cost nothing. What is
    spent, held and reserved together never exceeds the limit, at no instant.

    Whoever finds no room waits, first come first served, as long as open reservations may still
    give some back. It holds no clock and does no I/O, and is used on one event loop.

    Should a call cost more than was reserved for it, the bound it rested on was wrong: that is
    logged once and counted, and no further call is allowed, since no other bound can be trusted.

    Args:
        max_usd: the limit.
        spent_usd: spent before, by earlier runs that count towards it.
        held_usd: reserved before, for calls whose answers never came.

    Raises:
        ValueError: for an amount that is negative or no number, here and in all methods.
    """

    def __init__(self, max_usd: float, spent_usd: float = 0.0, held_usd: float = 0.0) -> None:
        self._sums = Spending(max_usd, spent_usd, held_usd)
        self._max_usd = max_usd
        self._waiters: deque[_Waiter] = deque()

    @property
    def max_usd(self) -> float:
        """The limit."""
        return self._max_usd

    @property
    def spent_usd(self) -> float:
        """What calls have cost."""
        return self._sums.spent_usd

    @property
    def held_usd(self) -> float:
        """What calls may have cost of which that will never be known."""
        return self._sums.held_usd

    @property
    def open_usd(self) -> float:
        """What is reserved for calls in flight."""
        return self._sums.open_usd

    @property
    def overruns(self) -> int:
        """Calls that cost more than was reserved for them."""
        return self._sums.overruns

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._waiters)

    def reserve(self, usd: float) -> bool:
        """Reserve `usd` if there is room now and nobody waits; return whether it is done."""
        return not self._waiters and self._sums.reserve(usd)

    async def take(self, usd: float) -> None:
        """Reserve `usd`, and wait for room as long as there may be some.

        Raises:
            BudgetExceededError: as soon as it cannot fit, whatever open reservations give back.
        """
        if self.reserve(usd):
            return
        if self._sums.is_hopeless(usd):
            raise self._refusal(usd)
        waiter = _Waiter(usd, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await waiter.granted
        except asyncio.CancelledError:
            self._give_up(waiter)
            raise

    def settle(self, reserved_usd: float, actual_usd: float) -> None:
        """Put what a call cost in the place of what was reserved for it."""
        self._sums.settle(reserved_usd, actual_usd)
        self._serve()

    def hold(self, reserved_usd: float) -> None:
        """Keep what was reserved for a call that may have cost as much: nobody will know."""
        self._sums.hold(reserved_usd)
        self._serve()

    def release(self, reserved_usd: float) -> None:
        """Give back what was reserved for a call that cost nothing."""
        self._sums.release(reserved_usd)
        self._serve()

    def _serve(self) -> None:
        """Let those in who fit now, in turn, and send away those who never will."""
        if not self._waiters:
            return
        staying: deque[_Waiter] = deque()
        for waiter in self._waiters:
            if waiter.granted.done():  # cancelled, and about to take note of it
                continue
            if self._sums.is_hopeless(waiter.usd):
                waiter.granted.set_exception(self._refusal(waiter.usd))
            elif not staying and self._sums.reserve(waiter.usd):
                waiter.granted.set_result(None)
            else:
                staying.append(waiter)
        self._waiters = staying

    def _give_up(self, waiter: _Waiter) -> None:
        granted = waiter.granted
        if granted.done() and not granted.cancelled():
            if granted.exception() is None:  # let in, and cancelled before it could go on
                self._sums.release(waiter.usd)
        elif waiter in self._waiters:
            self._waiters.remove(waiter)
        self._serve()

    def _refusal(self, needed: float) -> BudgetExceededError:
        why = (
            "A call has cost more than its bound."
            if self.overruns
            else "Raise it, or lower max_output_tokens."
        )
        # Short, so that all of it stands in a result's `error`.
        return BudgetExceededError(
            f"A call of up to {needed:.4g} USD exceeds max_cost_usd ({self.max_usd:.4g}): "
            f"{self.spent_usd:.4g} spent, {self.held_usd:.4g} held for calls without answer. {why}",
            max_usd=self.max_usd,
            needed_usd=needed,
            spent_usd=self.spent_usd,
            held_usd=self.held_usd,
        )
