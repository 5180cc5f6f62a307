"""The things that clients made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


@dataclass(slots=True)
class _Kept(Generic[T]):
    key: str
    created_at: float
    thing: T


class Shelf(Generic[T]):
    """Things by their id, each seen only by the API key that made it."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept[T]] = {}

    def put(self, key: str, identifier: str, created_at: float, thing: T) -> None:
        """Keep a thing, made by `key`."""
        self._kept[identifier] = _Kept(key, created_at, thing)

    def get(self, key: str, identifier: str) -> T | None:
        """Return the thing, or None where there is none that `key` may see."""
        kept = self._kept.get(identifier)
        return None if kept is None or kept.key != key else kept.thing

    def delete(self, key: str, identifier: str) -> T | None:
        """Take the thing away, and return it; None where there is none."""
        thing = self.get(key, identifier)
        if thing is not None:
            del self._kept[identifier]
        return thing

    def newest_first(self, key: str, before: float) -> list[tuple[str, T]]:
        """Return (id, thing) of all that `key` made up to the moment `before`, newest first."""
        seen = [
            (identifier, kept.thing)
            for identifier, kept in self._kept.items()
            if kept.key == key and kept.created_at <= before
        ]
        seen.reverse()
        return seen

    def __iter__(self) -> Iterator[T]:
        return (kept.thing for kept in self._kept.values())

    def __len__(self) -> int:
        return len(self._kept)
