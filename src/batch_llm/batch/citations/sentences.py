"""Where a sentence ends: at a dot before a capital, but not at that of an abbreviation."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from typing import TYPE_CHECKING

from .vocabulary import word_set
from .words import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

SENTENCE_END = r"(?<=[.!?])\s+(?=[^\W\da-z])"
"""A pattern of what is between two sentences."""
_LAST_WORD = re.compile(r"(?<![^\W_])([^\W\d_]+)\.$")
_ABBREVIATIONS = word_set("""
    excl incl exkl inkl zzgl zuzgl abzgl min max avg approx ca est prev curr orig
    no nos nr num ref art pos acct dep arr tel qty vol bzw
    mr mrs ms dr prof hr fr mme mlle st
""")
_LONGEST = 8


def breaks(
    pattern: re.Pattern[str], text: str, start: int = 0, end: int = sys.maxsize
) -> Iterator[re.Match[str]]:
    """Return where `pattern` matches between `start` and `end`, save after abbreviations.

    "Total excl. VAT 100" is one sentence, and its "excl." decides what the 100 is. A line that an
    abbreviation ends is over nevertheless.
    """
    return (
        match for match in pattern.finditer(text, start, end) if not _is_abbreviated(text, match)
    )


class Breaks:
    """All that `breaks` finds in a text, to be asked for one place after the other.

    The places asked for are no white space, as no value begins or ends with any.
    """

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self._pattern, self._text = pattern, text
        spans = [match.span() for match in breaks(pattern, text)]
        self._starts, self._ends = [start for start, _ in spans], [end for _, end in spans]

    def last_end(self, at: int) -> int:
        """Return where the last break before `at` ends; 0 where there is none."""
        place = bisect_left(self._ends, at)
        before = self._ends[place - 1] if place else 0
        if place == len(self._ends) or self._ends[place] != at:
            return before
        # What begins at `at` is not seen from there, so a capital there ends no sentence.
        seen = breaks(self._pattern, self._text, self._starts[place], at)
        return max((match.end() for match in seen), default=before)

    def next_start(self, at: int) -> int | None:
        """Return where the first break from `at` on begins."""
        place = bisect_left(self._starts, at)
        return self._starts[place] if place < len(self._starts) else None


def _is_abbreviated(text: str, match: re.Match[str]) -> bool:
    if not match[0].isspace() or "\n" in match[0] or "\t" in match[0]:
        return False
    last = _LAST_WORD.search(text[max(0, match.start() - _LONGEST) : match.start()])
    return last is not None and fold(last[1]) in _ABBREVIATIONS
