"""JSON schemas in the narrow form that OpenAI's strict mode guarantees answers for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KEYWORDS = frozenset(
    {
        "$defs",
        "$ref",
        "additionalProperties",
        "anyOf",
        "const",
        "definitions",
        "description",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maximum",
        "minItems",
        "minimum",
        "multipleOf",
        "pattern",
        "properties",
        "required",
        "title",
        "type",
    }
)
_ANCHORS = frozenset({"type", "anyOf", "$ref"})  # each part of a strict schema has one of them
_MOST_REFERENCES = 8
_FORMATS = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"}
)


class _NotStrictError(Exception):
    """A schema, or a part of it, that strict mode refuses."""


def strict_schema(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return `schema` as strict mode takes it, or None where it cannot.

    Strict mode wants an object at the root, every property required, and no others allowed. An
    object that says nothing of other properties is closed here; whatever fits the closed schema
    also fits the one given. A schema whose meaning would change (an optional property, a free
    dictionary, a keyword that strict mode refuses) gives None: it is sent as it is.
    """
    if schema.get("type") != "object" or "anyOf" in schema:
        return None
    try:
        return _closed(schema)
    except _NotStrictError:
        return None


def root_type(schema: Mapping[str, Any]) -> str:
    """Return the type of a schema's root, for people: "object", "array", "several" or "none".

    A reference to a definition is followed; one that leads nowhere known counts as an object.
    """
    node: Any = schema
    for _ in range(_MOST_REFERENCES):
        reference = node.get("$ref")
        if not isinstance(reference, str) or "type" in node:
            break
        where, _, name = reference.removeprefix("#/").rpartition("/")
        definitions = schema.get(where)
        node = definitions.get(name) if isinstance(definitions, Mapping) else None
        if not isinstance(node, Mapping):
            return "object"
    kind = node.get("type", "none")
    return kind if isinstance(kind, str) else "several"


def _closed(node: object) -> dict[str, Any]:
    if not isinstance(node, dict) or not _is_known(node):
        raise _NotStrictError
    closed = {keyword: _closed_value(keyword, value) for keyword, value in node.items()}
    return _closed_object(closed) if _has_type(node, "object") else closed


def _is_known(node: dict[str, Any]) -> bool:
    return (
        _KEYWORDS.issuperset(node)
        and not _ANCHORS.isdisjoint(node)
        and ("$ref" not in node or len(node) == 1)
        and ("format" not in node or node["format"] in _FORMATS)
        and ("items" in node or not _has_type(node, "array"))
    )


def _has_type(node: dict[str, Any], name: str) -> bool:
    kind = node.get("type")
    return kind == name or (isinstance(kind, list) and name in kind)


def _closed_value(keyword: str, value: Any) -> Any:
    if keyword in ("properties", "$defs", "definitions"):
        return {name: _closed(child) for name, child in value.items()}
    if keyword == "anyOf":
        return [_closed(child) for child in value]
    return _closed(value) if keyword == "items" else value


def _closed_object(node: dict[str, Any]) -> dict[str, Any]:
    properties = node.get("properties")
    if not properties or set(properties) != set(node.get("required", ())):
        raise _NotStrictError
    if node.setdefault("additionalProperties", False) is not False:
        raise _NotStrictError
    return node
