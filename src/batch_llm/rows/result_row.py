"""One record of the output: how one row ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..base import empty_usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base import Outcome, TokenUsage
    from ..base.results import Origin
    from .row import Fields

INPUT_ERROR = "input_error"
"""The category of rows that failed before any call."""

RESULT_COLUMNS: Final = (
    "id",
    "line",
    "status",
    "output",
    "error",
    "error_category",
    "attempts",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cost_usd",
    "unanswered_calls",
    "duration_seconds",
    "origin",
    "finish_reason",
)
"""The record's fields where it is a row of a table."""

RUN_COLUMNS: Final = (*RESULT_COLUMNS, "run")
"""Likewise, where rows of several runs stand in one table."""


@dataclass(slots=True, kw_only=True)
class ResultRow:
    """How one row ended.

    Attributes:
        id: the row's id.
        line: the line of the input on which it begins, or its number in a table; None where only a
            ledger knows of the row.
        status: "succeeded", "failed" or "cancelled".
        output: the answer: text, or a JSON-ready value or pydantic model where a schema was given.
        error: "ExceptionType: message" where it did not succeed.
        error_category: as in `WorkItemResult`, or `INPUT_ERROR`.
        attempts: calls made.
        tokens: tokens of all attempts.
        cost_usd: what all answered attempts cost; None where that is not known. Where `origin` is
            not "call", what they cost then: nothing was paid anew.
        unanswered_calls: calls whose answers never came, and which may be billed nevertheless;
            they are not in `cost_usd`.
        duration_seconds: from the row's start to its end, waits included.
        origin: where the answer came from, as in `WorkItemResult`; None for a row that never got so
            far.
        finish_reason: why the answer ended, as in `WorkItemResult`: "length" where it was cut.
        run: the number of the run in which it ended; None where all are of one.
        input: the fields of the row that were to be kept; None where none were.
    """

    id: str
    line: int | None
    status: Outcome
    output: object = None
    error: str | None = None
    error_category: str | None = None
    attempts: int = 0
    tokens: TokenUsage = field(default_factory=empty_usage)
    cost_usd: float | None = 0.0
    unanswered_calls: int = 0
    duration_seconds: float = 0.0
    origin: Origin | None = None
    finish_reason: str | None = None
    run: int | None = None
    input: Fields | None = None

    @property
    def is_truncated(self) -> bool:
        """Whether it has an answer that was cut at the token limit."""
        return self.status == "succeeded" and self.finish_reason == "length"

    def as_dict(self) -> dict[str, object]:
        """Return the record's fields in the order in which they are written."""
        values: dict[str, object] = {
            "id": self.id,
            "line": self.line,
            "status": self.status,
            "output": self.output,
            "error": self.error,
            "error_category": self.error_category,
            "attempts": self.attempts,
            "tokens": self.tokens,
            "cost_usd": self.cost_usd,
            "unanswered_calls": self.unanswered_calls,
            "duration_seconds": round(self.duration_seconds, 6),
            "origin": self.origin,
            "finish_reason": self.finish_reason,
        }
        if self.run is not None:
            values["run"] = self.run
        if self.input is not None:
            values["input"] = self.input
        return values

    def as_columns(self, columns: Sequence[str] = RESULT_COLUMNS) -> dict[str, object]:
        """Return the values of `columns`, in their order."""
        values = {"run": self.run, **self.as_dict(), **self.tokens}
        return {name: values[name] for name in columns}
