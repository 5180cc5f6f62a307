"""A text of which a vector is wanted, and the vector."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base.usage import TokenUsage


@dataclass(frozen=True, slots=True)
class EmbeddingText:
    """A text of which a vector is wanted.

    Attributes:
        text: the text.
        dimensions: of the vector; None leaves them to the model.
    """

    text: str
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Embedding:
    """A vector.

    Attributes:
        values: its numbers.
        usage: tokens billed.
        model: that made it, as the provider names it, or None.
    """

    values: Sequence[float] = field(repr=False)
    usage: TokenUsage
    model: str | None
