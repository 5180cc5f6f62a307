"""Numbers within bounds."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .draws import Draws

NUMBER_WORDS: Final = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
_USUAL_SPAN: Final = 1_000


class Bounds:
    """What the numbers are between, and what they are multiples of; all of it exact."""

    def __init__(self, parts: Sequence[Mapping[str, Any]]) -> None:
        self.low: Fraction | None = None
        self.high: Fraction | None = None
        self.is_open_below = self.is_open_above = False
        self.step: Fraction | None = None
        for part in parts:
            self._add(part)

    def _add(self, part: Mapping[str, Any]) -> None:
        for word, name in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            add = self._raise_low if word == "minimum" else self._lower_high
            exclusive = part.get(name)
            # Draft 4 says by true or false whether the bound itself is left out.
            if (bound := part.get(word)) is not None:
                add(_exact(bound), exclusive is True)
            if exclusive is not None and not isinstance(exclusive, bool):
                add(_exact(exclusive), True)
        if (step := part.get("multipleOf")) is not None:
            self._combine(_exact(step))

    def _raise_low(self, bound: Fraction, is_open: bool) -> None:
        if self.low is None or (bound, is_open) > (self.low, self.is_open_below):
            self.low, self.is_open_below = bound, is_open

    def _lower_high(self, bound: Fraction, is_open: bool) -> None:
        if self.high is None or (-bound, is_open) > (-self.high, self.is_open_above):
            self.high, self.is_open_above = bound, is_open

    def _combine(self, step: Fraction) -> None:
        if self.step is not None:
            both = math.lcm(
                self.step.numerator * step.denominator, step.numerator * self.step.denominator
            )
            step = Fraction(both, self.step.denominator * step.denominator)
        self.step = step


class Multiples:
    """Makes multiples of a step: whole numbers are those of 1.

    Args:
        bounds: that they keep.
        step: above 0.
    """

    def __init__(self, bounds: Bounds, step: Fraction) -> None:
        self._step = step
        low = None if bounds.low is None else _first(bounds.low / step, bounds.is_open_below)
        high = None if bounds.high is None else -_first(-bounds.high / step, bounds.is_open_above)
        if low is None:
            low = 0 if high is None or high >= 0 else high - _USUAL_SPAN
        self._low = low
        self._high = low + _USUAL_SPAN if high is None else high
        self._is_whole = step.denominator == 1
        self._factor = step.numerator

    def ends_within(self, levels: int) -> bool:
        """Say whether there is any."""
        return self._low <= self._high

    def make(self, draws: Draws, depth: int) -> int | float:
        """Return one of them."""
        count = draws.between(self._low, self._high)
        return count * self._factor if self._is_whole else float(count * self._step)


class Reals:
    """Makes numbers with a fraction, short ones where the bounds leave room for them."""

    def __init__(self, bounds: Bounds) -> None:
        low, high = bounds.low, bounds.high
        if low is None:
            low = Fraction(0) if high is None or high > 0 else high - _span(high)
        if high is None:
            high = low + _span(low)
        self._low = _inward(low, bounds.is_open_below, math.inf)
        self._high = _inward(high, bounds.is_open_above, -math.inf)

    def ends_within(self, levels: int) -> bool:
        """Say whether there is any."""
        return self._low <= self._high

    def make(self, draws: Draws, depth: int) -> float:
        """Return one of them."""
        share = draws.unit()
        # Not low + share * (high - low): the difference of two finite numbers may be infinite.
        number = self._low * (1 - share) + self._high * share
        short = round(number, 2)
        if self._low <= short <= self._high:
            return short
        return min(max(number, self._low), self._high)


def _span(bound: Fraction) -> Fraction:
    """Return how far numbers go from their only bound: of a large one, far enough to differ."""
    return max(Fraction(_USUAL_SPAN), abs(bound))


def _exact(number: float) -> Fraction:
    """Return a number as it is written: 0.1 is a tenth."""
    return Fraction(number) if isinstance(number, int) else Fraction(repr(number))


def _first(bound: Fraction, is_open: bool) -> int:
    """Return the first whole number from `bound` up."""
    return math.floor(bound) + 1 if is_open else math.ceil(bound)


def _inward(bound: Fraction, is_open: bool, inside: float) -> float:
    """Return the first float on the side `inside` of a bound."""
    try:
        number = float(bound)
    except OverflowError:
        return math.copysign(math.nextafter(math.inf, 0), bound)
    # A bound with a fraction was read from a float, and is that. A whole one may have none.
    is_whole = bound.denominator == 1
    is_outside = is_whole and (number < bound if inside > 0 else number > bound)
    is_bound = not is_whole or number == bound
    return math.nextafter(number, inside) if is_outside or (is_open and is_bound) else number
