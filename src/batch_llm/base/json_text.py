"""JSON as text: how values stand in prompts and in results."""

from __future__ import annotations

import json

_LINE_ENDS = tuple(
    (chr(point).encode(), f"\\u{point:04x}".encode()) for point in (0x85, 0x2028, 0x2029)
)


def as_json(value: object) -> bytes:
    """Return `value` as compact JSON in UTF-8, pydantic models included.

    NaN and infinities, which JSON has no word for, become null. The line ends of Unicode are
    escaped: some readers of JSON Lines split on them.

    Raises:
        TypeError: for a value that JSON cannot hold.
    """
    import msgspec

    try:
        text = msgspec.json.encode(value, enc_hook=_plain)
    except UnicodeEncodeError:
        # Half of a surrogate pair, which a model may answer, has no UTF-8: escape all but ASCII.
        text = _as_ascii(value)
    for raw, escaped in _LINE_ENDS:
        if raw in text:
            text = text.replace(raw, escaped)
    return text


def without_lone_halves(text: str) -> str:
    """Return `text` with U+FFFD in place of each half of a surrogate pair that stands alone.

    Halves that stand together become the character that they are of.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def json_value(value: object) -> object:
    """Return `value` as dictionaries with text keys, lists, texts, numbers, booleans and None.

    Pydantic models and dataclasses become dictionaries. What JSON cannot hold becomes its text:
    an export of thousands of results does not fail at one of them.
    """
    import msgspec

    try:
        plain: object = msgspec.to_builtins(value, enc_hook=_plain_or_text, str_keys=True)
    except Exception:  # fields of a foreign model may raise anything
        return _as_text(value)
    return plain


def _plain(value: object) -> object:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    raise TypeError(f"A value of {type(value).__name__} cannot be written as JSON.")


def _plain_or_text(value: object) -> object:
    try:
        return _plain(value)
    except Exception:  # fields of a foreign model may raise anything
        return _as_text(value)


def _as_text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # a foreign __str__ may raise anything
        return f"({type(value).__name__})"


def _as_ascii(value: object) -> bytes:
    import msgspec

    plain = msgspec.to_builtins(value, enc_hook=_plain)
    return json.dumps(plain, separators=(",", ":")).encode()
