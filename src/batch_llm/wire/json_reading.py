"""JSON that a provider sends, read as far as it can be."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ..base.json_text import without_lone_halves

if TYPE_CHECKING:
    from collections.abc import Collection

T = TypeVar("T")

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for a body that is not whole JSON of the right form."""


def read_json(decoder: msgspec.json.Decoder[T], body: bytes, *, beside: Collection[str] = ()) -> T:
    """Return what `body` holds, which is paid for and read even where it is not quite JSON.

    A model that is cut in the middle of a character leaves half of a surrogate pair, and some
    servers write NaN. Halves and bytes that are no UTF-8 become U+FFFD; NaN, infinities and
    numbers beyond all floats become null.

    Args:
        decoder: of a struct.
        body: as it came.
        beside: names in the body of what an answer is worth more than: where one has another form
            than the struct's, it is left out.

    Raises:
        DecodeError, UnicodeDecodeError, RecursionError: of `body` as it came, if it is not whole
            JSON of the right form all the same; see `UNREADABLE`.
    """
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        return _read_mended(decoder, body, beside, error)


def _read_mended(
    decoder: msgspec.json.Decoder[T], body: bytes, beside: Collection[str], error: Exception
) -> T:
    try:
        value = _mended(body)
        try:
            return decoder.decode(_encoded(value))
        except msgspec.ValidationError:
            return decoder.decode(_encoded(_without_odd(decoder, value, beside)))
    except (*UNREADABLE, ValueError):
        # That of the body as it came: its places are those of what the provider sent.
        raise error from None


def _mended(body: bytes) -> object:
    return json.loads(
        body.decode("utf-8", "replace"),
        strict=False,
        parse_constant=lambda _: None,
        parse_float=_finite,
    )


def _encoded(value: object) -> bytes:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return without_lone_halves(text).encode()


def _without_odd(
    decoder: msgspec.json.Decoder[T], value: object, beside: Collection[str]
) -> object:
    if not isinstance(value, dict):
        return value
    odd = {name for name in beside if name in value and not _fits(decoder, {name: value[name]})}
    return {name: part for name, part in value.items() if name not in odd}


def _fits(decoder: msgspec.json.Decoder[T], value: object) -> bool:
    try:
        decoder.decode(_encoded(value))
    except UNREADABLE:
        return False
    return True


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
