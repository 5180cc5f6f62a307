"""Digits that count places of a text and are no values: notes, items of lists, pages, figures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .vocabulary import word_set
from .words import fold, stem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_IN_BRACKETS = re.compile(
    r"(?:(?P<word>(?<![^\W\d_])[^\W\d_]+|[\d:=+])[ \u00a0]?)?"
    r"(?P<mark>\[\d{1,3}(?:[ ]?[,;\u2013-][ ]?\d{1,3})*\]|\(\d{1,2}\))"
)
_OF_LIST = re.compile(r"^[ \t]*(?P<mark>\d{1,3})[.)](?=[ \t]+[^\W\d_])", re.MULTILINE)
_NAMED = re.compile(
    r"(?<![^\W_])(?P<word>[^\W\d_]{1,12})\.?[ \u00a0](?P<mark>\d{1,3})(?![\d.,]*\d)"
)
_PLACES = frozenset(map(stem, word_set("""
    page pp seite figure fig abbildung abb table tabelle tableau section sec abschnitt chapter
    kapitel chapitre clause klausel ziffer article artikel appendix annex annexe anhang exhibit
    schedule footnote note fussnote paragraph step slide schritt etape
""")))  # fmt: skip
_RANKS = word_set("rank position pos place number no nr index item line step rang platz")
_COUNTS = word_set("count total quantity anzahl nombre")


@dataclass(frozen=True, slots=True)
class Marker:
    """A marker in a text.

    Attributes:
        start: its first character.
        end: the place after its last.
        names: words in the names of fields that it is a value of nevertheless: "page" for the 3 of
            "page 3", "rank" for the number of a list's item; none for a note's.
    """

    start: int
    end: int
    names: frozenset[str] = frozenset()

    def is_value_of(self, name: Collection[str]) -> bool:
        """Tell whether a field with such words in its name may be for this very number."""
        return not self.names.isdisjoint(name) and _COUNTS.isdisjoint(name)


def find_markers(text: str, number_words: Collection[str]) -> list[Marker]:
    """Return the markers in `text`, in order.

    Args:
        text: any.
        number_words: folded words that mean a number. After one, as after a digit, a colon or an
            equals sign, brackets hold a value: "thirty (30)", "scores: [7]".
    """
    found = [*_bracketed(text, number_words), *_items(text), *_named(text)]
    return sorted(found, key=lambda one: one.start)


def _bracketed(text: str, number_words: Collection[str]) -> Iterator[Marker]:
    for match in _IN_BRACKETS.finditer(text):
        word = match["word"] or "["
        if not word.isdigit() and word not in ":=+" and fold(word) not in number_words:
            yield Marker(match.start("mark"), match.end("mark"))


def _items(text: str) -> Iterator[Marker]:
    for match in _OF_LIST.finditer(text):
        yield Marker(match.start("mark"), match.end("mark"), _RANKS)


def _named(text: str) -> Iterator[Marker]:
    for match in _NAMED.finditer(text):
        place = stem(fold(match["word"]))
        if place in _PLACES:
            yield Marker(match.start("mark"), match.end("mark"), frozenset({place}))
