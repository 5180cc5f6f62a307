"""A part of an answer with what it cites, and a field's value with its passage."""

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


@dataclass(frozen=True, slots=True)
class CitedValue:
    """A citation that supports the value of one field.

    Attributes:
        citation: the passage.
        confidence: from 0 to 1, about how likely it is that the passage states this field. From
            0.9: words of the field's name stand beside the value, or the model itself cited the
            passage where it wrote the field. From 0.75: they are in the same passage, or the value
            is in the row of its list item. From 0.65: only the value tells, and it is a rare one.
            Below: one reading of several, such as 03/04/24, a place in a list, or most of a long
            text's words.
        start: where the value begins in `citation.cited_text`, in characters.
        end: the character after its last.
    """

    citation: Citation
    confidence: float
    start: int
    end: int


def all_citations(parts: Iterable[CitedText]) -> list[Citation]:
    """Return the citations of all parts, each once, in the order in which they come."""
    return list(dict.fromkeys(citation for part in parts for citation in part.citations))
