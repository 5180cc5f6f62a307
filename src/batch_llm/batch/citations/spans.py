"""Spans of a text, to be asked for by place."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Spans:
    """Where some things in a text start and end; some may lie within others.

    Attributes:
        in_order: each once, by where it starts.
    """

    def __init__(self, spans: Iterable[tuple[int, int]]) -> None:
        self.in_order = sorted(set(spans))
        self._reach = list(accumulate((end for _, end in self.in_order), max))

    def last_end(self, floor: int, start: int) -> int:
        """Return where the last of those that lie between two places ends, or `floor`."""
        last = floor
        for place in range(bisect_left(self.in_order, (start, 0)) - 1, -1, -1):
            begin, end = self.in_order[place]
            if begin < floor or self._reach[place] <= last:
                break
            if end <= start:
                last = max(last, end)
        return last

    def is_any_between(self, start: int, end: int) -> bool:
        """Tell whether one has a character between two places."""
        place = bisect_left(self.in_order, (end, 0))
        return place > 0 and start < self._reach[place - 1]

    def next_start(self, at: int) -> int | None:
        """Return where the first from `at` on starts."""
        place = bisect_left(self.in_order, (at, 0))
        return self.in_order[place][0] if place < len(self.in_order) else None
