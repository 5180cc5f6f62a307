"""A part of an answer with what it cites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...base.citation import Citation


@dataclass(frozen=True, slots=True)
class CitedText:
    """A part of an answer's text, with the citations that the provider gives for it.

    Attributes:
        text: the part, as the model wrote it.
        citations: what it rests on; empty for a part that cites nothing.
    """

    text: str
    citations: tuple[Citation, ...] = ()


def all_citations(parts: Iterable[CitedText]) -> list[Citation]:
    """Return the citations of all parts, each once, in the order in which they come."""
    return list(dict.fromkeys(citation for part in parts for citation in part.citations))
