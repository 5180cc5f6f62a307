"""Where a text stands in a passage, in whole words."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .vocabulary import COMMON_VALUES, NEGATIONS, STOP_WORDS, TITLES
from .words import Word, fold, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .passage import Passage
    from .word_index import WordIndex

SHARE_OF_WORDS = 0.8
"""Of the telling words of a long text, so many must be in a passage that supports it."""
_WORDS_OF_LONG_TEXT = 4
_DIGITS_OF_CODE = 6
_MOST_COMPARISONS = 2_000_000
"""Only texts that repeat themselves without end need more, in passages that do."""
_MOST_CODES = 1_000
_NOWHERE: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A place of a text.

    Attributes:
        certainty: 1 where all words are there, in order; less where most are.
        needs_label: the words alone are too few, or a part of a longer name may be what was found.
    """

    start: int
    end: int
    certainty: float
    needs_label: bool


@dataclass(frozen=True, slots=True)
class SoughtText:
    """A text that is looked for, read once for all passages.

    Attributes:
        words: its words, in order.
        folded: the same, folded.
        telling: how often each of its words stands in it that tells it from other texts.
        code: its digits and letters without gaps, where it is such a code; else empty.
        is_name: all words that are no stop words are written as names are.
        is_common: it is too short or too common to be found without a label.
    """

    words: list[Word]
    folded: list[str]
    telling: dict[str, int]
    code: str
    is_name: bool
    is_common: bool

    @classmethod
    def read(cls, text: str) -> SoughtText:
        """Return `text` with its words."""
        words = words_of(text)
        folded = [word.folded for word in words]
        telling = Counter(word for word in folded if word not in STOP_WORDS | NEGATIONS)
        is_name = all(_is_name(word.text) for word in words if word.folded not in STOP_WORDS)
        return cls(words, folded, telling, _code("".join(folded)), is_name, is_common(text))


def _code(joined: str) -> str:
    is_code = sum(mark.isdigit() for mark in joined) * 2 >= len(joined) >= _DIGITS_OF_CODE
    return joined if is_code else ""


def count_text(sought: SoughtText, passage: Passage) -> int:
    """Return how many places a text has at most as it is: those of its rarest word."""
    fewest = len(passage.words)
    for word in sought.folded:
        fewest = min(fewest, len(passage.index.places.get(word, _NOWHERE)))
        if not fewest:
            break
    return fewest


def find_text(sought: SoughtText, passage: Passage) -> list[Found]:
    """Return the places of a text in `passage`: in whole words, without case and accents.

    A place that is denied ("no penicillin") or inside of a longer name is none. A text of many
    words that is nowhere as it is may be where most of its words stand together. A text that
    repeats itself too often to be compared at all its places has none.
    """
    exact = list(_exact(sought, passage))
    return exact or _most(sought, passage)


def is_common(value: str) -> bool:
    """Tell whether a text is too short or too common to be found without a label."""
    folded = fold(value)
    if any(mark.isdigit() for mark in folded) and any(mark.isalpha() for mark in folded):
        return False
    length = sum(mark.isalnum() for mark in folded)
    is_name = value[:1].isupper()
    return length < (3 if is_name else 4) or folded in COMMON_VALUES


def _exact(sought: SoughtText, passage: Passage) -> Iterator[Found]:
    words = passage.words
    for first, last in _runs(sought, passage.index):
        if words[first].is_joined_left or words[last].is_joined_right:
            continue
        if not _has_case_of(sought.words, words[first]):
            continue
        if _is_denied(sought.words, passage, first):
            continue
        longer = sought.is_name and _in_longer_name(passage, first, last)
        if longer is not True:
            needs_label = sought.is_common or longer is None
            yield Found(words[first].start, words[last].end, 1.0, needs_label)


def _runs(sought: SoughtText, index: WordIndex) -> list[tuple[int, int]]:
    """Return the first and the last words of the places where `sought` is, in order."""
    runs = dict(_grouped(sought.code, index)) if sought.code else {}
    runs.update(_worded(sought.folded, index))
    return sorted(runs.items())


def _worded(wanted: list[str], index: WordIndex) -> Iterator[tuple[int, int]]:
    places: list[Sequence[int]] = [index.places.get(word, _NOWHERE) for word in wanted]
    if not places or not all(places):
        return
    rarest = min(range(len(wanted)), key=lambda at: len(places[at]))
    if len(places[rarest]) * len(wanted) > _MOST_COMPARISONS:
        return
    for place in places[rarest]:
        first, after = place - rarest, place - rarest + len(wanted)
        if first >= 0 and index.folded[first:after] == wanted:
            yield first, after - 1


def _grouped(code: str, index: WordIndex) -> Iterator[tuple[int, int]]:
    """Yield where a code stands that is grouped as anyone likes: an IBAN, a telephone number."""
    at = -1
    for _ in range(_MOST_CODES):
        at = index.joined.find(code, at + 1)
        if at < 0:
            return
        first = bisect_left(index.offsets, at)
        after = bisect_left(index.offsets, at + len(code), first)
        if index.offsets[first] == at and index.offsets[after] == at + len(code):
            yield first, after - 1


def _has_case_of(wanted: list[Word], found: Word) -> bool:
    """Tell "Go" from "go": case tells short names from words."""
    text = wanted[0].text
    is_short_name = len(wanted) == 1 and len(text) <= 3 and not text.islower()
    return not is_short_name or not found.text.islower()


def _is_denied(wanted: list[Word], passage: Passage, first: int) -> bool:
    before = passage.words[max(0, first - 2) : first]
    # "No." and "No:" are numbers.
    denials = (word for word in before if word.folded in NEGATIONS)
    is_denied = any(passage.text[word.end : word.end + 1] not in {".", ":"} for word in denials)
    return is_denied and wanted[0].folded not in NEGATIONS


def _in_longer_name(passage: Passage, first: int, last: int) -> bool | None:
    """Tell whether a name goes on around its place; None where it may."""
    text, words = passage.text, passage.words
    if last + 1 < len(words):
        after = words[last + 1]
        # "John Smith Seller: …": what a colon follows is the next label.
        is_label = text[after.end : after.end + 1] == ":"
        is_beside = text[words[last].end : after.start] in {" ", " & "}
        if is_beside and _is_name(after.text) and not is_label:
            return True
    if first == 0:
        return False
    before = words[first - 1]
    if text[before.end : words[first].start] not in {" ", " & "} or not _is_name(before.text):
        return False
    if before.folded in TITLES:
        return False
    return None if passage.row_start(before.start) == before.start else True


def _is_name(text: str) -> bool:
    return len(text) > 1 and text[0].isupper() and text[1:].islower()


def _most(sought: SoughtText, passage: Passage) -> list[Found]:
    """Return the place with the largest share of the telling words, if it is enough.

    A place begins and ends with one of them, is at most twice as long as the text, has all
    numbers of the text, and denies as often.
    """
    wanted, index = sought.telling, passage.index
    total, numbers = sum(wanted.values()), sum(word.isdigit() for word in wanted)
    if total < _WORDS_OF_LONG_TEXT:
        return []
    places = {word: found for word in wanted if (found := index.forms_of(word))}
    if not _is_enough(sum(wanted[word] for word in places), total):
        return []
    if sum(map(len, places.values())) > _MOST_COMPARISONS:
        return []
    denials = sum(word in NEGATIONS for word in sought.folded)
    best, most = (0, 0), 0
    for first, last, share in _windows(wanted, places, 2 * len(sought.words)):
        if share.count <= most or share.numbers < numbers or not _is_enough(share.count, total):
            continue
        if index.denials[last + 1] - index.denials[first] == denials:
            best, most = (first, last), share.count
    if not most:
        return []
    start, end = passage.words[best[0]].start, passage.words[best[1]].end
    return [Found(start, end, 0.9 * (most / total), needs_label=False)]


class _Share:
    """The wanted words that a window has, counted as it moves.

    Attributes:
        count: how many; one that is wanted twice counts twice.
        numbers: how many different ones are numbers.
    """

    def __init__(self, wanted: Mapping[str, int]) -> None:
        self.count = self.numbers = 0
        self._wanted = wanted
        self._times = dict.fromkeys(wanted, 0)

    def add(self, words: Iterable[str]) -> None:
        """Let the window have `words`."""
        for word in words:
            if not self._times[word]:
                self.count += self._wanted[word]
                self.numbers += word.isdigit()
            self._times[word] += 1

    def remove(self, words: Iterable[str]) -> None:
        """Let it leave them behind."""
        for word in words:
            self._times[word] -= 1
            if not self._times[word]:
                self.count -= self._wanted[word]
                self.numbers -= word.isdigit()


def _windows(
    wanted: Mapping[str, int], places: Mapping[str, Sequence[int]], length: int
) -> Iterator[tuple[int, int, _Share]]:
    """Yield the first and the last wanted word of each window that one begins, and its share."""
    words_at: dict[int, list[str]] = defaultdict(list)
    for word, found in places.items():
        for place in found:
            words_at[place].append(word)
    marks, after, share = sorted(words_at), 0, _Share(wanted)
    for first in marks:
        while after < len(marks) and marks[after] < first + length:
            share.add(words_at[marks[after]])
            after += 1
        yield first, marks[after - 1], share
        share.remove(words_at[first])


def _is_enough(count: int, total: int) -> bool:
    return count / total >= SHARE_OF_WORDS
