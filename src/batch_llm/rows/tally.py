"""Counts of results, and what went wrong most."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .result_row import ResultRow


@dataclass(slots=True)
class FailedRows:
    """Failed rows of one category.

    Attributes:
        category: what the failures mean.
        first_id: the id of the first such row.
        first_error: its error.
        rows: how many there are.
    """

    category: str
    first_id: str
    first_error: str
    rows: int = 0


@dataclass(slots=True)
class Tally:
    """Counts of the results of a run.

    Attributes:
        total: rows that went in.
        failures: failed rows by category; cancelled rows are none of them.
    """

    total: int
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    failures: dict[str, FailedRows] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Rows that have ended."""
        return self.succeeded + self.failed + self.cancelled

    @property
    def all_succeeded(self) -> bool:
        """Whether every row that went in has succeeded."""
        return self.succeeded == self.total

    def add_tokens(self, row: ResultRow) -> None:
        """Count what one result cost, whether or not it can be written."""
        self.input_tokens += row.tokens.get("input_tokens", 0)
        self.output_tokens += row.tokens.get("output_tokens", 0)

    def add(self, row: ResultRow) -> None:
        """Count one result that has been written; its tokens are counted apart."""
        if row.status == "succeeded":
            self.succeeded += 1
        elif row.status == "cancelled":
            self.cancelled += 1
        else:
            self.failed += 1
            self._group(row).rows += 1

    def _group(self, row: ResultRow) -> FailedRows:
        category = row.error_category or "unknown"
        if category not in self.failures:
            self.failures[category] = FailedRows(category, row.id, row.error or "")
        return self.failures[category]
