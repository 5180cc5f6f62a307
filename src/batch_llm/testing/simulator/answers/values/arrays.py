"""Arrays of fitting items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from .....exceptions import InputError
from .maker import MOST_LEVELS
from .unmade import UnmadeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .document import Schema
    from .draws import Draws
    from .node import Node
    from .plan import Plan

ARRAY_WORDS: Final = frozenset(
    {
        "items",
        "prefixItems",
        "additionalItems",
        "minItems",
        "maxItems",
        "uniqueItems",
        "contains",
        "unevaluatedItems",
    }
)
_USUAL_MORE: Final = 2
_MOST_ITEMS: Final = 50_000
_MOST_CONTAINED: Final = 200
_DEPTH_OF_EMPTY: Final = 2
_TRIES_OF_ITEM: Final = 200
_SORTED: Final = msgspec.json.Encoder(order="sorted")


class Arrays:
    """Makes arrays.

    Args:
        plan: makes the items' nodes.
        parts: the schemas that they fit.
        place: where in the answer they stand.

    Raises:
        InputError: for more items than are made.
    """

    def __init__(self, plan: Plan, parts: Sequence[Mapping[str, Any]], place: str) -> None:
        self._plan, self._parts, self._place = plan, parts, place
        self._is_unique = any(part.get("uniqueItems") for part in parts)
        contained = [
            (part["contains"], _count(part, "minContains", 1))
            for part in parts
            if "contains" in part
        ]
        self._least = max((_count(part, "minItems") for part in parts), default=0)
        if self._least > _MOST_ITEMS:
            raise InputError(f"it asks for more than {_MOST_ITEMS:,} values")
        if sum(count for _, count in contained) > _MOST_CONTAINED:
            raise InputError(f"it asks for more than {_MOST_CONTAINED} items that it contains")
        self._contained = [schema for schema, count in contained for _ in range(count)]
        self._first = max((len(_positional(part)) for part in parts), default=0)
        limits = [int(part["maxItems"]) for part in parts if "maxItems" in part]
        self._most = self._longest(min(limits) if limits else None)

    def ends_within(self, levels: int) -> bool:
        """Say whether the items that there must be end one level below."""
        if self._most is not None and self._least > self._most:
            return False
        if self._least == 0 and not self._contained:
            return True
        holding = self._holding(levels - 1) if levels > 0 else None
        if holding is None:
            return False
        # Behind the last one with a schema of its own, all are alike.
        shown = range(min(_count_with(self._least, holding), self._first + 1))
        return all(self._item(at).ends_within(levels - 1) for at in shown if at not in holding)

    def make(self, draws: Draws, depth: int) -> list[Any]:
        """Return an array."""
        holding = self._holding(MOST_LEVELS - 1) if self._contained else {}
        if holding is None:
            raise UnmadeError(f"{self._place}: there is no room for what it must contain")
        count = self._length(draws, depth, _count_with(self._least, holding))
        nodes = [holding.get(at) or self._item(at) for at in range(count)]
        if not self._is_unique:
            return [node.make(draws, depth + 1) for node in nodes]
        return self._unique(draws, nodes, depth)

    def _length(self, draws: Draws, depth: int, least: int) -> int:
        most = self._most
        if draws.goes_small(depth):
            return least
        # An empty one tells a reader nothing; but deep down, an end is wanted.
        low = max(least, 1) if depth <= _DEPTH_OF_EMPTY and self._item(least).ends else least
        high = low + _USUAL_MORE
        if most is not None:
            low, high = min(low, most), min(high, most)
        return draws.between(low, high)

    def _longest(self, most: int | None) -> int | None:
        """Return how many items there can be: up to the first that nothing fits."""
        for at in range(self._first + 1):
            if _is_below(at, most) and any(False in _schemas_at(part, at) for part in self._parts):
                return at
        return most

    def _item(self, at: int, *more: Schema) -> Node:
        schemas = [schema for part in self._parts for schema in _schemas_at(part, at)]
        return self._plan.node(
            f"{self._place}[{at if at < self._first else ''}]", [*schemas, *more]
        )

    def _holding(self, levels: int) -> dict[int, Node] | None:
        """Return places for what the array must contain; None where there is no room for all."""
        behind = range(self._first, self._first + len(self._contained))
        places = [at for at in (*behind, *range(self._first)) if _is_below(at, self._most)]
        claims: dict[int, list[Schema]] = {}
        for contained in self._contained:
            # Each gets an item of its own while there are any; then one item may be several.
            for at in sorted(places, key=lambda at: at in claims):
                others = claims.get(at, [])
                is_new = all(contained is not other for other in others)
                if is_new and self._item(at, *others, contained).ends_within(levels):
                    claims[at] = [*others, contained]
                    break
            else:
                return None
        return {at: self._item(at, *schemas) for at, schemas in claims.items()}

    def _unique(self, draws: Draws, nodes: Sequence[Node], depth: int) -> list[Any]:
        items: list[Any] = []
        seen: set[bytes] = set()
        for node in nodes:
            for _ in range(_TRIES_OF_ITEM):
                item = node.make(draws, depth + 1)
                if (key := _key(item)) not in seen:
                    seen.add(key)
                    items.append(item)
                    break
            else:
                if len(items) < self._least:
                    raise UnmadeError(f"{self._place}: not so many different items were found")
        return items


def _positional(part: Mapping[str, Any]) -> Sequence[Schema]:
    """Return the schemas of the first items, each its own; older drafts have them in `items`."""
    items = part.get("items")
    return items if isinstance(items, list) else part.get("prefixItems", ())


def _schemas_at(part: Mapping[str, Any], at: int) -> list[Schema]:
    first = _positional(part)
    if at < len(first):
        return [first[at]]
    rest = "additionalItems" if isinstance(part.get("items"), list) else "items"
    return [part[word] for word in (rest, "unevaluatedItems") if word in part]


def _count(part: Mapping[str, Any], word: str, usual: int = 0) -> int:
    return int(part.get(word, usual))


def _is_below(at: int, most: int | None) -> bool:
    return most is None or at < most


def _count_with(least: int, holding: Mapping[int, Node]) -> int:
    """Return how many items there must be, if these places are to be among them."""
    return max(least, max(holding, default=-1) + 1)


def _key(item: Any) -> bytes:
    # 1 and 1.0 are one number.
    whole = isinstance(item, float) and item.is_integer()
    return _SORTED.encode(int(item) if whole else item)
