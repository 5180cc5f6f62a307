"""Where a sentence ends: at a dot before a capital, but not at that of an abbreviation."""

from __future__ import annotations

import re
import sys
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


def _is_abbreviated(text: str, match: re.Match[str]) -> bool:
    if not match[0].isspace() or "\n" in match[0] or "\t" in match[0]:
        return False
    last = _LAST_WORD.search(text[max(0, match.start() - _LONGEST) : match.start()])
    return last is not None and fold(last[1]) in _ABBREVIATIONS
