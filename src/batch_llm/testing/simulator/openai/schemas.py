"""JSON schemas that clients send, and what strict ones must hold."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from .body import decoded
from .refusal import wrong_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Place = tuple[tuple[str, ...], Mapping[str, Any]]

_VALUES: Final = msgspec.json.Decoder(object)
_REMEMBERED: Final = 512
_BY_NAME: Final = ("properties", "$defs", "definitions")
_IN_LISTS: Final = ("anyOf", "allOf", "oneOf")


def schema_of(raw: msgspec.Raw, name: str) -> Mapping[str, Any]:
    """Return a schema as it was sent; the same bytes are read once.

    Args:
        raw: JSON.
        name: of the parameter.

    Raises:
        RefusedError: if it is no object.
    """
    return _read(bytes(raw), name)


@lru_cache(maxsize=_REMEMBERED)
def _read(raw: bytes, name: str) -> Mapping[str, Any]:
    value = decoded(_VALUES, raw, name)
    if not isinstance(value, dict):
        raise wrong_type(name, "an object", value)
    return cast("dict[str, Any]", value)


def fault_of(raw: msgspec.Raw, name: str, strict: bool) -> str | None:
    """Return what is wrong with a schema in OpenAI's words; None for a good one.

    Args:
        raw: JSON.
        name: of the parameter.
        strict: whether each object must be closed, and name all its properties as required.
    """
    return _fault(bytes(raw), name, strict)


@lru_cache(maxsize=_REMEMBERED)
def _fault(raw: bytes, name: str, strict: bool) -> str | None:
    schema = _read(raw, name)
    if schema.get("type") != "object" and "$ref" not in schema:
        got = schema.get("type")
        return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{got}\"'."
    if not strict:
        return None
    return next((fault for place in _places(schema) if (fault := _open_object(*place))), None)


def _places(schema: Mapping[str, Any]) -> Iterator[Place]:
    """Yield each schema within a schema, itself first, with the way to it."""
    waiting: list[tuple[tuple[str, ...], object]] = [((), schema)]
    while waiting:
        way, value = waiting.pop()
        if not isinstance(value, dict):
            continue
        place = cast("dict[str, Any]", value)
        yield way, place
        if "items" in place:
            waiting.append(((*way, "items"), place["items"]))
        for word in _IN_LISTS:
            if isinstance(place.get(word), list):
                listed = enumerate(place[word])
                waiting.extend(((*way, word, str(index)), part) for index, part in listed)
        for word in _BY_NAME:
            if isinstance(place.get(word), dict):
                named = place[word].items()
                waiting.extend(((*way, word, str(key)), part) for key, part in named)


def _open_object(way: tuple[str, ...], schema: Mapping[str, Any]) -> str | None:
    if schema.get("type") != "object":
        return None
    context = f"In context={way!r}"
    if schema.get("additionalProperties") is not False:
        return f"{context}, 'additionalProperties' is required to be supplied and to be false."
    required = schema.get("required")
    wanted = required if isinstance(required, list) else []
    properties = schema.get("properties")
    for key in properties if isinstance(properties, dict) else {}:
        if key not in wanted:
            return (
                f"{context}, 'required' is required to be supplied and to be an array including "
                f"every key in properties. Missing '{key}'."
            )
    return None
