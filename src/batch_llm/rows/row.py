"""One record of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    Fields: TypeAlias = Mapping[str, object]


@dataclass(slots=True)
class Row:
    """A record that could be read.

    Attributes:
        line: the line on which it begins, from 1; blank lines count.
        fields: its values by name, JSON-ready. From CSV all of them are strings.
    """

    line: int
    fields: Fields


@dataclass(slots=True)
class BrokenRow:
    """A record that could not be read.

    Attributes:
        line: the line on which it begins, from 1.
        reason: what is wrong, as the end of a sentence that begins with the line. It quotes nothing
            of the record, which may hold what belongs in no log.
        fields: those of its values that could be read nevertheless.
    """

    line: int
    reason: str
    fields: Fields = field(default_factory=dict)
