"""Schemas, and bounds of schemas, that a model is told in words.

Anthropic's structured outputs refuse bounds, and schemas that hold themselves. Its SDK, and the
strategies here, move bounds to the end of a description, "{minimum: 1, maximum: 10}", and what has
no such form to the end of the system prompt. A model reads both; so do made-up answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ..call import ModelCall

_NUMBERS: Final = frozenset(
    {
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maximum",
        "minimum",
        "multipleOf",
    }
)
_COUNTS: Final = frozenset({"maxItems", "maxLength", "minItems", "minLength"})
_TEXTS: Final = frozenset({"format", "pattern"})
_KEYWORDS: Final = "|".join(sorted({*_NUMBERS, *_COUNTS, *_TEXTS, "uniqueItems", "default"}))
_BOUNDS: Final = re.compile(rf"\{{((?:{_KEYWORDS}): .*)\}}\Z", re.DOTALL)
_NEXT: Final = re.compile(rf"(?:\A|, )({_KEYWORDS}): ")
# As `AnthropicStrategy` has it, and as pydantic-ai does for models without structured outputs.
_INTRODUCED: Final = re.compile(r"(?:fit this JSON schema|compatible with this schema):\s*(?=\{)")


def schema_in_words(call: ModelCall) -> Mapping[str, Any] | None:
    """Return the schema that stands in the system prompt, the last of them; None for none."""
    for place in reversed(list(_INTRODUCED.finditer(call.system))):
        try:
            schema, _ = json.JSONDecoder().raw_decode(call.system, place.end())
        except (ValueError, RecursionError):
            continue
        return schema if isinstance(schema, Mapping) else None
    return None


def with_bounds_in_words(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `schema` with the bounds that its descriptions tell; the same object for none.

    A keyword that the schema has itself stays as it is.
    """
    try:
        changed = _with_bounds(schema)
    except RecursionError:  # whoever makes a value for it says so
        return schema
    return schema if changed == schema else changed


def _with_bounds(node: Any) -> Any:
    if isinstance(node, list):
        return [_with_bounds(child) for child in node]
    if not isinstance(node, Mapping):
        return node
    read = {name: _with_bounds(child) for name, child in node.items()}
    description = node.get("description")
    return {**_bounds(description), **read} if isinstance(description, str) else read


def _bounds(description: str) -> dict[str, Any]:
    found = _BOUNDS.search(description)
    if found is None:
        return {}
    _, *parts = _NEXT.split(found[1])
    told = zip(parts[::2], map(str.strip, parts[1::2]), strict=True)
    values = ((name, _value(name, text)) for name, text in told)
    return {name: value for name, value in values if value is not None}


def _value(name: str, text: str) -> Any:
    """Return what a bound says; None where that is none."""
    if name in _TEXTS:
        return text
    if name == "uniqueItems":
        return True if text in ("true", "True") else None
    try:
        value = json.loads(text)
    except ValueError:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in _NUMBERS:
        return value if is_number else None
    is_count = is_number and value >= 0 and value == int(value)
    return int(value) if name in _COUNTS and is_count else None
