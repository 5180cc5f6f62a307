"""What an answer cites, in the provider's own words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class CitedSpan:
    """A passage of an answer, and what it rests on.

    Attributes:
        start: of the passage in the answer's text, in characters.
        end: behind its last character.
        locations: the places that the provider names, as its JSON has them.
    """

    start: int
    end: int
    locations: Sequence[dict[str, Any]] = field(repr=False)
