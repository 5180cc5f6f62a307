"""The bytes of an image or a file that travel inside of a request."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..base.data_url import read_data_url
from ..exceptions import InputError

if TYPE_CHECKING:
    from ..base.request import FilePart, ImagePart


@dataclass(frozen=True, slots=True)
class InlineData:
    """Bytes, and what they are.

    Attributes:
        data: the bytes.
        media_type: such as "image/png".
    """

    data: bytes
    media_type: str

    @property
    def base64(self) -> str:
        """The bytes as base64 text."""
        return base64.b64encode(self.data).decode("ascii")


def inline_data(part: ImagePart | FilePart) -> InlineData | None:
    """Return the bytes of `part`, its own or those in a "data:" address; None for one elsewhere.

    Raises:
        InputError: for a "data:" address that cannot be read.
    """
    if part.data is not None:
        return InlineData(part.data, part.media_type or "")
    url = part.url or ""
    return _from_data_url(url, part) if url.startswith("data:") else None


def _from_data_url(url: str, part: ImagePart | FilePart) -> InlineData:
    """Return the bytes that stand in a "data:" address (RFC 2397)."""
    found = read_data_url(url)
    if found is None:
        raise InputError(
            f"{type(part).__name__}.url starts with 'data:' and cannot be read. It has the form "
            f"'data:image/png;base64,<base64 text>'."
        )
    data, stated = found
    return InlineData(data, part.media_type or stated or "text/plain")
