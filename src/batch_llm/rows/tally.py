"""Counts of results, and what went wrong most."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..ledger import KeptOutcome
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
        truncated: rows whose answers were cut at the token limit; they count as succeeded.
        input_tokens: of this run's own calls, as are all counts of tokens and money.
        cost_usd: what answered calls of a known price cost.
        called: rows that had a call of their own.
        unpriced: those of them whose cost is not known.
        unanswered_calls: calls whose answers never came; they may be billed, and are in no cost.
        replayed: rows that an earlier run had finished, and a ledger kept.
        cached: rows that a ledger answered with what it keeps for an equal request.
        shared: rows that were answered by the call of an equal one.
        failures_tried_again: rows that had a call because they failed in an earlier run.
        changed: rows that had a call although they succeeded in an earlier run: what is asked, or
            of whom, is not the same any longer.
        failures: failed rows by category; cancelled rows are none of them.
    """

    total: int
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    truncated: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    called: int = 0
    unpriced: int = 0
    unanswered_calls: int = 0
    replayed: int = 0
    cached: int = 0
    shared: int = 0
    failures_tried_again: int = 0
    changed: int = 0
    failures: dict[str, FailedRows] = field(default_factory=dict)

    @property
    def done(self) -> int:
        """Rows that have ended."""
        return self.succeeded + self.failed + self.cancelled

    @property
    def all_succeeded(self) -> bool:
        """Whether every row that went in has succeeded."""
        return self.succeeded == self.total

    def add_cost(self, row: ResultRow) -> None:
        """Count where one result came from and what it cost, whether or not it can be written."""
        match row.origin:
            case "ledger":
                self.replayed += 1
            case "cache":
                self.cached += 1
            case "twin":
                self.shared += 1
            case "call":
                self._add_calls(row)
            case None:
                pass  # it never got so far

    def add_repeated(self, earlier: KeptOutcome | None) -> None:
        """Count a row that had a call, by how it ended in an earlier run."""
        self.failures_tried_again += earlier == "failed"
        self.changed += earlier == "succeeded"

    def add(self, row: ResultRow) -> None:
        """Count one result that has been written; its tokens are counted apart."""
        if row.status == "succeeded":
            self.succeeded += 1
            self.truncated += row.is_truncated
        elif row.status == "cancelled":
            self.cancelled += 1
        else:
            self.failed += 1
            self._group(row).rows += 1

    def _add_calls(self, row: ResultRow) -> None:
        self.input_tokens += row.tokens.get("input_tokens", 0)
        self.output_tokens += row.tokens.get("output_tokens", 0)
        self.called += row.attempts > 0
        self.unpriced += row.cost_usd is None
        self.cost_usd += row.cost_usd or 0.0
        self.unanswered_calls += row.unanswered_calls

    def _group(self, row: ResultRow) -> FailedRows:
        category = row.error_category or "unknown"
        if category not in self.failures:
            self.failures[category] = FailedRows(category, row.id, row.error or "")
        return self.failures[category]
