"""A field's value, with the passage that it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exceptions import InputError
from .citation import Citation

if TYPE_CHECKING:
    from collections.abc import Mapping


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

    def to_dict(self) -> dict[str, object]:
        """Return the fields by name, as JSON has them."""
        return {
            "citation": self.citation.to_dict(),
            "confidence": self.confidence,
            "start": self.start,
            "end": self.end,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CitedValue:
        """Return the value that `to_dict` was called on.

        Raises:
            InputError: if `data` is of no cited value.
        """
        try:
            return cls(**{**data, "citation": Citation.from_dict(data["citation"])})
        except (KeyError, TypeError):
            raise InputError(
                "A cited value has other fields than CitedValue.to_dict writes."
            ) from None
