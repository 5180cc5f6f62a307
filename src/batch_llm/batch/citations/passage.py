"""A text read once: its words, numbers and dates, and the words that label a place in it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, TypeVar

from .appositions import apposition_at, last_definition
from .dates import DateMention, find_dates
from .markers import Marker, find_markers
from .numbers import NUMBER_WORDS, NumberMention, find_numbers
from .ranges import words_of_ends
from .sentences import SENTENCE_END, Breaks
from .spans import Spans
from .vocabulary import concepts_of
from .word_index import WordIndex
from .words import Word, words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from decimal import Decimal

_One = TypeVar("_One")
_Key = TypeVar("_Key")

_CLAUSE = re.compile(rf"[\n\t|;]|{SENTENCE_END}")
_ROW = re.compile(rf"[\n;]|{SENTENCE_END}")
_RIGHT_STOP = re.compile(r"[\n\t|;,:)]|\.(?:\s|$)|\s(?:and|und|et|but|plus|to)\s")
_NEXT = re.compile(r"[,/]\s|\s(?:and|und|et|but)\s")
_YEAR = re.compile(r"(?:[^\w(]{0,2}\((?:in )?|(?: [^\W\d_]+)? (?:in|im|en) )([12]\d{3})(?![.,]?\w)")
_CELL = re.compile(r"[^|\t]+")
_RULE = re.compile(r"(?:[-=](?![-=])|[+|:\s])*[-=]{2}[-=+|:\s]*")
_HEAD = re.compile(r"[:=][ \u00a0]{0,2}[\"']?$")
_END_OF_HEADED = re.compile(r"[\"']?(?:\s*(?:$|[.;\n|)])|,\s*[^\n:;.,]{1,30}[:=])")
_LEFT_WORDS, _RIGHT_WORDS = 8, 4
_WORDS_OF_CELL = 50
_NO_CELLS: list[str] = []
_FAR = 1_000
"""What is so many characters away is beside nothing, whether or not a sentence ends between."""


@dataclass(frozen=True)
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

    @cached_property
    def words(self) -> list[str]:
        """All of them, each once."""
        every = (*self.left, *self.right, *self.apposition, *self.own)
        return list(dict.fromkeys(every))

    @cached_property
    def concepts(self) -> set[str]:
        """What these stand for."""
        return concepts_of(self.words)

    @cached_property
    def roles(self) -> set[str]:
        """What those before the place stand for."""
        return concepts_of(self.left)


@dataclass
class Passage:
    """A text and what was found in it.

    What is looked up by places or values is indexed once, when first asked for; `dates` and
    `numbers` may be set anew until then.
    """

    text: str
    words: list[Word]
    dates: list[DateMention]
    numbers: list[NumberMention]
    markers: list[Marker] = field(default_factory=list)
    _roles: dict[int, list[str]] = field(default_factory=dict)
    _labels: dict[tuple[int, int, bool], Label] = field(default_factory=dict)
    _cells_by_line: dict[int, list[tuple[int, str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._roles = words_of_ends(self.text, self._spans.in_order, self.numbers)

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
        place = bisect_left(self._reach_of_markers, end)
        if place == len(self.markers) or self.markers[place].start > start:
            return None
        return self.markers[place]

    @cached_property
    def index(self) -> WordIndex:
        """Where its words stand."""
        return WordIndex(self.words)

    def numbers_of(self, value: Decimal) -> Sequence[NumberMention]:
        """Return the numbers that may be `value`: as read, unscaled, or as a share of a hundred."""
        return self._numbers_by_value.get(value, ())

    def dates_in(self, year: int, month: int | None = None) -> Sequence[DateMention]:
        """Return the dates that may be in a month, or a year."""
        return self._dates_by_month.get((year, month), ())

    @cached_property
    def _numbers_by_value(self) -> dict[Decimal, list[NumberMention]]:
        return _by_key(self.numbers, _values)

    @cached_property
    def _dates_by_month(self) -> dict[tuple[int, int | None], list[DateMention]]:
        return _by_key(self.dates, _months)

    @cached_property
    def _reach_of_markers(self) -> list[int]:
        """Where the markers up to each one end at the latest."""
        return list(accumulate((one.end for one in self.markers), max))

    @cached_property
    def _clauses(self) -> Breaks:
        return Breaks(_CLAUSE, self.text)

    @cached_property
    def _rows(self) -> Breaks:
        return Breaks(_ROW, self.text)

    @cached_property
    def _spans(self) -> Spans:
        """Where its dates and numbers are."""
        dates = [(date.start, date.end) for date in self.dates]
        return Spans([*dates, *((number.start, number.end) for number in self.numbers)])

    @cached_property
    def _amounts(self) -> Spans:
        """Where those are that are no shares."""
        shares = {(one.start, one.end) for one in self.numbers if one.unit == "percent"}
        return Spans(span for span in self._spans.in_order if span not in shares)

    @cached_property
    def _heads(self) -> dict[int, list[str]]:
        """The cells of the head of the table around each line, by where the line begins.

        A head is the first of the lines with cells that lead on to the line.
        """
        heads: dict[int, list[str]] = {}
        at, head = 0, _NO_CELLS
        for line in self.text.splitlines(keepends=True):
            heads[at], at = head, at + len(line)
            row = line.splitlines()[0]
            is_rule = _RULE.fullmatch(row) is not None
            if not is_rule and not ("|" in row or "\t" in row):
                head = _NO_CELLS
            elif not is_rule and head is _NO_CELLS:
                head = [text for _, text in _cells(row)]
        return heads

    def label(self, start: int, end: int, *, is_text: bool = False) -> Label:
        """Return the words that stand beside `start` to `end`, in its clause and its column.

        Args:
            start: the first character of a value.
            end: the place after its last.
            is_text: the value may be a name, so that what is said of names says something of it.
        """
        known = self._labels.get((start, end, is_text))
        if known is None:
            known = self._labels[start, end, is_text] = self._label(start, end, is_text=is_text)
        return known

    def _label(self, start: int, end: int, *, is_text: bool) -> Label:
        floor = max(self._clauses.last_end(start), start - _FAR)
        if is_text:
            floor = last_definition(self.text, floor, start)
        beside = [*self._column(start), *self._roles.get(start, ())]
        left = [*self._left(floor, start, self._spans.last_end(floor, start)), *beside]
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
        return self._rows.last_end(at)

    def row_end(self, at: int) -> int:
        """Return where the line or sentence around `at` ends."""
        end = self._rows.next_start(at)
        return len(self.text) if end is None else end

    def _own_left(self, floor: int, start: int) -> list[str]:
        """Return the words before `start`, from the comma or "and" on that a number is before."""
        # "Total incl. 19% VAT: 1,190": the share is a part of the label.
        cut = self._amounts.last_end(floor, start)
        ends = [match.end() for match in _NEXT.finditer(self.text, cut, start)]
        if cut == floor or not ends:
            return self._left(floor, start, cut)
        return self._between(ends[-1], start)

    def _leads_on(self, end: int) -> bool:
        after = self._spans.next_start(end)
        if after is None or self._clauses.last_end(after) > end:
            return False
        return not _NEXT.search(self.text, end, after)

    def _between(self, start: int, end: int) -> list[str]:
        """Return the words that begin between two characters."""
        first, after = self.index.span(start, end)
        return self.index.folded[first:after]

    def _left(self, floor: int, start: int, cut: int) -> list[str]:
        near = self._between(cut, start)
        # "Revenue 2022: 4,310": the year is a part of the label.
        if not any(word.isalpha() for word in near):
            near = self._between(floor, start)
        return near[-_LEFT_WORDS:]

    def _right(self, end: int, *, is_text: bool) -> list[str]:
        far = min(end + _FAR, len(self.text))
        match = _RIGHT_STOP.search(self.text, end, far)
        stop = match.start() if match else far
        if (after := self._spans.next_start(end)) is not None:
            stop = min(stop, after)
        if is_text and self.text[stop : stop + 1] == ":":
            return []  # "John Smith Seller:": they head what follows.
        first, beyond = self.index.span(end, stop)
        words = self.words[first : min(beyond, first + _RIGHT_WORDS)]
        return [*(word.folded for word in words if word.end <= stop), *self.year_after(end)]

    def _column(self, at: int) -> list[str]:
        """Return the words of the head of the column around `at`, and of its row's first cell."""
        line_start = self.text.rfind("\n", 0, at) + 1
        cells = self._cells_of(line_start)
        if not cells:
            return []
        place = bisect_right(cells, at - line_start, key=lambda cell: cell[0] + len(cell[1]))
        place = 0 if place == len(cells) else place
        words = _words_of_cell(cells[0][1]) if place else []
        head = self._heads.get(line_start, [])
        if line_start and place < len(head):
            words += _words_of_cell(head[place])
        return words

    def _cells_of(self, line_start: int) -> list[tuple[int, str]]:
        """Return the cells of a line, with where they begin in it; none where it has none."""
        known = self._cells_by_line.get(line_start)
        if known is None:
            line_end = self.text.find("\n", line_start)
            line = self.text[line_start : line_end if line_end >= 0 else len(self.text)]
            known = _cells(line) if "|" in line or "\t" in line else []
            self._cells_by_line[line_start] = known
        return known


def _by_key(
    found: Iterable[_One], keys: Callable[[_One], Iterable[_Key]]
) -> dict[_Key, list[_One]]:
    by_key: dict[_Key, list[_One]] = defaultdict(list)
    for one in found:
        for key in dict.fromkeys(keys(one)):
            by_key[key].append(one)
    return by_key


def _values(number: NumberMention) -> Iterable[Decimal]:
    for value, _ in number.readings:
        yield value
        if number.unit == "percent":
            yield value / 100
    for value, _ in number.unscaled:
        yield value


def _months(date: DateMention) -> Iterable[tuple[int, int | None]]:
    for reading in date.readings:
        yield reading.year, reading.month
        yield reading.year, None


def _words_of_cell(text: str) -> list[str]:
    return [word.folded for word in words_of(text[:_FAR])[:_WORDS_OF_CELL]]


def _cells(line: str) -> list[tuple[int, str]]:
    return [(match.start(), match[0]) for match in _CELL.finditer(line) if match[0].strip()]
