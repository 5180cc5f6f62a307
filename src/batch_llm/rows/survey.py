"""The first pass over the rows: what would go wrong with all of them, before any call."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..exceptions import InputError
from .row import BrokenRow, Row
from .template import MISSING, FieldPath

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .plan import Entry, RowPlan
    from .source import RowSource

NAMES_REMEMBERED: Final = 1000
"""Field names kept for a hint; rows that name their fields at random may have any number."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What the first pass found.

    Attributes:
        total: rows to work on, unusable ones included.
        unusable: rows that have no prompt.
        fields: names of their fields, in order of appearance; some `NAMES_REMEMBERED` of them
            unless the plan keeps all.
        renamed: lines of rows without a readable id whose line number is another row's id.
    """

    total: int
    unusable: int
    fields: tuple[str, ...]
    renamed: frozenset[int] = frozenset()

    def id_of(self, entry: Entry) -> str:
        """Return the id of the row, which no other row has."""
        if entry.own_id is None and entry.line in self.renamed:
            return entry.place
        return entry.item_id


def survey(source: RowSource, plan: RowPlan) -> Survey:
    """Read all rows once.

    Raises:
        InputError: if there are no rows, none can be read, none has a field that the plan names,
            or two have the same id. The message names the source and the lines.
    """
    names = _FieldNames(plan, source.name)
    ids = _Ids(source.name)
    total = unusable = 0
    for total, row in enumerate(plan.first_rows(source), start=1):
        names.see(row)
        entry = plan.entry(total - 1, row)
        unusable += entry.prompt is None
        ids.see(entry)
    names.check()
    renamed = ids.check(plan.entries(source))
    return Survey(total, unusable, tuple(names.seen), renamed)


class _FieldNames:
    """Which fields the plan names that no row has had so far."""

    def __init__(self, plan: RowPlan, source_name: str) -> None:
        self._source_name = source_name
        self.seen: dict[str, None] = {}
        self._any_row = False
        self._remember_all = plan.keep is None
        self._first_problem: str | None = None
        self._unmet = dict.fromkeys(plan.template.fields, "the prompt template names")
        for name in plan.keep or ():
            self._unmet.setdefault(FieldPath(name), "is to be kept")
        if plan.ids.field is not None:
            self._unmet.setdefault(FieldPath(plan.ids.field), "is to hold the id")

    def see(self, row: Row | BrokenRow) -> None:
        if isinstance(row, BrokenRow):
            self._first_problem = self._first_problem or f"{row.unit} {row.line} {row.reason}"
            return
        self._any_row = True
        if self._remember_all or len(self.seen) < NAMES_REMEMBERED:
            self.seen.update(dict.fromkeys(row.fields))
        if self._unmet:
            met = [path for path in self._unmet if path.find(row.fields) is not MISSING]
            for path in met:
                del self._unmet[path]

    def check(self) -> None:
        """Raise InputError if there is no row, or for the first field that none has."""
        if not self._any_row:
            problem = self._first_problem
            what = f"no row can be read; {problem}." if problem else "there are no rows."
            raise InputError(f"{self._source_name}: {what}")
        for path, role in self._unmet.items():
            raise InputError(
                f"{self._source_name}: no row has the field {path.name!r}, which {role}. "
                f"{self._hint(path)}"
            )

    def _hint(self, path: FieldPath) -> str:
        near = difflib.get_close_matches(path.name, self.seen, n=1)
        if near:
            return f"Did you mean {near[0]!r}?"
        names = list(self.seen)
        shown = ", ".join(map(repr, names[:10])) + (", …" if len(names) > 10 else "")
        return f"There are: {shown}."


class _Ids:
    """Finds ids that stand twice, with some 70 bytes a row and no id kept.

    A hash that comes twice is a suspicion; a second pass over the suspects alone makes sure.
    """

    def __init__(self, source_name: str) -> None:
        self._source_name = source_name
        self._hashes: set[int] = set()
        self._suspects: set[int] = set()

    def see(self, entry: Entry) -> None:
        mark = hash(entry.item_id)
        if mark in self._hashes:
            self._suspects.add(mark)
        self._hashes.add(mark)

    def check(self, entries: Iterable[Entry]) -> frozenset[int]:
        """Return the lines to rename.

        Raises:
            InputError: if two rows have the same id.
        """
        if not self._suspects:
            return frozenset()
        owners: dict[str, Entry] = {}
        nameless: list[Entry] = []
        for entry in self._suspicious(entries):
            if entry.own_id is None and entry.prompt is None:
                nameless.append(entry)
            elif entry.item_id in owners:
                clash = _describe_clash(owners[entry.item_id], entry)
                raise InputError(f"{self._source_name}: {clash}")
            else:
                owners[entry.item_id] = entry
        # Whatever its id may be, a row that cannot be read must not stop the others.
        return frozenset(entry.line for entry in nameless if entry.item_id in owners)

    def _suspicious(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        return (entry for entry in entries if hash(entry.item_id) in self._suspects)


def _describe_clash(first: Entry, second: Entry) -> str:
    for entry, other in ((first, second), (second, first)):
        if entry.own_id is None:
            return (
                f"{entry.place} has no id and would be named after its number, which is "
                f"the id on {other.place}. Give every row an id of its own."
            )
    return (
        f"the id {first.item_id!r} stands on {first.place} and on {second.place}. "
        f"Give every row an id of its own."
    )
