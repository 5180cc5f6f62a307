"""A text in the pieces of a stream."""

from __future__ import annotations

from typing import Final

from ..pieces import cut

_PIECE_LETTERS: Final = 4
_PADDED_LETTERS: Final = 16
_PADDING: Final = "q7Zt1LxW9mKd3RvB"


def pieces_of(text: str) -> list[str]:
    """Return the text in pieces of four characters; none for an empty one."""
    return cut(text, _PIECE_LETTERS)


def padding(letters: int) -> str:
    """Return what makes a piece of `letters` characters as long as the others."""
    return _PADDING[: max(0, _PADDED_LETTERS - letters)]
