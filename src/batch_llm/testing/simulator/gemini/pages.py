"""Lists, page by page: `pageSize` and `pageToken`."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ..exchange import json_response
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..exchange import Response

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a list is wanted.

    A token counts from the end of the list: new things come first, and those that were on earlier
    pages may be deleted meanwhile, without an effect on what follows.

    Attributes:
        size: the most things on the page.
        left: how many things of the whole list are not on earlier pages; None for the first page.
    """

    size: int
    left: int | None

    @classmethod
    def of(cls, query: Mapping[str, str], *, most: int, usual: int) -> PageRequest:
        """Read it from the parameters of an address, in either spelling.

        Args:
            query: the parameters.
            most: the largest page; whoever asks for more gets so many.
            usual: the size where none is named.

        Raises:
            RefusedError: for a size that is none, or a token that no page gave.
        """
        token = query.get("pageToken") or query.get("page_token")
        return cls(_size(query, usual, most), _left(token) if token else None)

    def cut(
        self, name: str, newest_first: Sequence[T], encode: Callable[[T], dict[str, object]]
    ) -> Response:
        """Return the page of a list; an empty list is left out, as protocol buffers have it.

        Args:
            name: of the list in the answer: "files".
            newest_first: the whole list.
            encode: how the API tells a thing.
        """
        total = len(newest_first)
        start = 0 if self.left is None else max(0, total - self.left)
        left = total - start - self.size
        page = newest_first[start : start + self.size]
        told: dict[str, object] = {}
        if page:
            told[name] = [encode(thing) for thing in page]
        if left > 0:
            told["nextPageToken"] = _token(left)
        return json_response(told)


def _size(query: Mapping[str, str], usual: int, most: int) -> int:
    written = query.get("pageSize") or query.get("page_size") or "0"
    try:
        size = int(written)
    except ValueError:
        raise RefusedError(f"Invalid value at 'page_size' (TYPE_INT32), \"{written}\"") from None
    if size < 0:
        raise RefusedError(f"page_size must be 0 or more, not {size}.")
    return min(size or usual, most)


def _token(left: int) -> str:
    return base64.urlsafe_b64encode(f"left {left}".encode()).decode()


def _left(token: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(" ")
        left = int(number) if word == "left" else -1
    except (binascii.Error, ValueError):
        left = -1
    if left < 0:
        raise RefusedError("Page token is not valid: use the nextPageToken of the page before.")
    return left
