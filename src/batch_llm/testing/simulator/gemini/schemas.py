"""Google's own dialect of schemas, of OpenAPI, as JSON schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .refusal import RefusedError, refused_field

if TYPE_CHECKING:
    from collections.abc import Mapping

_TYPES: Final = frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})
_SAME: Final = frozenset(
    {"title", "description", "format", "pattern", "minimum", "maximum", "default", "required"}
)
_COUNTS: Final = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
_NAMES: Final = {
    "any_of": "anyOf",
    "additional_properties": "additionalProperties",
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
    "property_ordering": "propertyOrdering",
    "defs": "$defs",
    "ref": "$ref",
}
_READ: Final = frozenset(
    {"type", "nullable", "properties", "items", "anyOf", "enum", "$defs", "$ref"}
    | {"additionalProperties", "propertyOrdering", "example"}
)
_DEEPEST: Final = 32


def json_schema_of(written: Mapping[str, Any], path: str, depth: int = 0) -> dict[str, Any]:
    """Return the JSON schema that a schema of Google's means.

    Args:
        written: with types in capitals, `nullable`, and names in either case.
        path: where it stands in the request, for errors.
        depth: how deep it is nested.

    Raises:
        RefusedError: for what Google refuses: an unknown name or type, an object without
            properties, an array without items, a required property that there is not.
    """
    if depth > _DEEPEST:
        raise refused_field(path, f"schema is nested deeper than {_DEEPEST} levels.")
    fields = _named(written, path)
    schema: dict[str, Any] = {name: fields[name] for name in _SAME if name in fields}
    schema |= {name: _count(fields[name], f"{path}.{name}") for name in _COUNTS if name in fields}
    kind = _type(fields.get("type"), path)
    if kind is not None:
        schema["type"] = kind.lower()
    schema |= _inner(fields, kind, path, depth)
    _check(schema, kind, path)
    return _nullable(schema) if fields.get("nullable") else schema


def _named(written: object, path: str) -> dict[str, Any]:
    if not isinstance(written, dict):
        raise RefusedError(f"Invalid value at '{path}': a schema is an object.", field=path)
    fields = {}
    for spelling, value in written.items():
        name = _NAMES.get(spelling, spelling)
        if name not in _READ and name not in _SAME and name not in _COUNTS:
            unknown = f"Invalid JSON payload received. Unknown name \"{spelling}\" at '{path}'"
            raise RefusedError(f"{unknown}: Cannot find field.", field=path)
        if value is not None:
            fields[name] = value
    return fields


def _type(written: object, path: str) -> str | None:
    if written is None or written == "TYPE_UNSPECIFIED":
        return None
    if not isinstance(written, str) or written.upper() not in _TYPES:
        raise RefusedError(
            f"Invalid value at '{path}.type' "
            f"(type.googleapis.com/google.ai.generativelanguage.v1beta.Type), {written!r}",
            field=f"{path}.type",
        )
    return written.upper()


def _count(written: object, path: str) -> int:
    try:
        return int(written)  # type: ignore[call-overload,no-any-return]  # 64 bits come as text
    except (TypeError, ValueError, OverflowError):
        message = f"Invalid value at '{path}' (TYPE_INT64), {written!r}"
        raise RefusedError(message, field=path) from None


def _inner(fields: Mapping[str, Any], kind: str | None, path: str, depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for name in ("properties", "$defs"):
        if isinstance(named := fields.get(name), dict):
            inner[name] = {
                key: json_schema_of(value, f"{path}.{name}[{key}]", depth + 1)
                for key, value in named.items()
            }
    if "items" in fields:
        inner["items"] = json_schema_of(fields["items"], f"{path}.items", depth + 1)
    if isinstance(options := fields.get("anyOf"), list):
        inner["anyOf"] = [
            json_schema_of(option, f"{path}.any_of[{index}]", depth + 1)
            for index, option in enumerate(options)
        ]
    if isinstance(more := fields.get("additionalProperties"), bool):
        inner["additionalProperties"] = more
    elif more is not None:
        inner["additionalProperties"] = json_schema_of(
            more, f"{path}.additional_properties", depth + 1
        )
    if "enum" in fields:
        inner["enum"] = _choices(fields["enum"], kind, path)
    if isinstance(reference := fields.get("$ref"), str):
        inner["$ref"] = reference
    return inner


def _choices(written: object, kind: str | None, path: str) -> list[Any]:
    if not isinstance(written, list) or not all(isinstance(item, str) for item in written):
        raise RefusedError(f"Invalid value at '{path}.enum' (TYPE_STRING)", field=f"{path}.enum")
    if kind not in ("STRING", None):
        raise refused_field(f"{path}.enum", "only allowed for STRING type")
    return list(written)


def _check(schema: Mapping[str, Any], kind: str | None, path: str) -> None:
    properties = schema.get("properties")
    if kind == "OBJECT" and not properties and "additionalProperties" not in schema:
        raise refused_field(f"{path}.properties", "should be non-empty for OBJECT type")
    if kind == "ARRAY" and "items" not in schema:
        raise refused_field(f"{path}.items", "missing field.")
    required = schema.get("required", ())
    if not isinstance(required, (list, tuple)):
        raise RefusedError(f"Invalid value at '{path}.required' (TYPE_STRING)", field=path)
    for index, name in enumerate(required):
        if properties is not None and name not in properties:
            raise refused_field(f"{path}.required[{index}]", "property is not defined")


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
        return schema
    return {"anyOf": [schema, {"type": "null"}]}
