"""A text as whole words, with their places."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f])*(?:[+#]+(?!\w))?")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_JOINERS = frozenset("-\u2010\u2011_@.&:")
_ELISIONS = frozenset("'\u2019")
_PREFIX_LENGTH = 5


@dataclass(frozen=True, slots=True)
class Word:
    """One word.

    Attributes:
        folded: without case and accents.
        text: as it stands.
        start: its first character's place.
        end: the place after its last.
        is_joined_left: it is the rest of a longer token, as "Smith" in "Lee-Smith".
        is_joined_right: it is the beginning of one.
    """

    folded: str
    text: str
    start: int
    end: int
    is_joined_left: bool
    is_joined_right: bool


def fold(text: str) -> str:
    """Return `text` without case, accents and the other ways that Unicode has to write it."""
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark)).casefold()


def words_of(text: str) -> list[Word]:
    """Return the words of `text`, in order."""
    return [
        Word(
            fold(match[0]),
            match[0],
            match.start(),
            match.end(),
            _is_joined(text, match.start() - 1, match.start() - 2),
            _is_joined(text, match.end(), match.end() + 1)
            and not _is_possessive(text, match.end()),
        )
        for match in _WORD.finditer(text)
    ]


def _is_joined(text: str, at: int, beyond: int) -> bool:
    if not (0 <= at < len(text) and 0 <= beyond < len(text)):
        return False
    return text[at] in _JOINERS and text[beyond].isalnum()


def _is_possessive(text: str, at: int) -> bool:
    return text[at] in _ELISIONS and text[at + 1 : at + 2] in {"s", "S"}


@lru_cache(maxsize=1_024)
def name_words(name: str) -> tuple[str, ...]:
    """Return the words of a field's name, in snake or camel case."""
    return tuple(word.folded for word in words_of(_CAMEL.sub(" ", name).replace("_", " ")))


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """Return `word` without the ending of a plural."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def root(word: str) -> str:
    """Return the beginning of a folded word that all its forms share."""
    return stem(word)[:_PREFIX_LENGTH]


@lru_cache(maxsize=16_384)
def is_same_word(left: str, right: str) -> bool:
    """Tell whether two folded words are forms of one: "employees" and "employed" are."""
    left, right = stem(left), stem(right)
    if left == right:
        return True
    shared = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        shared += 1
    return shared >= _PREFIX_LENGTH and shared * 5 >= max(len(left), len(right)) * 3
