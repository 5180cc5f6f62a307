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

    from .row import Fields, Unit
    from .template import PromptTemplate


@dataclass(slots=True)
class Entry:
    """A row with its id, and with its prompt or the reason why it has none.

    Attributes:
        position: its place among the rows, from 0.
        line: the line on which it begins, or its number in a table, from 1.
        own_id: the id that stands in the row; None where it has none, or cannot be read.
        prompt: what to ask; None where the row cannot be used.
        reason: why it cannot be used, as a sentence; None where it can.
        kept: the fields that its result repeats; None where none are kept.
        unit: what `line` counts.
    """

    position: int
    line: int
    own_id: str | None
    prompt: str | None = field(default=None, repr=False)
    reason: str | None = None
    kept: Fields | None = field(default=None, repr=False)
    unit: Unit = "line"

    @property
    def place(self) -> str:
        """Where it stands, such as "line 3"."""
        return f"{self.unit} {self.line}"

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
        made = Entry(position, row.line, own_id=None, kept=self._kept(row.fields), unit=row.unit)
        try:
            made.own_id = self.ids.id_of(row.fields)
            made.prompt = self._prompt(row)
        except InputError as error:
            made.reason = f"{made.place.capitalize()} {error}."
        return made

    def _prompt(self, row: Row) -> str:
        """Return the prompt, which is not blank.

        Raises:
            InputError: if there is none. The message ends a sentence that begins with the line.
        """
        values = self.template.values(row.fields)
        missing = [path for path, value in values.items() if value is MISSING]
        for path in missing:
            kind = row.unfit.get(path.name) or row.unfit.get(path.name.partition(".")[0])
            if kind is not None:
                raise InputError(f"has in the field {path.name!r} what no prompt can hold: {kind}")
        absent = [path for path in missing if path.name not in row.empty]
        if absent:
            raise InputError(f"has no {_name_fields(absent)}")
        if missing:
            raise InputError(f"has nothing (None or NaN) in the {_name_fields(missing)}")
        nulls = [path for path, value in values.items() if value is None]
        if nulls:
            raise InputError(f"has null in the {_name_fields(nulls)}")
        prompt = self.template.fill(values)
        if not prompt.strip():
            raise InputError("makes an empty prompt")
        return prompt

    def _broken(self, position: int, row: BrokenRow) -> Entry:
        try:
            own_id = self.ids.id_of(row.fields)
        except InputError:
            own_id = None  # it stands in what cannot be read, or is no id: the line names the row
        kept = self._kept(row.fields) if row.fields else None
        made = Entry(position, row.line, own_id, kept=kept, unit=row.unit)
        made.reason = f"{made.place.capitalize()} {row.reason}."
        return made

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
