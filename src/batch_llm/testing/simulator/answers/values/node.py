"""One place in an answer, and the schemas that its value fits."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from .....exceptions import InputError
from .arrays import ARRAY_WORDS, Arrays
from .maker import MOST_LEVELS, OneOfSome
from .number import NUMBER_WORDS, Bounds, Multiples, Reals
from .objects import OBJECT_WORDS, Objects
from .texts import TEXT_WORDS, Texts
from .unmade import UnmadeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .document import Schema
    from .draws import Draws
    from .maker import Maker
    from .plan import Group, Plan

_TYPES: Final = ("string", "integer", "number", "boolean", "null", "array", "object")
_HOLDING: Final = frozenset({"array", "object"})
_WORDS_OF: Final = {
    "object": OBJECT_WORDS,
    "array": ARRAY_WORDS,
    "string": TEXT_WORDS,
    "number": NUMBER_WORDS,
}
# What a value is not built to keep; it is checked, and made again where it does not.
_TRIED: Final = frozenset(
    {
        "contains",
        "dependencies",
        "dependentRequired",
        "dependentSchemas",
        "format",
        "if",
        "maxContains",
        "not",
        "oneOf",
        "pattern",
        "patternProperties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)


class Node:
    """Makes values that fit several schemas at once.

    What makes them is found out when the first one is needed, since schemas may hold themselves.

    Args:
        plan: of the whole schema.
        place: where in the answer, for errors.
        schemas: that a value fits, with those that they refer to.
        decided: names of the groups of alternatives in them of which one is chosen already: it
            is among `schemas`.
    """

    def __init__(
        self, plan: Plan, place: str, schemas: Sequence[Schema], decided: frozenset[int]
    ) -> None:
        self._plan, self._place = plan, place
        self._schemas = schemas
        self._decided = decided
        self._parts = [part for part in schemas if isinstance(part, dict)]
        self._is_tried = any(not _TRIED.isdisjoint(part) for part in self._parts)
        self._levels_refused = -1
        self._levels_known = MOST_LEVELS

    # --- whether there is a value -----------------------------------------------------------

    @property
    def ends(self) -> bool:
        """Whether any value fits, that does not go on for ever."""
        return self.ends_within(MOST_LEVELS - 1)

    @cached_property
    def levels(self) -> int | None:
        """The fewest levels of values within values; None where no value fits."""
        return next((count for count in range(MOST_LEVELS) if self.ends_within(count)), None)

    def ends_within(self, levels: int) -> bool:
        """Return whether there is a value with so many levels of values within values.

        A choice between alternatives counts as a level: so the question comes to an end also for
        schemas that are alternatives of themselves.
        """
        if levels >= self._levels_known:
            return True
        if levels <= self._levels_refused:
            return False
        below = [levels - 1 if isinstance(way, Node) else levels for way in self._ways]
        found = any(way.ends_within(left) for way, left in zip(self._ways, below, strict=True))
        if found:
            self._levels_known = levels
        else:
            self._levels_refused = levels
        return found

    # --- values -----------------------------------------------------------------------------

    def make(self, draws: Draws, depth: int) -> Any:
        """Return a value.

        Raises:
            UnmadeError: if none was found that keeps what can only be tried.
        """
        ways = self._open_ways if not draws.goes_small(depth) else self._short_ways
        if not ways:
            raise UnmadeError(f"{self._place}: no value fits")
        if not self._is_tried:
            return (ways[0] if len(ways) == 1 else draws.pick(ways)).make(draws, depth)
        while not self._validator.is_valid(value := draws.pick(ways).make(draws, depth)):
            if not draws.may_fail():
                raise UnmadeError(f"{self._place}: no value was found that fits")
        return value

    @cached_property
    def _open_ways(self) -> Sequence[Maker]:
        return [way for way in self._ways if _levels_of(way) is not None]

    @cached_property
    def _short_ways(self) -> Sequence[Maker]:
        levels = {id(way): _levels_of(way) or 0 for way in self._open_ways}
        fewest = min(levels.values(), default=0)
        return [way for way in self._open_ways if levels[id(way)] == fewest]

    @cached_property
    def _validator(self) -> Any:
        return self._plan.document.validator(self._schemas)

    # --- what makes them --------------------------------------------------------------------

    @cached_property
    def _ways(self) -> Sequence[Maker]:
        ways = self._found_ways()
        if not ways and False not in self._schemas:
            self._plan.note(self._place, "no value keeps all its rules")
        return ways

    def _found_ways(self) -> Sequence[Maker]:
        if False in self._schemas:
            return ()
        if (values := _values(self._parts)) is not None:
            return self._way_of_values(values)
        for group in self._plan.groups(self._parts):
            if group.name not in self._decided:
                return self._ways_of_group(group)
        return self._ways_of_types()

    def _ways_of_group(self, group: Group) -> Sequence[Maker]:
        decided = self._decided | {group.name}
        return [
            self._plan.node(self._place, [*self._schemas, *branch], decided)
            for branch in group.branches
        ]

    def _ways_of_types(self) -> Sequence[Maker]:
        ways = []
        for kind in _types(self._parts):
            try:
                maker = self._maker(kind)
            except InputError as error:  # a pattern that cannot be followed; other types may do
                self._plan.note(self._place, str(error))
                continue
            if kind in _HOLDING or maker.ends_within(0):
                ways.append(maker)
        return ways

    def _way_of_values(self, values: Sequence[Any]) -> Sequence[Maker]:
        fitting = [value for value in values if self._validator.is_valid(value)]
        return [OneOfSome(fitting)] if fitting else ()

    def _maker(self, kind: str) -> Maker:
        match kind:
            case "object":
                return Objects(self._plan, self._parts, self._place)
            case "array":
                return Arrays(self._plan, self._parts, self._place)
            case "string":
                return Texts(self._parts)
            case "integer" | "number":
                return _number_maker(self._parts, is_whole=kind == "integer")
            case "boolean":
                return OneOfSome((False, True))
            case _:
                return OneOfSome((None,))


def _levels_of(way: Maker) -> int | None:
    if isinstance(way, Node):
        return way.levels
    return next((count for count in range(MOST_LEVELS) if way.ends_within(count)), None)


def _values(parts: Sequence[Mapping[str, Any]]) -> Sequence[Any] | None:
    """Return the values that a schema lists; None where none does."""
    for part in parts:
        if "const" in part:
            return [part["const"]]
    return next((part["enum"] for part in parts if "enum" in part), None)


def _types(parts: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """Return the types that all parts allow; where none names one, those that they speak of."""
    named = [part["type"] for part in parts if "type" in part]
    if not named:
        words = frozenset[str]().union(*parts)
        if "not" in words:
            return _TYPES
        spoken_of = [kind for kind, own in _WORDS_OF.items() if not own.isdisjoint(words)]
        return spoken_of or ("string",)
    allowed = set(_TYPES)
    for types in named:
        these = {types} if isinstance(types, str) else set(types)
        allowed &= these | {"integer"} if "number" in these else these
    if "number" in allowed:
        allowed.discard("integer")
    return [kind for kind in _TYPES if kind in allowed]


def _number_maker(parts: Sequence[Mapping[str, Any]], *, is_whole: bool) -> Maker:
    bounds = Bounds([*parts, {"multipleOf": 1}] if is_whole else parts)
    return Reals(bounds) if bounds.step is None else Multiples(bounds, bounds.step)
