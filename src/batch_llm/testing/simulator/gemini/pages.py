"""Lists, page by page: `pageSize` and `pageToken`."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")


class PageRefusedError(ValueError):
    """A page is asked for that cannot be; the message is the provider's."""


def cut_page(
    things: Sequence[T], query: Mapping[str, str], *, usual: int, most: int
) -> tuple[Sequence[T], str | None]:
    """Return one page of `things`, and the token of the next one, None for the last.

    A token counts from the end of the list: new things come first, and those that were on earlier
    pages may be deleted meanwhile, without an effect on what follows.

    Args:
        things: all of them, newest first.
        query: of the request, in either spelling.
        usual: things on a page where the client does not say.
        most: things on a page at most; whoever asks for more gets so many.

    Raises:
        PageRefusedError: for a size that is none, or a token that no page gave.
    """
    size = _size(query, usual, most)
    token = query.get("pageToken") or query.get("page_token")
    start = max(0, len(things) - _left(token)) if token else 0
    left = len(things) - start - size
    return things[start : start + size], _token(left) if left > 0 else None


def _size(query: Mapping[str, str], usual: int, most: int) -> int:
    written = query.get("pageSize") or query.get("page_size") or "0"
    try:
        size = int(written)
    except ValueError:
        raise PageRefusedError(
            f"Invalid value at 'page_size' (TYPE_INT32), \"{written}\""
        ) from None
    if size < 0:
        raise PageRefusedError(f"page_size must be 0 or more, not {size}.")
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
        raise PageRefusedError("Page token is not valid: use the nextPageToken of the page before.")
    return left
