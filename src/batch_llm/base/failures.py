"""Failed items, grouped by cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .results import WorkItemResult


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Items that failed for one cause.

    Attributes:
        category: what the failures mean, as in `WorkItemResult.error_category`.
        error_type: the exception's type ("ServerError"); "" where there was none.
        count: how many items.
        first_item_id: the first of them in the results.
        first_error: its error, as in `WorkItemResult.error`.
    """

    category: str
    error_type: str
    count: int
    first_item_id: str
    first_error: str


def group_failures(results: Iterable[WorkItemResult[Any, Any]]) -> list[FailureGroup]:
    """Return the groups, the largest first; equal ones in the order of their first items."""
    counts: dict[tuple[str, str], int] = {}
    firsts: dict[tuple[str, str], WorkItemResult[Any, Any]] = {}
    for result in results:
        if not result.success:
            cause = (result.error_category or "unknown", _error_type(result))
            counts[cause] = counts.get(cause, 0) + 1
            firsts.setdefault(cause, result)
    groups = [
        FailureGroup(*cause, counts[cause], first.item_id, first.error or "")
        for cause, first in firsts.items()
    ]
    return sorted(groups, key=lambda group: -group.count)


def _error_type(result: WorkItemResult[Any, Any]) -> str:
    if result.exception is not None:
        return type(result.exception).__name__
    name, colon, _ = (result.error or "").partition(":")
    return name if colon and name.isidentifier() else ""
