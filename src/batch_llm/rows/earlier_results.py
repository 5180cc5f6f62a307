"""What a ledger tells of the rows of a file before a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import InputError
from .row import BrokenRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..ledger import KeptOutcome, LedgerReader
    from .row import Row


class EarlierResults:
    """How rows ended in earlier runs, by their ids; some 300 bytes a row, and no answer.

    Args:
        ledger: where that is kept; None where there is none yet.

    Raises:
        LedgerError: if it cannot be read.
    """

    def __init__(self, ledger: LedgerReader | None) -> None:
        self._failed: set[str] = set()
        self._succeeded: dict[str, float] = {}
        self._digests: set[bytes] = set()
        # An id may stand in several successes, of other prompts or models.
        self._others: set[tuple[str, float]] = set()
        for row in () if ledger is None else ledger.results(all=True):
            if row.outcome == "failed":
                if row.digest not in self._digests:  # else its success stands
                    self._failed.add(row.item_id)
                continue
            self._failed.discard(row.item_id)
            if row.item_id in self._succeeded:
                self._others.add((row.item_id, round(row.duration_seconds, 6)))
            self._succeeded.setdefault(row.item_id, round(row.duration_seconds, 6))
            self._digests.add(row.digest)

    def __len__(self) -> int:
        return len(self._succeeded.keys() | self._failed)

    def outcome(self, row_id: str) -> KeptOutcome | None:
        """Return how the row of this id ended last; None where it has not."""
        if row_id in self._failed:
            return "failed"
        return "succeeded" if row_id in self._succeeded else None

    def has_success(self, digest: bytes) -> bool:
        """Return whether the item of this digest (`ItemIdentity.digest`) has succeeded."""
        return digest in self._digests

    def hold_all_of(self, file: Iterable[Row | BrokenRow]) -> bool:
        """Return whether `file` is one of results, none of whose successes would be lost with it.

        A success is known again by its id and its duration, which goes to the microsecond. The
        last line of a file whose writer was killed may be cut.
        """
        try:
            return next(self._strangers(file), None) is None
        except InputError:
            return False

    def count_unknown(self, file: Iterable[Row | BrokenRow]) -> int:
        """Return how many rows of `file` would be lost with it, of those that can be read."""
        count = 0
        try:
            for _ in self._strangers(file):
                count += 1
        except InputError:
            pass  # nobody can read the rest: a table of columns whose writer was killed
        return count

    def _strangers(self, file: Iterable[Row | BrokenRow]) -> Iterator[Row | BrokenRow]:
        broken: BrokenRow | None = None
        for row in file:
            if broken is not None:
                yield broken
            broken = row if isinstance(row, BrokenRow) else None
            if not isinstance(row, BrokenRow) and not self._is_known(row.fields):
                yield row

    def _is_known(self, fields: Mapping[str, object]) -> bool:
        status, row_id = fields.get("status"), str(fields.get("id"))
        if status != "succeeded":
            return status in ("failed", "cancelled") and "error_category" in fields
        try:
            seconds = round(float(str(fields.get("duration_seconds"))), 6)
        except ValueError:
            return False
        return self._succeeded.get(row_id) == seconds or (row_id, seconds) in self._others
