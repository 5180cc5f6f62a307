"""JSON schemas of tools and of structured outputs, as far as Anthropic takes them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs
import msgspec

from ..decoding import is_given
from ..tokens import count_json
from .body import decode
from .refusal import RefusedError, missing, not_among

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .body import OutputFormat

_OBJECTS: Final = msgspec.json.Decoder(dict[str, Any])
# What structured outputs refuse to promise, by the type of the value.
_REFUSED: Final = {
    "integer": ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf"),
    "number": ("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf"),
    "string": ("maxLength", "minLength"),
    "array": ("maxItems", "uniqueItems"),
}


@dataclass(frozen=True, slots=True)
class Schema:
    """A JSON schema that a client sent.

    Attributes:
        value: the schema; never changed, since equal schemas share it.
        tokens: what it costs: those of its JSON, as it was sent.
    """

    value: Mapping[str, Any]
    tokens: int


@lru_cache(maxsize=256)  # most requests of a run bring the same ones
def tool_schema(data: bytes, place: str) -> Schema:
    """Return the schema of a tool's input.

    Args:
        data: its JSON.
        place: of the tool, such as "tools.0.custom".

    Raises:
        RefusedError: if it is none that a tool may have.
    """
    place = f"{place}.input_schema"
    value = decode(_OBJECTS, data, place)
    if "type" not in value:
        raise missing(f"{place}.type")
    if value["type"] != "object":
        raise not_among(f"{place}.type", "object")
    _check_is_schema(value, place)
    return Schema(value, count_json(data))


def output_schema(form: OutputFormat | None) -> Schema | None:
    """Return the schema that the answer must fit, or None for a plain text.

    Raises:
        RefusedError: for a format that is none, or a schema that Anthropic does not take.
    """
    if form is None:
        return None
    if form.type != "json_schema":
        raise not_among("output_config.format.type", "json_schema")
    if not is_given(form.schema):
        raise missing("output_config.format.schema")
    return _output_schema(bytes(form.schema))


@lru_cache(maxsize=256)
def _output_schema(data: bytes) -> Schema:
    place = "output_config.format.schema"
    value = decode(_OBJECTS, data, place)
    try:
        for part in _parts(value):
            _check_part(part, place)
    except RecursionError:
        raise RefusedError(f"{place}: The schema is nested too deeply.") from None
    _check_is_schema(value, place)
    return Schema(value, count_json(data))


def _check_is_schema(value: dict[str, Any], place: str) -> None:
    try:
        jsonschema_rs.validator_for(value, retriever=_refuse)
    except ValueError as error:  # what it raises for schemas and for references that are none
        raise RefusedError(
            f"{place}: JSON schema is invalid. It must match JSON Schema draft 2020-12 "
            f"(https://json-schema.org/draft/2020-12): {str(error).partition(chr(10))[0]}"
        ) from None


def _refuse(address: str) -> Any:
    raise ValueError(f"a schema may not refer to {address}")


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """Give a schema and all schemas in it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for key in ("properties", "$defs", "definitions"):
        named = schema.get(key)
        if isinstance(named, dict):
            for inner in named.values():
                yield from _parts(inner)
    for key in ("anyOf", "allOf", "oneOf", "prefixItems"):
        listed = schema.get(key)
        if isinstance(listed, list):
            for inner in listed:
                yield from _parts(inner)
    yield from _parts(schema.get("items"))


def _check_part(schema: dict[str, Any], place: str) -> None:
    kind = schema.get("type")
    if not isinstance(kind, str):
        return
    if kind == "object" and schema.get("additionalProperties") is not False:
        raise RefusedError(
            f"{place}: For 'object' type, 'additionalProperties' must be explicitly set to false"
        )
    if refused := [key for key in _REFUSED.get(kind, ()) if key in schema]:
        several = "properties" if len(refused) > 1 else "property"
        verb = "are" if len(refused) > 1 else "is"
        names = ", ".join(f"'{key}'" for key in refused)
        raise RefusedError(f"{place}: For '{kind}' type, {several} {names} {verb} not supported")
    if kind == "array" and schema.get("minItems", 0) not in (0, 1):
        raise RefusedError(
            f"{place}: For 'array' type, 'minItems' values other than 0 or 1 are not supported"
        )
