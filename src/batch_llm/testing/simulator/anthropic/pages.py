"""Lists, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..exchange import json_response
from .refusal import RefusedError, check_range, wrong_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..exchange import Response

_USUAL: Final = 20
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted.

    Attributes:
        limit: the most things on the page.
        after: id of the thing before the first one wanted; None where it does not matter.
        before: id of the thing behind the last one wanted; None where it does not matter.
    """

    limit: int
    after: str | None
    before: str | None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> PageRequest:
        """Read it from the parameters of an address.

        Raises:
            RefusedError: for a limit that is none, or for two cursors.
        """
        after, before = query.get("after_id") or None, query.get("before_id") or None
        if after is not None and before is not None:
            raise RefusedError("Only one of `after_id` and `before_id` may be given.")
        return cls(_limit(query.get("limit")), after, before)

    def cut(self, things: Sequence[tuple[str, Any]]) -> Response:
        """Return the page of a list of (id, encoded thing).

        Raises:
            RefusedError: for a cursor that is not in the list.
        """
        if self.before is not None:
            end = _index(things, "before_id", self.before)
            start = max(0, end - self.limit)
            has_more = start > 0
        else:
            start = 0 if self.after is None else _index(things, "after_id", self.after) + 1
            end = start + self.limit
            has_more = end < len(things)
        page = things[start:end]
        return json_response(
            {
                "data": [thing for _, thing in page],
                "has_more": has_more,
                "first_id": page[0][0] if page else None,
                "last_id": page[-1][0] if page else None,
            }
        )


def _limit(text: str | None) -> int:
    if text is None:
        return _USUAL
    if not text.isascii() or not text.lstrip("-").isdecimal() or len(text) > 18:
        raise wrong_kind("limit", "integer")
    limit = int(text)
    check_range("limit", limit, 1, _MOST)
    return limit


def _index(things: Sequence[tuple[str, Any]], name: str, wanted: str) -> int:
    for index, (identifier, _) in enumerate(things):
        if identifier == wanted:
            return index
    raise RefusedError(f"{name}: there is no object with the id {wanted}")
