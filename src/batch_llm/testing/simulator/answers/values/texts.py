"""Texts of a length, a pattern and a format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .....exceptions import InputError
from .formats import FORMATS, text_of_format
from .pattern import parse_pattern
from .words import some_letters, some_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .draws import Draws
    from .pattern import Piece

TEXT_WORDS: Final = frozenset({"minLength", "maxLength", "pattern", "format", "contentEncoding"})
_USUAL_MORE: Final = 8
_MOST_CHARACTERS: Final = 200_000


class Texts:
    """Makes texts.

    Args:
        parts: the schemas that they fit.

    Raises:
        InputError: for a pattern that cannot be followed, or a text too long to be made.
    """

    def __init__(self, parts: Sequence[Mapping[str, Any]]) -> None:
        self._least = max((int(part.get("minLength", 0)) for part in parts), default=0)
        limits = [int(part["maxLength"]) for part in parts if "maxLength" in part]
        self._most = min(limits) if limits else None
        patterns = dict.fromkeys(part["pattern"] for part in parts if "pattern" in part)
        self._patterns = [(pattern, parse_pattern(pattern)) for pattern in patterns]
        named = (part.get("format") for part in parts)
        longest = max(self._least, *(piece.least for _, piece in self._patterns), 0)
        if longest > _MOST_CHARACTERS:
            raise InputError(f"it asks for a text of {longest:,} characters")
        self._formats = [name for name in named if name in FORMATS]

    def ends_within(self, levels: int) -> bool:
        """Say whether there is any."""
        return self._most is None or self._least <= self._most

    def make(self, draws: Draws, depth: int) -> str:
        """Return a text. With a pattern and a format, or with two, it may fit only one of them."""
        ways = len(self._patterns) + len(self._formats)
        if ways == 0:
            return some_words(draws, self._least, self._most)
        way = draws.below(ways)
        if way < len(self._patterns):
            return self._fitting(draws, *self._patterns[way])
        return text_of_format(self._formats[way - len(self._patterns)], draws, self._least)

    def _fitting(self, draws: Draws, pattern: str, piece: Piece) -> str:
        most = piece.most if self._most is None else min(piece.most, self._most)
        low = max(piece.least, self._least)
        width = draws.between(low, max(low, min(most, low + _USUAL_MORE)))
        text = piece.text(draws, width)
        lacking = self._least - len(text)
        if lacking <= 0:
            return text
        # A pattern is found anywhere in a text: one that is not tied to an edge may stand in more.
        filling = some_letters(draws, lacking)
        return text + filling if pattern.startswith("^") else filling + text
