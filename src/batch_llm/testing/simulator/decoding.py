"""JSON from clients: what is raised where it cannot be read, and what of it does not fit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

TFields = TypeVar("TFields", bound=msgspec.Struct)

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What is raised for bytes that are no JSON, and for JSON of another shape."""

_COMPLAINT: Final = re.compile(r"(.*?)(?: - at `\$(.*)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_WRONG_KIND: Final = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")


@dataclass(frozen=True, slots=True)
class Misfit:
    """The first value in JSON that does not fit, as msgspec reports it.

    Attributes:
        message: msgspec's words, without the place.
        path: the place: ".messages[0].content"; "" where it is the whole, None where none is told.
        missing: name of the field that is missing at `path`; None where it is something else.
        unknown: name of the field that nobody knows at `path`; None where it is something else.
        expected: kinds of values that fit: "str", "int", "array", "null", …; empty where it is
            something else.
        got: the kind that was sent instead; "" where it is something else.
    """

    message: str
    path: str | None
    missing: str | None = None
    unknown: str | None = None
    expected: tuple[str, ...] = ()
    got: str = ""


def misfit_of(error: msgspec.ValidationError) -> Misfit:
    """Take msgspec's report apart."""
    complaint = _COMPLAINT.fullmatch(str(error))
    assert complaint is not None  # it matches any text
    message, path = complaint[1], complaint[2]
    if (missing := _MISSING.fullmatch(message)) is not None:
        return Misfit(message, path, missing=missing[1])
    if (unknown := _UNKNOWN.fullmatch(message)) is not None:
        return Misfit(message, path, unknown=unknown[1])
    if (wrong := _WRONG_KIND.fullmatch(message)) is not None:
        return Misfit(message, path, expected=tuple(wrong[1].split(" | ")), got=wrong[2])
    return Misfit(message, path)


def strict(fields: type[TFields], *, unread: Iterable[str] = (), **instead: Any) -> type[TFields]:
    """Return a struct like `fields` that takes no field of another name.

    Args:
        fields: what is read.
        unread: names of further fields, which may hold anything and are left alone.
        instead: types, or (type, default), in the place of those of `fields`, by name.
    """
    left_alone = [(name, msgspec.Raw, msgspec.Raw()) for name in unread]
    replaced = [
        (name, *kind) if isinstance(kind, tuple) else (name, kind) for name, kind in instead.items()
    ]
    made = msgspec.defstruct(
        fields.__name__,
        [*left_alone, *replaced],
        bases=(fields,),
        module=fields.__module__,
        forbid_unknown_fields=True,
        kw_only=True,
    )
    return cast("type[TFields]", made)


def is_given(raw: msgspec.Raw) -> bool:
    """Return whether a field that is read later is there, and not null."""
    return bytes(raw) not in (b"", b"null")
