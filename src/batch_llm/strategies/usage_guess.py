"""How many tokens the next call may use, by what the last ones did."""

from __future__ import annotations

from collections import deque
from typing import Final

_REMEMBERED: Final = 256
_QUANTILE: Final = 0.99
_MARGIN: Final = 1.25
_RENEWED_EVERY: Final = 16


class UsageGuess:
    """A guess that few calls exceed: a quarter above what 99 of the last 100 calls used.

    Not a bound, and no limit is safe by it; it serves where a strategy knows none.

    Args:
        first: the guess before any call has ended.
    """

    __slots__ = ("_first", "_guess", "_heard", "_seen")

    def __init__(self, first: int) -> None:
        self._first = first
        self._seen: deque[int] = deque(maxlen=_REMEMBERED)
        self._heard = 0
        self._guess = first

    def add(self, tokens: int) -> None:
        """Learn what a call used."""
        self._seen.append(tokens)
        self._heard += 1
        is_due = self._heard <= _RENEWED_EVERY or self._heard % _RENEWED_EVERY == 0
        if is_due or tokens > self._guess:
            self._renew()

    @property
    def tokens(self) -> int:
        """The guess."""
        return self._guess

    def _renew(self) -> None:
        ordered = sorted(self._seen)
        high = ordered[min(len(ordered) - 1, int(_QUANTILE * len(ordered)))]
        # A few calls say little of the others: the first guess holds until there are more.
        least = self._first if len(ordered) < _RENEWED_EVERY else 1
        self._guess = max(least, round(high * _MARGIN))
