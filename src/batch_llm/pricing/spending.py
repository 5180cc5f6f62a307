"""What is spent, held and reserved of a limit in USD, without a clock, a lock or a wait."""

from __future__ import annotations

import logging
import math
from typing import Final

logger = logging.getLogger("batch_llm")

# Whole units, of which sums are exact however many they are: floats would drift.
_UNITS_OF_USD: Final = 10**18
# What the same sum, taken in another order, may differ by in floats.
_SLACK_UNITS: Final = 10**6


class Spending:
    """The sums of a limit in USD: what is spent, held and reserved never exceeds it together.

    Should a call cost more than was reserved for it, the bound it rested on was wrong: that is
    logged once and counted, and there is no room any longer, since no other bound can be trusted.

    Args:
        max_usd: the limit; None for sums without one, in which there is always room.
        spent_usd: spent before.
        held_usd: reserved before, for calls whose answers never came.

    Attributes:
        overruns: calls that cost more than was reserved for them.

    Raises:
        ValueError: for an amount that is negative or no number, here and in all methods.
    """

    __slots__ = ("_held", "_max", "_open", "_spent", "overruns")

    def __init__(
        self, max_usd: float | None, spent_usd: float = 0.0, held_usd: float = 0.0
    ) -> None:
        self._max = None if max_usd is None else _units(max_usd)
        self._spent = _units(spent_usd)
        self._held = _units(held_usd)
        self._open = 0
        self.overruns = 0

    @property
    def max_usd(self) -> float | None:
        """The limit."""
        return None if self._max is None else self._max / _UNITS_OF_USD

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
    def left_usd(self) -> float | None:
        """What may still be reserved, from 0 up; None without a limit."""
        if self._max is None:
            return None
        left = 0 if self.overruns else self._max - self._spent - self._held - self._open
        return max(0, left) / _UNITS_OF_USD

    def has_room(self, usd: float) -> bool:
        """Return whether `usd` can be reserved now."""
        return self._fits(_units(usd))

    def is_hopeless(self, usd: float) -> bool:
        """Return whether `usd` would not fit even if all that is reserved were given back."""
        units = _units(usd)
        if self._max is None:
            return False
        return bool(self.overruns) or self._spent + self._held + units > self._max

    def reserve(self, usd: float) -> bool:
        """Reserve `usd` if there is room; return whether it is done."""
        units = _units(usd)
        if not self._fits(units):
            return False
        self._open += units
        return True

    def spend(self, usd: float) -> None:
        """Add what a call cost for which nothing was reserved."""
        self._spent += _units(usd)

    def settle(self, reserved_usd: float, actual_usd: float) -> None:
        """Put what a call cost in the place of what was reserved for it."""
        actual = _units(actual_usd)
        reserved = self._close(reserved_usd)
        self._spent += actual
        if self._max is not None and actual > reserved + _SLACK_UNITS:
            self._note_overrun(reserved_usd, actual_usd)

    def hold(self, reserved_usd: float) -> None:
        """Keep what was reserved for a call that may have cost as much: nobody will know."""
        self._held += self._close(reserved_usd)

    def release(self, reserved_usd: float) -> None:
        """Give back what was reserved for a call that cost nothing."""
        self._close(reserved_usd)

    def _fits(self, units: int) -> bool:
        if self._max is None:
            return True
        return not self.overruns and self._spent + self._held + self._open + units <= self._max

    def _close(self, reserved_usd: float) -> int:
        units = _units(reserved_usd)
        if units > self._open + _SLACK_UNITS:
            raise ValueError(f"{reserved_usd} USD is not reserved: {self.open_usd} USD is.")
        self._open = max(0, self._open - units)
        return units

    def _note_overrun(self, reserved_usd: float, actual_usd: float) -> None:
        self.overruns += 1
        if self.overruns == 1:
            logger.error(
                "A call cost %.6g USD, and at most %.6g USD had been reserved: its bound was "
                "wrong. No further call is made under the limit in USD. Please report this.",
                actual_usd,
                reserved_usd,
            )


def _units(usd: float) -> int:
    if not (math.isfinite(usd) and usd >= 0):
        raise ValueError(f"An amount in USD is a number from 0 up, not {usd!r}.")
    return round(usd * _UNITS_OF_USD)
