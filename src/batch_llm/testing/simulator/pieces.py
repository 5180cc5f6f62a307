"""What is sent in pieces."""

from __future__ import annotations

from typing import TypeVar

TText = TypeVar("TText", str, bytes)


def cut(text: TText, size: int) -> list[TText]:
    """Return a text in pieces of `size`, the last one as long as what is left; none for ""."""
    return [text[start : start + size] for start in range(0, len(text), size)]
