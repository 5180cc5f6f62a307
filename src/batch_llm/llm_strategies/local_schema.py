"""An answer's schema, as the grammar engine of llama.cpp takes it."""

from __future__ import annotations

from typing import Any, Final

# JSON as most text on the web writes it. With no blanks at all, a small model writes what it has
# hardly ever seen, and answers worse; left free, it spends half its tokens on white space.
_STYLE: Final = {
    "whitespace_flexible": False,
    "key_separator": ": ",
    "item_separator": ", ",
    # A keyword that the engine does not know costs only itself, not the whole grammar; the
    # answer is checked against the full schema in any case.
    "lenient": True,
    "coerce_one_of": True,
}
_OF_ONE: Final = frozenset({"items", "additionalProperties"})
_OF_MANY: Final = frozenset({"anyOf", "oneOf", "prefixItems"})
_OF_NAMES: Final = frozenset({"properties", "$defs", "definitions"})
# Where several schemas describe one object, none of them knows all of its properties.
_JOINING: Final = frozenset({"allOf", "if", "then", "else", "dependentSchemas", "$dynamicRef"})


def grammar_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` with fixed white space, and with its objects closed.

    A small model invents properties without end in an object that allows any. Whatever fits the
    closed schema also fits the one given.
    """
    kept = schema if _joins(schema) else _closed(schema)
    return {**kept, "x-guidance": _STYLE}


def _joins(node: object) -> bool:
    if not isinstance(node, dict):
        return False
    return not _JOINING.isdisjoint(node) or any(
        _joins(child) for keyword, value in node.items() for child in _children(keyword, value)
    )


def _closed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    closed = {keyword: _closed_value(keyword, value) for keyword, value in node.items()}
    if "properties" in node and "patternProperties" not in node:
        closed.setdefault("additionalProperties", False)
    return closed


def _closed_value(keyword: str, value: Any) -> Any:
    if keyword in _OF_NAMES and isinstance(value, dict):
        return {name: _closed(child) for name, child in value.items()}
    if keyword in _OF_MANY and isinstance(value, list):
        return [_closed(child) for child in value]
    return _closed(value) if keyword in _OF_ONE else value


def _children(keyword: str, value: Any) -> list[Any]:
    if keyword in _OF_NAMES and isinstance(value, dict):
        return list(value.values())
    if keyword in _OF_MANY and isinstance(value, list):
        return value
    return [value] if keyword in _OF_ONE else []
