"""The two ends of a range: "1 May - 4 May", "$70,000 to $90,000", "5 °C bis 12 °C"."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

from .units import currency_of, unit_of
from .words import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .numbers import NumberMention

_UNTIL = r"\s*(?:[-\u2013\u2014]|to|until|bis|au|\u00e0|through)\s*"
_RANGE = re.compile(_UNTIL)
_RANGE_WITH_UNITS = re.compile(
    rf"\s?(?:[%$\u20ac\u00a3]|\u00b0?[ ]?([^\W\d_]+))?{_UNTIL}(?:[-$\u20ac\u00a3]|([^\W\d_]+))?\s?"
)


def words_of_ends(
    text: str, spans: Sequence[tuple[int, int]], numbers: Sequence[NumberMention]
) -> dict[int, list[str]]:
    """Return, by the places where the ends of ranges start, the words for these ends.

    Args:
        text: any.
        spans: where the dates and numbers in it are, in order.
        numbers: those that are numbers. A lower one before a higher is a minimum as well as a
            start, with units and currencies between them, too.
    """
    words: dict[int, list[str]] = defaultdict(list)
    for here, after in pairwise(spans):
        if _RANGE.fullmatch(text, here[1], after[0]):
            words[here[0]].append("start")
            words[after[0]].append("end")
    for low, high in pairwise(numbers):
        if low.readings[0][0] < high.readings[0][0] and _joins(text[low.end : high.start]):
            words[low.start].append("min")
            words[high.start].append("max")
    return words


def _joins(between: str) -> bool:
    match = _RANGE_WITH_UNITS.fullmatch(between)
    return match is not None and all(
        unit_of(fold(word)) or currency_of(fold(word)) for word in match.groups() if word
    )
