"""Lists, page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..exchange import json_response
from .refusal import RefusedError, not_among, out_of_range, wrong_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..exchange import Response

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted.

    Attributes:
        limit: the most things on the page.
        after: id of the last thing of the page before; None for the first page.
        ascending: whether the oldest comes first.
    """

    limit: int
    after: str | None
    ascending: bool

    @classmethod
    def of(cls, query: Mapping[str, str], *, most: int, usual: int) -> PageRequest:
        """Read it from the parameters of an address.

        Args:
            query: the parameters.
            most: the largest limit.
            usual: the limit where none is named.

        Raises:
            RefusedError: for a limit or an order that is none.
        """
        order = query.get("order", "desc")
        if order not in ("asc", "desc"):
            raise not_among("order", order, ("asc", "desc"))
        return cls(_limit(query.get("limit"), most, usual), query.get("after"), order == "asc")

    def cut(
        self,
        newest_first: Sequence[tuple[str, T]],
        encode: Callable[[T], dict[str, Any]],
        unknown: Callable[[str], RefusedError],
    ) -> Response:
        """Return the page of a list of (id, thing).

        Args:
            newest_first: the whole list.
            encode: how OpenAI shows a thing.
            unknown: makes the error for an `after` that is not in the list.

        Raises:
            RefusedError: where `after` is not in the list.
        """
        things = newest_first[::-1] if self.ascending else newest_first
        start = 0
        if self.after is not None:
            start = next((i for i, (name, _) in enumerate(things, 1) if name == self.after), -1)
            if start < 0:
                raise unknown(self.after)
        page = things[start : start + self.limit]
        return json_response(
            {
                "object": "list",
                "data": [encode(thing) for _, thing in page],
                "first_id": page[0][0] if page else None,
                "last_id": page[-1][0] if page else None,
                "has_more": start + self.limit < len(things),
            }
        )


def _limit(text: str | None, most: int, usual: int) -> int:
    if text is None:
        return usual
    try:
        limit = int(text)
    except ValueError:
        raise wrong_type("limit", "an integer", text) from None
    if not 1 <= limit <= most:
        raise out_of_range("limit", limit, 1, most)
    return limit
