"""One record of the output: how one row ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..base import empty_usage

if TYPE_CHECKING:
    from ..base import Outcome, TokenUsage
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
    "duration_seconds",
)
"""The record's fields where it is a row of a table."""


@dataclass(slots=True, kw_only=True)
class ResultRow:
    """How one row ended.

    Attributes:
        id: the row's id.
        line: the line of the input on which it begins, or its number in a table.
        status: "succeeded", "failed" or "cancelled".
        output: the answer: text, or a JSON-ready value or pydantic model where a schema was given.
        error: "ExceptionType: message" where it did not succeed.
        error_category: as in `WorkItemResult`, or `INPUT_ERROR`.
        attempts: calls made.
        tokens: tokens of all attempts.
        duration_seconds: from the row's start to its end, waits included.
        input: the fields of the row that were to be kept; None where none were.
    """

    id: str
    line: int
    status: Outcome
    output: object = None
    error: str | None = None
    error_category: str | None = None
    attempts: int = 0
    tokens: TokenUsage = field(default_factory=empty_usage)
    duration_seconds: float = 0.0
    input: Fields | None = None

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
            "duration_seconds": round(self.duration_seconds, 6),
        }
        if self.input is not None:
            values["input"] = self.input
        return values

    def as_columns(self) -> dict[str, object]:
        """Return the values of `RESULT_COLUMNS`, in their order."""
        values = {**self.as_dict(), **self.tokens}
        return {name: values[name] for name in RESULT_COLUMNS}
