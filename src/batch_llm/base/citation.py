"""The passage that a part of an answer rests on."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from ..exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

CitationKind: TypeAlias = Literal["char", "page", "block", "grounding"]
"""What `Citation.start` and `end` count."""


@dataclass(frozen=True, slots=True)
class Citation:
    """The passage that a part of an answer rests on.

    Attributes:
        cited_text: the passage as the provider quotes it; "" where it quotes none.
        document_index: which document of the request, from 0; None where it is none of these.
        document_title: its title, where it has one.
        kind: what `start` and `end` count: "char", characters of a text, from 0; "page", pages of
            a PDF, from 1; "block", content blocks, from 0; "grounding", characters of the answer,
            from 0, which rest on what a search found.
        start: the first of them; None where the provider does not tell.
        end: the one after the last.
        url: where the source is, if it is an address.
        answer_start: the first character of the answer's text that rests on the passage, from 0;
            None where the provider does not tell.
        answer_end: the character after the last of these.
    """

    cited_text: str
    document_index: int | None
    document_title: str | None
    kind: CitationKind
    start: int | None
    end: int | None
    url: str | None = None
    answer_start: int | None = None
    answer_end: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(CitationKind):
            raise InputError(
                f"Citation.kind is one of {', '.join(get_args(CitationKind))}, not {self.kind!r}."
            )

    def to_dict(self) -> dict[str, object]:
        """Return the fields by name, as JSON has them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Citation:
        """Return the citation that `to_dict` was called on.

        Raises:
            InputError: if `data` is of no citation.
        """
        try:
            return cls(**data)  # type: ignore[arg-type]  # what they are was checked as they went
        except TypeError:
            raise InputError("A citation has other fields than Citation.to_dict writes.") from None
