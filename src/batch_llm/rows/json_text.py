"""JSON as text: how values stand in prompts and in results."""

from __future__ import annotations

import json

import msgspec
from pydantic import BaseModel

_LINE_ENDS = tuple(
    (chr(point).encode(), f"\\u{point:04x}".encode()) for point in (0x85, 0x2028, 0x2029)
)


def as_json(value: object) -> bytes:
    """Return `value` as compact JSON in UTF-8, pydantic models included.

    NaN and infinities, which JSON has no word for, become null. The line ends of Unicode are
    escaped: some readers of JSON Lines split on them.
    """
    try:
        text = msgspec.json.encode(value, enc_hook=_plain)
    except UnicodeEncodeError:
        # Half of a surrogate pair, which a model may answer, has no UTF-8: escape all but ASCII.
        text = _as_ascii(value)
    for raw, escaped in _LINE_ENDS:
        if raw in text:
            text = text.replace(raw, escaped)
    return text


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"A value of {type(value).__name__} cannot be written as JSON.")


def _as_ascii(value: object) -> bytes:
    plain = msgspec.to_builtins(value, enc_hook=_plain)
    return json.dumps(plain, separators=(",", ":")).encode()
