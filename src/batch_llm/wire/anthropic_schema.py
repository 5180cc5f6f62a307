"""JSON schemas in the form that Anthropic's structured outputs take."""

from __future__ import annotations

import json
from typing import Any, Final

_OF_NAMES: Final = ("properties", "$defs", "definitions")
_KEPT: Final = frozenset({"description", "required", "title", "type"})
_FORMATS: Final = frozenset(
    {
        "date",
        "date-time",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "time",
        "uri",
        "uuid",
    }
)
# Narrow a value without giving it another shape: the API refuses them, and a model that is told of
# them mostly keeps to them.
_TOLD: Final = frozenset(
    {
        "default",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
        "multipleOf",
        "pattern",
        "uniqueItems",
    }
)
# Say nothing of the values that fit.
_DROPPED: Final = frozenset(
    {"$comment", "$schema", "deprecated", "discriminator", "examples", "readOnly", "writeOnly"}
)


class _NoFormError(Exception):
    """A schema, or a part of it, that has no form there."""


def closed_schema(schema: dict[str, Any]) -> dict[str, Any] | None:
    """Return `schema` as structured outputs take it, or None where it has no such form.

    Every object is closed there, bounds are unknown, and nothing may hold itself. Objects that
    say nothing of other properties are closed here, and bounds become a part of the description:
    whatever fits the schema given also fits this one's shape, and is checked in full when the
    answer is parsed. A schema whose shape would change (a free dictionary, one that holds itself,
    a keyword such as `not`) gives None.
    """
    try:
        _refuse_cycles(schema)
        return _closed(schema)
    except _NoFormError:
        return None


def _closed(node: object) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise _NoFormError
    named = {
        keyword: {name: _closed(child) for name, child in node[keyword].items()}
        for keyword in _OF_NAMES
        if isinstance(node.get(keyword), dict)
    }
    if "$ref" in node:
        return {"$ref": node["$ref"], **_without(named, "properties")}
    rest = {name: value for name, value in node.items() if name not in named}
    closed = {**named, **_shape(rest)}
    if _has_type(closed, "object"):
        _close(closed, node)
    return _described(closed, rest)


def _shape(node: dict[str, Any]) -> dict[str, Any]:
    """Return what `node` says of its own shape, without bounds."""
    shape: dict[str, Any] = {name: node[name] for name in _KEPT if name in node}
    if literals := _literals(node):
        # They say the type, and more.
        return {**_without(shape, "type"), **literals}
    for keyword in ("anyOf", "oneOf"):
        if keyword in node:
            shape["anyOf"] = [_closed(child) for child in node[keyword]]
    if "type" not in shape and "anyOf" not in shape:
        raise _NoFormError
    if "items" in node:
        shape["items"] = _closed(node["items"])
    if node.get("minItems") in (0, 1):
        shape["minItems"] = node["minItems"]
    if node.get("format") in _FORMATS:
        shape["format"] = node["format"]
    return shape


def _literals(node: dict[str, Any]) -> dict[str, Any]:
    literals: dict[str, Any] = {name: node[name] for name in ("enum", "const") if name in node}
    values = [*literals.get("enum", ()), literals.get("const")]
    if not all(value is None or isinstance(value, (str, int, float)) for value in values):
        raise _NoFormError
    return literals


def _close(closed: dict[str, Any], node: dict[str, Any]) -> None:
    if node.get("additionalProperties", False) is not False:
        raise _NoFormError
    if "properties" not in node and "additionalProperties" not in node:
        raise _NoFormError  # a free dictionary
    closed.setdefault("properties", {})
    closed["additionalProperties"] = False


def _described(closed: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Return `closed` with the bounds of `node` that it lacks in its description."""
    known = {*closed, *_DROPPED, "additionalProperties", "oneOf", "type"}
    untold = {name: value for name, value in node.items() if name not in known}
    if not _TOLD.issuperset(untold):
        raise _NoFormError
    if not untold:
        return closed
    bounds = ", ".join(f"{name}: {_said(value)}" for name, value in untold.items())
    text = node.get("description")
    return {**closed, "description": f"{text}\n\n{{{bounds}}}" if text else f"{{{bounds}}}"}


def _said(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _has_type(node: dict[str, Any], name: str) -> bool:
    kind = node.get("type")
    return kind == name or (isinstance(kind, list) and name in kind)


def _without(node: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != name}


def _refuse_cycles(schema: dict[str, Any]) -> None:
    """Refuse a schema in which a definition leads back to itself."""
    targets = {
        f"#/{group}/{name}": _references(definition)
        for group in ("$defs", "definitions")
        for name, definition in schema.get(group, {}).items()
    }
    if not _references(schema) <= targets.keys():  # such as "#", the schema itself
        raise _NoFormError
    done: set[str] = set()
    while free := {name for name in targets.keys() - done if targets[name] <= done}:
        done |= free
    if done != targets.keys():
        raise _NoFormError


def _references(node: object) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_references, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(_references, node.values()))
    reference = node.get("$ref")
    return found | {reference} if isinstance(reference, str) else found
