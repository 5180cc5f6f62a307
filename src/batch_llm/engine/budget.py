"""A limit in USD that holds at every instant."""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from dataclasses import dataclass
from typing import Final

from ..exceptions import BudgetExceededError

logger = logging.getLogger("batch_llm")

# Whole units, of which sums are exact however many they are: floats would drift.
_UNITS_OF_USD: Final = 10**18
# What the same sum, taken in another order, may differ by in floats.
_SLACK_UNITS: Final = 10**6


@dataclass(slots=True, eq=False)
class _Waiter:
    """One who waits for room."""

    units: int
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

    Attributes:
        overruns: calls that cost more than was reserved for them.

    Raises:
        ValueError: for an amount that is negative or no number, here and in all methods.
    """

    def __init__(self, max_usd: float, spent_usd: float = 0.0, held_usd: float = 0.0) -> None:
        self._max = _units(max_usd)
        self._spent = _units(spent_usd)
        self._held = _units(held_usd)
        self._open = 0
        self._waiters: deque[_Waiter] = deque()
        self.overruns = 0

    @property
    def max_usd(self) -> float:
        """The limit."""
        return self._max / _UNITS_OF_USD

    @property
    def spent_usd(self) -> float:
        """What calls have cost."""
        return self._spent / _UNITS_OF_USD

    @property
    def held_usd(self) -> float:
        """What calls may have cost of which that will never be known."""
        return self._held / _UNITS_OF_USD

    @property
    def open_usd(self) -> float:
        """What is reserved for calls in flight."""
        return self._open / _UNITS_OF_USD

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self._waiters)

    def reserve(self, usd: float) -> bool:
        """Reserve `usd` if there is room now and nobody waits; return whether it is done."""
        units = _units(usd)
        if self._waiters or not self._has_room(units):
            return False
        self._open += units
        return True

    async def take(self, usd: float) -> None:
        """Reserve `usd`, and wait for room as long as there may be some.

        Raises:
            BudgetExceededError: as soon as it cannot fit, whatever open reservations give back.
        """
        if self.reserve(usd):
            return
        units = _units(usd)
        if self._is_hopeless(units):
            raise self._refusal(units)
        waiter = _Waiter(units, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            await waiter.granted
        except asyncio.CancelledError:
            self._give_up(waiter)
            raise

    def settle(self, reserved_usd: float, actual_usd: float) -> None:
        """Put what a call cost in the place of what was reserved for it."""
        actual = _units(actual_usd)
        reserved = self._close(reserved_usd)
        self._spent += actual
        if actual > reserved + _SLACK_UNITS:
            self._note_overrun(reserved_usd, actual_usd)
        self._serve()

    def hold(self, reserved_usd: float) -> None:
        """Keep what was reserved for a call that may have cost as much: nobody will know."""
        self._held += self._close(reserved_usd)
        self._serve()

    def release(self, reserved_usd: float) -> None:
        """Give back what was reserved for a call that cost nothing."""
        self._close(reserved_usd)
        self._serve()

    def _close(self, reserved_usd: float) -> int:
        units = _units(reserved_usd)
        if units > self._open:
            raise ValueError(f"{reserved_usd} USD is not reserved: {self.open_usd} USD is.")
        self._open -= units
        return units

    def _has_room(self, units: int) -> bool:
        return not self.overruns and self._spent + self._held + self._open + units <= self._max

    def _is_hopeless(self, units: int) -> bool:
        """Return whether it would not fit even if all that is reserved were given back."""
        return bool(self.overruns) or self._spent + self._held + units > self._max

    def _serve(self) -> None:
        """Let those in who fit now, in turn, and send away those who never will."""
        if not self._waiters:
            return
        staying: deque[_Waiter] = deque()
        for waiter in self._waiters:
            if waiter.granted.done():  # cancelled, and about to take note of it
                continue
            if self._is_hopeless(waiter.units):
                waiter.granted.set_exception(self._refusal(waiter.units))
            elif not staying and self._has_room(waiter.units):
                self._open += waiter.units
                waiter.granted.set_result(None)
            else:
                staying.append(waiter)
        self._waiters = staying

    def _give_up(self, waiter: _Waiter) -> None:
        granted = waiter.granted
        if granted.done() and not granted.cancelled():
            if granted.exception() is None:  # let in, and cancelled before it could go on
                self._open -= waiter.units
        elif waiter in self._waiters:
            self._waiters.remove(waiter)
        self._serve()

    def _refusal(self, units: int) -> BudgetExceededError:
        needed = units / _UNITS_OF_USD
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

    def _note_overrun(self, reserved_usd: float, actual_usd: float) -> None:
        self.overruns += 1
        if self.overruns == 1:
            logger.error(
                "A call cost %.6g USD, and at most %.6g USD had been reserved: its bound was "
                "wrong. No further call is made under max_cost_usd. Please report this.",
                actual_usd,
                reserved_usd,
            )


def _units(usd: float) -> int:
    if not (math.isfinite(usd) and usd >= 0):
        raise ValueError(f"An amount in USD is a number from 0 up, not {usd!r}.")
    return round(usd * _UNITS_OF_USD)
