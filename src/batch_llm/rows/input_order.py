"""Results in the order of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .result_row import ResultRow


class InputOrder:
    """Holds each result back until all before it have come."""

    def __init__(self) -> None:
        self._held: dict[int, ResultRow] = {}
        self._next = 0

    def arrive(self, position: int, row: ResultRow) -> Iterator[ResultRow]:
        """Yield the results that may go on, now that the one at `position` (from 0) has come."""
        self._held[position] = row
        while (ready := self._held.pop(self._next, None)) is not None:
            self._next += 1
            yield ready

    def release(self) -> Iterator[ResultRow]:
        """Yield the results that are still held, in order; those between them never came."""
        for position in sorted(self._held):
            yield self._held.pop(position)
