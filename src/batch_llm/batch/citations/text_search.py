"""Where a text stands in a passage, in whole words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .vocabulary import COMMON_VALUES, NEGATIONS, STOP_WORDS, TITLES
from .words import Word, fold, is_same_word, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .passage import Passage

SHARE_OF_WORDS = 0.8
"""Of the telling words of a long text, so many must be in a passage that supports it."""
_WORDS_OF_LONG_TEXT = 4
_DIGITS_OF_CODE = 6


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


def find_text(value: str, passage: Passage) -> list[Found]:
    """Return the places of `value` in `passage`: in whole words, without case and accents.

    A place that is denied ("no penicillin") or inside of a longer name is none. A text of many
    words that is nowhere as it is may be where most of its words stand together.
    """
    wanted = words_of(value)
    exact = list(_exact(value, wanted, passage))
    return exact or _most(wanted, passage)


def is_common(value: str) -> bool:
    """Tell whether a text is too short or too common to be found without a label."""
    folded = fold(value)
    if any(mark.isdigit() for mark in folded) and any(mark.isalpha() for mark in folded):
        return False
    length = sum(mark.isalnum() for mark in folded)
    is_name = value[:1].isupper()
    return length < (3 if is_name else 4) or folded in COMMON_VALUES


def _exact(value: str, wanted: list[Word], passage: Passage) -> Iterator[Found]:
    words = passage.words
    for first in range(len(words)):
        last = _run(wanted, words, first)
        if last is None or words[first].is_joined_left or words[last].is_joined_right:
            continue
        if not _has_case_of(wanted, words[first]) or _is_denied(wanted, passage, first):
            continue
        longer = _in_longer_name(wanted, passage, first, last)
        if longer is not True:
            needs_label = is_common(value) or longer is None
            yield Found(words[first].start, words[last].end, 1.0, needs_label)


def _run(wanted: list[Word], words: list[Word], first: int) -> int | None:
    """Return the last word of `wanted` in `words` from `first` on, or None if it is not there."""
    last = first + len(wanted) - 1
    if last < len(words) and all(
        word.folded == words[first + at].folded for at, word in enumerate(wanted)
    ):
        return last
    code = "".join(word.folded for word in wanted)
    if len(code) < _DIGITS_OF_CODE or sum(mark.isdigit() for mark in code) * 2 < len(code):
        return None
    # Codes are grouped as anyone likes: an IBAN, a telephone number.
    joined = ""
    for at in range(first, len(words)):
        joined += words[at].folded
        if not code.startswith(joined):
            return None
        if joined == code:
            return at
    return None


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


def _in_longer_name(wanted: list[Word], passage: Passage, first: int, last: int) -> bool | None:
    """Tell whether a name goes on around the place; None where it may."""
    if not all(_is_name(word.text) for word in wanted if word.folded not in STOP_WORDS):
        return False
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


def _most(wanted: list[Word], passage: Passage) -> list[Found]:
    telling = [word.folded for word in wanted if word.folded not in STOP_WORDS | NEGATIONS]
    if len(telling) < _WORDS_OF_LONG_TEXT:
        return []
    best: Found | None = None
    for first in range(len(passage.words)):
        window = passage.words[first : first + len(wanted) * 2]
        found = _share(wanted, telling, window)
        if found and (best is None or found.certainty > best.certainty):
            best = found
    return [best] if best else []


def _share(wanted: list[Word], telling: list[str], window: list[Word]) -> Found | None:
    """Return how much of `telling` is in `window`, if it is enough and says the same."""
    matched = [word for word in window if any(is_same_word(word.folded, one) for one in telling)]
    if not matched or matched[0] is not window[0]:
        return None
    inside = [word for word in window if word.start <= matched[-1].start]
    present = [one for one in telling if any(is_same_word(one, word.folded) for word in inside)]
    share = len(present) / len(telling)
    if share < SHARE_OF_WORDS or any(one.isdigit() for one in set(telling) - set(present)):
        return None
    if _denials(inside) != _denials(wanted):
        return None
    return Found(inside[0].start, inside[-1].end, 0.9 * share, needs_label=False)


def _denials(words: list[Word]) -> int:
    return sum(word.folded in NEGATIONS for word in words)
