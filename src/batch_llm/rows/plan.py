"""From a row to what is asked about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from ..exceptions import InputError
from .identity import ANY_USUAL_FIELD, IdRule
from .row import BrokenRow, Row
from .template import MISSING, FieldPath

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from .row import Fields
    from .template import PromptTemplate


@dataclass(slots=True)
class Entry:
    """A row with its id, and with its prompt or the reason why it has none.

    Attributes:
        position: its place among the rows, from 0.
        line: the line on which it begins, from 1.
        own_id: the id that stands in the row; None where it has none, or cannot be read.
        prompt: what to ask; None where the row cannot be used.
        reason: why it cannot be used, as a sentence; None where it can.
        kept: the fields that its result repeats; None where none are kept.
    """

    position: int
    line: int
    own_id: str | None
    prompt: str | None = field(default=None, repr=False)
    reason: str | None = None
    kept: Fields | None = field(default=None, repr=False)

    @property
    def item_id(self) -> str:
        """The row's own id, else its line."""
        return str(self.line) if self.own_id is None else self.own_id


@dataclass(frozen=True, slots=True)
class RowPlan:
    """What is made of each row.

    Args:
        template: the prompt.
        ids: where the id of a row stands.
        keep: fields that each result repeats; None repeats all of them.
        limit: rows to take from the start; None takes all.
    """

    template: PromptTemplate
    ids: IdRule = ANY_USUAL_FIELD
    keep: Collection[str] | None = ()
    limit: int | None = None

    def first_rows(self, source: Iterable[Row | BrokenRow]) -> Iterator[Row | BrokenRow]:
        """Yield the rows of `source` that the limit lets through."""
        return islice(source, self.limit)

    def entries(self, source: Iterable[Row | BrokenRow]) -> Iterator[Entry]:
        """Yield one entry for each row that the limit lets through, in order."""
        for position, row in enumerate(self.first_rows(source)):
            yield self.entry(position, row)

    def entry(self, position: int, row: Row | BrokenRow) -> Entry:
        """Return what is made of `row`."""
        if isinstance(row, BrokenRow):
            return self._broken(position, row)
        kept = self._kept(row.fields)
        try:
            own_id = self.ids.id_of(row.fields)
        except InputError as error:
            return Entry(position, row.line, None, reason=f"Line {row.line} {error}.", kept=kept)
        values = self.template.values(row.fields)
        missing = [path for path, value in values.items() if value is MISSING]
        if missing:
            reason = f"Line {row.line} has no {_name_fields(missing)}."
            return Entry(position, row.line, own_id, reason=reason, kept=kept)
        prompt = self.template.fill(values)
        if not prompt.strip():
            reason = f"Line {row.line} makes an empty prompt."
            return Entry(position, row.line, own_id, reason=reason, kept=kept)
        return Entry(position, row.line, own_id, prompt, kept=kept)

    def _broken(self, position: int, row: BrokenRow) -> Entry:
        reason = f"Line {row.line} {row.reason}."
        try:
            own_id = self.ids.id_of(row.fields)
        except InputError:
            own_id = None  # it stands in what cannot be read, or is no id: the line names the row
        kept = self._kept(row.fields) if row.fields else None
        return Entry(position, row.line, own_id, reason=reason, kept=kept)

    def _kept(self, fields: Fields) -> Fields | None:
        if self.keep is None:
            return fields
        if not self.keep:
            return None
        found = {name: FieldPath(name).find(fields) for name in self.keep}
        return {name: value for name, value in found.items() if value is not MISSING}


def _name_fields(paths: Iterable[FieldPath]) -> str:
    names = [repr(path.name) for path in paths]
    return f"field {names[0]}" if len(names) == 1 else f"fields {', '.join(names)}"
