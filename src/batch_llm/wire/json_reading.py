"""JSON that a provider sends, read as far as it can be."""

from __future__ import annotations

import json
import math
from typing import TypeVar

import msgspec

from ..base.json_text import without_lone_halves

T = TypeVar("T")

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for a body that is not whole JSON of the right form."""


def read_json(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Return what `body` holds, which is paid for and read even where it is not quite JSON.

    A model that is cut in the middle of a character leaves half of a surrogate pair, and some
    servers write NaN. Halves and bytes that are no UTF-8 become U+FFFD; NaN, infinities and
    numbers beyond all floats become null.

    Raises:
        DecodeError, UnicodeDecodeError, RecursionError: of `body` as it came, if it is not whole
            JSON of the right form all the same; see `UNREADABLE`.
    """
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        return _read_mended(decoder, body, error)


def _read_mended(decoder: msgspec.json.Decoder[T], body: bytes, error: Exception) -> T:
    try:
        return decoder.decode(_mended(body))
    except (*UNREADABLE, ValueError):
        # That of the body as it came: its places are those of what the provider sent.
        raise error from None


def _mended(body: bytes) -> bytes:
    value = json.loads(
        body.decode("utf-8", "replace"),
        strict=False,
        parse_constant=lambda _: None,
        parse_float=_finite,
    )
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return without_lone_halves(text).encode()


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
