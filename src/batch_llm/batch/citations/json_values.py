"""Values of a JSON that others wrote, as what they should be or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def text_or_none(value: object) -> str | None:
    """Return `value` if it is a text."""
    return value if isinstance(value, str) else None


def int_or_none(value: object) -> int | None:
    """Return `value` if it is a whole number; JSON's true is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def mapping(value: object) -> Mapping[str, object]:
    """Return `value` if it is an object; else an empty one."""
    return value if isinstance(value, Mapping) else {}


def mappings(value: object) -> list[Mapping[str, object]]:
    """Return the objects in the array `value`, by their places; what is no object is empty."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return []
    return [mapping(entry) for entry in value]


def ints(value: object) -> list[int]:
    """Return the whole numbers in the array `value`."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return []
    return [entry for entry in value if int_or_none(entry) is not None]
