"""One sequence of bytes for one value, whatever order its parts were written in.

Each value is a letter for its kind, its length, and its content, so that no two values of different
meaning have the same bytes: the text "1", the number 1 and a list of one of them differ. (JSON
would not do: in it a date and the text of that date are one.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class NoCanonicalFormError(TypeError):
    """A value has none. The message is the name of its type."""


def canonical(value: object) -> bytes:
    """Return the bytes that stand for `value`.

    Takes what JSON has, bytes, tuples (as lists), sets, dates, times, `UUID`, `Decimal`, paths,
    enums, dataclasses and pydantic models.

    Raises:
        NoCanonicalFormError: for any other, wherever in it, and for what contains itself.
    """
    try:
        return _encoded(value)
    except RecursionError:
        raise NoCanonicalFormError(f"{_name(value)} that is nested too deep") from None


def framed(kind: bytes, content: bytes) -> bytes:
    """Return `content` so that its end can be told from what follows."""
    return b"%b%d:%b" % (kind, len(content), content)


def text_bytes(text: str) -> bytes:
    """Return UTF-8; half a surrogate pair, which has none, is taken as it is."""
    return text.encode("utf-8", "surrogatepass")


def _encoded(value: object) -> bytes:
    encode = _EXACT.get(type(value))
    if encode is not None:
        return encode(value)
    for kind, encode_one in _KINDS:
        if isinstance(value, kind):
            return encode_one(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _object(value, ((f.name, getattr(value, f.name)) for f in dataclasses.fields(value)))
    if hasattr(type(value), "model_fields"):
        extra = getattr(value, "__pydantic_extra__", None) or {}
        return _object(value, {**vars(value), **extra}.items())
    raise NoCanonicalFormError(_name(value))


def _sequence(value: Iterable[object]) -> bytes:
    return framed(b"l", b"".join(map(_encoded, value)))


def _set(value: Iterable[object]) -> bytes:
    return framed(b"u", b"".join(sorted(map(_encoded, value))))


def _mapping(value: Mapping[object, object]) -> bytes:
    pairs = sorted((_encoded(key), _encoded(item)) for key, item in value.items())
    return framed(b"m", b"".join(key + item for key, item in pairs))


def _object(value: object, fields: Iterable[tuple[str, object]]) -> bytes:
    return framed(b"o", _text(type(value).__qualname__) + _mapping(dict(fields)))


def _enum(value: Enum) -> bytes:
    return framed(b"e", _text(type(value).__qualname__) + _text(value.name or repr(value.value)))


def _text(value: str) -> bytes:
    return framed(b"s", text_bytes(value))


def _written(kind: bytes, write: Callable[[Any], str]) -> Callable[[Any], bytes]:
    return lambda value: framed(kind, text_bytes(write(value)))


def _name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


_EXACT: dict[type[Any], Callable[[Any], bytes]] = {
    type(None): lambda _: b"n",
    bool: lambda value: b"t" if value else b"f",
    int: _written(b"i", lambda value: format(value, "x")),  # decimal digits have a limit
    float: _written(b"d", repr),
    str: _text,
    list: _sequence,
    tuple: _sequence,
    dict: _mapping,
}
# An enum may be an int or a text too, and a datetime is a date: the first that fits counts.
_KINDS: tuple[tuple[type[Any], Callable[[Any], bytes]], ...] = (
    (Enum, _enum),
    (str, _text),
    (int, _EXACT[int]),
    (float, _written(b"d", float.__repr__)),
    (bytes, lambda value: framed(b"b", bytes(value))),
    (Mapping, _mapping),
    (list, _sequence),
    (tuple, _sequence),
    (frozenset, _set),
    (set, _set),
    (datetime, _written(b"M", datetime.isoformat)),
    (date, _written(b"D", date.isoformat)),
    (time, _written(b"T", time.isoformat)),
    (
        timedelta,
        _written(b"L", lambda value: repr((value.days, value.seconds, value.microseconds))),
    ),
    (UUID, _written(b"U", str)),
    (Decimal, _written(b"C", str)),
    (PurePath, _written(b"P", str)),
)
