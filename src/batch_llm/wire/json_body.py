"""The JSON of a request's body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ..exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENCODER: Final = msgspec.json.Encoder()


def encode_body(body: Mapping[str, object]) -> bytes:
    """Return `body` as JSON.

    Raises:
        InputError: for a text that no JSON can hold.
    """
    try:
        return _ENCODER.encode(body)
    except UnicodeEncodeError as error:
        # `from None`: the codec's error holds the whole text.
        raise InputError(
            f"The prompt cannot be sent: at character {error.start} of a text it has half of "
            f"a surrogate pair, which no JSON can hold."
        ) from None
