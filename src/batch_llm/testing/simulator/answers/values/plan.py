"""A schema taken apart: its places, the parts that meet there, and the alternatives in them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .node import Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .document import Document, Schema

_ENDLESS: Final = (
    "Its parts hold each other without an end, or must have items or properties that they may not."
)


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives, of which a value takes one.

    Attributes:
        name: tells it from the other groups of the plan.
        branches: the schemas that each alternative adds.
    """

    name: int
    branches: Sequence[Sequence[Schema]]


class Plan:
    """The nodes of one schema, each made once: a schema that holds itself comes back to them.

    Args:
        document: the schema.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self._notes: list[str] = []
        self._nodes: dict[tuple[frozenset[int], frozenset[int]], Node] = {}
        self._groups: dict[int, Sequence[Group]] = {}
        self._group_count = 0

    def node(
        self, place: str, schemas: Iterable[Schema], decided: frozenset[int] = frozenset()
    ) -> Node:
        """Return what makes values that fit all of `schemas`.

        Args:
            place: where in the answer.
            schemas: parts of the document, or of this plan's groups: they are told apart by
                their identity, and so must live as long as the plan.
            decided: names of the groups of which one alternative is among `schemas` already.
        """
        parts = self._with_targets(schemas)
        key = (frozenset(parts), decided)
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = Node(self, place, tuple(parts.values()), decided)
        return node

    def groups(self, parts: Iterable[Mapping[str, Any]]) -> Iterator[Group]:
        """Return the groups of alternatives in `parts`."""
        for part in parts:
            if (found := self._groups.get(id(part))) is None:
                found = self._groups[id(part)] = self._groups_in(part)
            yield from found

    def note(self, place: str, trouble: str) -> None:
        """Write down why nothing may fit somewhere, for an error."""
        self._notes.append(f"{place}: {trouble.removesuffix('.')}.")

    @property
    def trouble(self) -> str:
        """Why nothing fits the schema, as far as it is known: a sentence."""
        return self._notes[0] if self._notes else _ENDLESS

    def _with_targets(self, schemas: Iterable[Schema]) -> dict[int, Schema]:
        """Return schemas with all that they refer to, by identity."""
        parts: dict[int, Schema] = {}
        waiting = deque(schemas)
        while waiting:
            part = waiting.popleft()
            if part is True or id(part) in parts:
                continue
            parts[id(part)] = part
            if isinstance(part, dict):
                waiting.extend(part.get("allOf", ()))
                if "$ref" in part:
                    waiting.append(self.document.resolve(part["$ref"]))
        return parts

    def _groups_in(self, part: Mapping[str, Any]) -> Sequence[Group]:
        groups = []
        for branches in _alternatives(part):
            self._group_count += 1
            groups.append(Group(self._group_count, branches))
        return groups


def _alternatives(part: Mapping[str, Any]) -> Iterator[Sequence[Sequence[Schema]]]:
    for word in ("anyOf", "oneOf"):
        if word in part:
            yield [[branch] for branch in part[word]]
    if "if" in part:
        condition = part["if"]
        yield [
            [condition, part.get("then", True)],
            [{"not": condition}, part.get("else", True)],
        ]
    for word in ("dependentRequired", "dependentSchemas", "dependencies"):
        for name, needed in part.get(word, {}).items():
            more: Schema = {"required": needed} if isinstance(needed, list) else needed
            yield [[{"properties": {name: False}}], [{"required": [name]}, more]]
