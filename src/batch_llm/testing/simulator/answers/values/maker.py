"""What makes one kind of value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .draws import Draws

MOST_LEVELS: Final = 60
"""Levels of values within values at which the search for an end is given up."""


class Maker(Protocol):
    """Makes values of one kind."""

    def ends_within(self, levels: int) -> bool:
        """Return whether there is a value with so many levels of values within values."""
        ...

    def make(self, draws: Draws, depth: int) -> Any:
        """Return a value.

        Args:
            draws: its chance.
            depth: how many values it stands in.
        """
        ...


class OneOfSome:
    """Makes one of a few known values."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values

    def ends_within(self, levels: int) -> bool:
        """Say whether there are any."""
        return bool(self._values)

    def make(self, draws: Draws, depth: int) -> Any:
        """Return one of them."""
        return draws.pick(self._values)
