"""One record of a file or a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Fields: TypeAlias = Mapping[str, object]

Unit: TypeAlias = Literal["line", "row"]
"""What is counted in a source: the lines of a text, or the rows of a table."""


@dataclass(slots=True)
class Row:
    """A record that could be read.

    Attributes:
        line: the line on which it begins, or its number in a table, from 1; blank lines count.
        fields: its values by name, JSON-ready. From CSV all of them are strings. What a table
            has no value for is not among them.
        unit: what `line` counts.
        unfit: fields whose values are not JSON-ready, and what each is, as the end of a sentence
            that quotes nothing of it. They are not among `fields`.
        empty: names of fields that a table has no value for (None, NaN).
    """

    line: int
    fields: Fields
    unit: Unit = "line"
    unfit: Mapping[str, str] = field(default_factory=dict)
    empty: Sequence[str] = ()


@dataclass(slots=True)
class BrokenRow:
    """A record that could not be read.

    Attributes:
        line: the line on which it begins, or its number in a table, from 1.
        reason: what is wrong, as the end of a sentence that begins with the line. It quotes nothing
            of the record, which may hold what belongs in no log.
        fields: those of its values that could be read nevertheless.
        unit: what `line` counts.
    """

    line: int
    reason: str
    fields: Fields = field(default_factory=dict)
    unit: Unit = "line"
