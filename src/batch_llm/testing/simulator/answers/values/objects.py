"""Objects with fitting properties."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from .pattern import parse_pattern
from .unmade import UnmadeError
from .words import one_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .document import Schema
    from .draws import Draws
    from .node import Node
    from .plan import Plan

OBJECT_WORDS: Final = frozenset(
    {
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "unevaluatedProperties",
    }
)
_SHARE_OF_OPTIONAL: Final = 0.7
_TRIES_OF_NAME: Final = 50
_MANY: Final = 20
_ANY_NAME: Final = "any other name"
_TEXT: Final = {"type": "string"}


class Objects:
    """Makes objects: the properties that they must have, some that they may have, in one order.

    Args:
        plan: makes the properties' nodes.
        parts: the schemas that they fit.
        place: where in the answer they stand.
    """

    def __init__(self, plan: Plan, parts: Sequence[Mapping[str, Any]], place: str) -> None:
        self._plan, self._parts, self._place = plan, parts, place
        self._named = dict.fromkeys(name for part in parts for name in part.get("properties", ()))
        self._required = dict.fromkeys(name for part in parts for name in _required(part))
        self._nodes = {name: self._property(name) for name in (*self._named, *self._required)}
        self._least = max((int(part.get("minProperties", 0)) for part in parts), default=0)
        limits = [int(part["maxProperties"]) for part in parts if "maxProperties" in part]
        self._most = min(limits) if limits else None

    def ends_within(self, levels: int) -> bool:
        """Say whether the properties that there must be end one level below."""
        if self._most is not None and max(self._least, len(self._required)) > self._most:
            return False
        if max(self._least, len(self._required)) == 0:
            return True
        return (
            levels > 0
            and all(self._nodes[name].ends_within(levels - 1) for name in self._required)
            and self._can_be_enough(levels)
        )

    def _can_be_enough(self, levels: int) -> bool:
        others = [node for name, node in self._nodes.items() if name not in self._required]
        found = sum(node.ends_within(levels - 1) for node in others)
        if len(self._required) + found >= self._least or self._has_patterns:
            return True
        return self._property(_ANY_NAME).ends_within(levels - 1)

    def make(self, draws: Draws, depth: int) -> dict[str, Any]:
        """Return an object."""
        is_small = draws.goes_small(depth)
        chosen = self._chosen(draws, is_small=is_small)
        value = {
            name: node.make(draws, depth + 1)
            for name, node in self._nodes.items()
            if name in chosen
        }
        more = self._least - len(value)
        if more <= 0 and not self._named and not is_small and self._is_map():
            more = 1 + draws.below(2)
        self._fill(value, draws, depth, more)
        return value

    def _chosen(self, draws: Draws, *, is_small: bool) -> Mapping[str, None]:
        """Return the names of the properties that the object gets."""
        optional = self._optional
        if not optional:
            return self._required
        share = 0.0 if is_small else _SHARE_OF_OPTIONAL
        wanted = [name for name in optional if draws.unit() < share]
        lacking = self._least - len(self._required) - len(wanted)
        if lacking > 0:
            wanted += [name for name in self._shortest_first if name not in wanted][:lacking]
        if self._most is not None:
            wanted = wanted[: self._most - len(self._required)]
        return {**self._required, **dict.fromkeys(wanted)}

    @cached_property
    def _optional(self) -> Sequence[str]:
        """The names of the properties that the object may have, or not."""
        return [
            name for name, node in self._nodes.items() if name not in self._required and node.ends
        ]

    @cached_property
    def _shortest_first(self) -> Sequence[str]:
        return sorted(self._optional, key=lambda name: self._nodes[name].levels or 0)

    def _property(self, name: str) -> Node:
        schemas = [schema for part in self._parts for schema in self._schemas(part, name)]
        return self._plan.node(f"{self._place}.{name}", schemas)

    def _schemas(self, part: Mapping[str, Any], name: str) -> Iterable[Schema]:
        """Return what one part asks of a property."""
        found = [part["properties"][name]] if name in part.get("properties", ()) else []
        for pattern, schema in part.get("patternProperties", {}).items():
            if _is_found(pattern, name):
                found.append(schema)
        if not found and "additionalProperties" in part:
            return [part["additionalProperties"]]
        # Evaluated is what any of the parts names: only what none of them names is left.
        if not found and name not in self._named and "unevaluatedProperties" in part:
            return [part["unevaluatedProperties"]]
        return found

    # --- properties that the schema does not name --------------------------------------------

    @property
    def _has_patterns(self) -> bool:
        return any(part.get("patternProperties") for part in self._parts)

    def _is_map(self) -> bool:
        """Say whether the object is one of names and values that nobody knows beforehand."""
        has_room = self._most is None or self._most > len(self._required) + 1
        return has_room and (self._has_patterns or self._property(_ANY_NAME).ends)

    def _fill(self, value: dict[str, Any], draws: Draws, depth: int, count: int) -> None:
        """Add `count` properties under new names."""
        for _ in range(count):
            for _ in range(_TRIES_OF_NAME):
                name = self._new_name(draws, is_rare=len(value) > _MANY)
                node = self._property(name)
                if name not in value and name not in self._nodes and node.ends:
                    value[name] = node.make(draws, depth + 1)
                    break
            else:
                if len(value) < self._least:
                    raise UnmadeError(f"{self._place}: not so many properties were found")

    def _new_name(self, draws: Draws, *, is_rare: bool) -> str:
        rules = [part["propertyNames"] for part in self._parts if "propertyNames" in part]
        if rules:
            node = self._plan.node(f"{self._place}.*", [_TEXT, *rules])
            return str(node.make(draws, 0))
        patterns = [name for part in self._parts for name in part.get("patternProperties", ())]
        if patterns:
            piece = parse_pattern(draws.pick(patterns))
            return piece.text(draws, draws.between(piece.least, min(piece.most, piece.least + 6)))
        word = one_word(draws)
        return f"{word}_{draws.below(10**9)}" if is_rare else word


def _required(part: Mapping[str, Any]) -> Sequence[str]:
    names = part.get("required", ())
    return names if isinstance(names, list) else ()  # draft 3 has true and false here


def _is_found(pattern: str, name: str) -> bool:
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False  # not Python's kind of pattern: the check of the whole object tells
