"""A text read once: its words, numbers and dates, and the words that label a place in it."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from .appositions import apposition_at, last_definition
from .dates import DateMention, find_dates
from .markers import Marker, find_markers
from .numbers import NUMBER_WORDS, NumberMention, find_numbers
from .ranges import words_of_ends
from .sentences import SENTENCE_END, breaks
from .words import Word, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLAUSE = re.compile(rf"[\n\t|;]|{SENTENCE_END}")
_ROW = re.compile(rf"[\n;]|{SENTENCE_END}")
_RIGHT_STOP = re.compile(r"[\n\t|;,:)]|\.(?:\s|$)|\s(?:and|und|et|but|plus|to)\s")
_NEXT = re.compile(r"[,/]\s|\s(?:and|und|et|but)\s")
_YEAR = re.compile(r"(?:[^\w(]{0,2}\((?:in )?|(?: [^\W\d_]+)? (?:in|im|en) )([12]\d{3})(?![.,]?\w)")
_CELL = re.compile(r"[^|\t]+")
_RULE = re.compile(r"[-=+|:\s]*[-=]{2}[-=+|:\s]*")
_HEAD = re.compile(r"[:=][ \u00a0]{0,2}[\"']?$")
_END_OF_HEADED = re.compile(r"[\"']?(?:\s*(?:$|[.;\n|)])|,\s*[^\n:;.,]{1,30}[:=])")
_LEFT_WORDS, _RIGHT_WORDS = 8, 4


@dataclass(frozen=True, slots=True)
class Label:
    """The words beside a place.

    Attributes:
        left: those before it.
        right: those after it.
        apposition: what it is called after it.
        own: those before it, but not those that are of the number before: "100 in Q1 and 120".
        leads_on: nothing parts those after it from the next number.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    apposition: tuple[str, ...]
    own: tuple[str, ...]
    leads_on: bool

    @property
    def words(self) -> list[str]:
        """All of them."""
        return [*self.left, *self.right, *self.apposition, *self.own]


@dataclass(slots=True)
class Passage:
    """A text and what was found in it."""

    text: str
    words: list[Word]
    dates: list[DateMention]
    numbers: list[NumberMention]
    markers: list[Marker] = field(default_factory=list)
    _spans: list[tuple[int, int]] = field(default_factory=list)
    _roles: dict[int, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        spans = {(date.start, date.end) for date in self.dates}
        self._spans = sorted(spans | {(number.start, number.end) for number in self.numbers})
        self._roles = words_of_ends(self.text, self._spans, self.numbers)

    @classmethod
    def read(cls, text: str) -> Passage:
        """Return `text` with what is in it."""
        dates = find_dates(text)
        markers = find_markers(text, NUMBER_WORDS)
        taken = [(one.start, one.end) for one in dates]
        taken += [(one.start, one.end) for one in markers if not one.names]
        return cls(text, words_of(text), dates, find_numbers(text, taken), markers)

    def marker_at(self, start: int, end: int) -> Marker | None:
        """Return the marker that `start` to `end` is a part of."""
        return next((one for one in self.markers if one.start <= start and end <= one.end), None)

    def label(self, start: int, end: int, *, is_text: bool = False) -> Label:
        """Return the words that stand beside `start` to `end`, in its clause and its column.

        Args:
            start: the first character of a value.
            end: the place after its last.
            is_text: the value may be a name, so that what is said of names says something of it.
        """
        floor = max((match.end() for match in breaks(_CLAUSE, self.text, 0, start)), default=0)
        if is_text:
            floor = last_definition(self.text, floor, start)
        beside = [*self._column(start), *self._roles.get(start, ())]
        left = [*self._left(floor, start, _last_end(floor, start, self._spans)), *beside]
        own = [*self._own_left(floor, start), *beside]
        apposition = apposition_at(self.text, end) if is_text else ()
        right = self._right(end, is_text=is_text)
        return Label(tuple(left), tuple(right), apposition, tuple(own), self._leads_on(end))

    def year_after(self, end: int) -> list[str]:
        """Return the year that a number which ends at `end` is of: "500 (2023)", "500 in 2023"."""
        year = _YEAR.match(self.text, end)
        return [year[1]] if year else []

    def is_headed(self, start: int, end: int) -> bool:
        """Tell whether `start` to `end` is all that a name with a colon before it heads."""
        return self.is_after_head(start) and _END_OF_HEADED.match(self.text, end) is not None

    def is_after_head(self, start: int) -> bool:
        """Tell whether a colon stands right before `start`."""
        return _HEAD.search(self.text[max(0, start - 4) : start]) is not None

    def row_start(self, at: int) -> int:
        """Return where the line or sentence around `at` begins."""
        return max((match.end() for match in breaks(_ROW, self.text, 0, at)), default=0)

    def row_end(self, at: int) -> int:
        """Return where the line or sentence around `at` ends."""
        return next((match.start() for match in breaks(_ROW, self.text, at)), len(self.text))

    def _own_left(self, floor: int, start: int) -> list[str]:
        """Return the words before `start`, from the comma or "and" on that a number is before."""
        # "Total incl. 19% VAT: 1,190": the share is a part of the label.
        shares = {(one.start, one.end) for one in self.numbers if one.unit == "percent"}
        cut = _last_end(floor, start, (span for span in self._spans if span not in shares))
        ends = [match.end() for match in _NEXT.finditer(self.text, cut, start)]
        if cut == floor or not ends:
            return self._left(floor, start, cut)
        return [word.folded for word in self.words if ends[-1] <= word.start < start]

    def _leads_on(self, end: int) -> bool:
        after = next((begin for begin, _ in self._spans if begin >= end), None)
        if after is None or _NEXT.search(self.text, end, after):
            return False
        return next(breaks(_CLAUSE, self.text, end, after), None) is None

    def _left(self, floor: int, start: int, cut: int) -> list[str]:
        first = bisect_left(self.words, start, key=lambda word: word.start)
        before = [word for word in self.words[:first] if word.start >= floor]
        near = [word for word in before if word.start >= cut]
        # "Revenue 2022: 4,310": the year is a part of the label.
        if not any(word.folded.isalpha() for word in near):
            near = before
        return [word.folded for word in near[-_LEFT_WORDS:]]

    def _right(self, end: int, *, is_text: bool) -> list[str]:
        match = _RIGHT_STOP.search(self.text, end)
        stop = match.start() if match else len(self.text)
        stop = min([stop, *(begin for begin, _ in self._spans if begin >= end)])
        if is_text and self.text[stop : stop + 1] == ":":
            return []  # "John Smith Seller:": they head what follows.
        after = [word.folded for word in self.words if word.start >= end and word.end <= stop]
        return [*after[:_RIGHT_WORDS], *self.year_after(end)]

    def _column(self, at: int) -> list[str]:
        """Return the words of the head of the column around `at`, and of its row's first cell."""
        line_start = self.text.rfind("\n", 0, at) + 1
        line_end = self.text.find("\n", at)
        line = self.text[line_start : line_end if line_end >= 0 else len(self.text)]
        if "|" not in line and "\t" not in line:
            return []
        cells = _cells(line)
        place = next(
            (i for i, (begin, text) in enumerate(cells) if begin + len(text) > at - line_start), 0
        )
        words = [word.folded for word in words_of(cells[0][1])] if place else []
        head = _cells(self._head_of_table(line_start))
        if line_start and place < len(head):
            words += [word.folded for word in words_of(head[place][1])]
        return words

    def _head_of_table(self, line_start: int) -> str:
        """Return the first of the lines with cells that lead on to `line_start`."""
        before = reversed(self.text[:line_start].splitlines())
        lines = takewhile(lambda line: "|" in line or "\t" in line or _RULE.fullmatch(line), before)
        return next((row for row in reversed([*lines]) if not _RULE.fullmatch(row)), "")


def _last_end(floor: int, start: int, spans: Iterable[tuple[int, int]]) -> int:
    """Return where the last of the spans between two places ends, or `floor`."""
    return max((end for begin, end in spans if floor <= begin and end <= start), default=floor)


def _cells(line: str) -> list[tuple[int, str]]:
    return [(match.start(), match[0]) for match in _CELL.finditer(line) if match[0].strip()]
