"""The chance in one value, and how large the value may still grow."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, TypeVar

from .....exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_USUAL_NODES: Final = 200
_USUAL_DEPTH: Final = 6
_MOST_NODES: Final = 50_000
_FAILURES: Final = 2_000
_EXACT: Final = 2**53


class Draws:
    """Draws for one value: equal seeds draw alike.

    Args:
        seed: any whole number.
        is_small: keeps the value as small as its schema allows, from the start.

    Attributes:
        unit: returns a number from 0 up to, and without, 1.
    """

    __slots__ = ("_nodes_left", "_tries_left", "unit")

    def __init__(self, seed: int, *, is_small: bool = False) -> None:
        self.unit = random.Random(seed).random  # noqa: S311 - made-up answers, no secrets
        self._nodes_left = 0 if is_small else _USUAL_NODES
        self._tries_left = _FAILURES

    def below(self, bound: int) -> int:
        """Return a whole number from 0 up to, and without, `bound`; at most 2**53."""
        return int(self.unit() * min(bound, _EXACT))

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + self.below(high - low + 1)

    def pick(self, things: Sequence[T]) -> T:
        """Return one of them."""
        return things[int(self.unit() * len(things))]

    def goes_small(self, depth: int) -> bool:
        """Count one more value within the value; return whether it is to end soon.

        Raises:
            InputError: if the schema asks for more values than are made.
        """
        self._nodes_left -= 1
        if self._nodes_left < -_MOST_NODES:
            raise InputError(f"The schema asks for more than {_MOST_NODES:,} values in one answer.")
        return self._nodes_left < 0 or depth > _USUAL_DEPTH

    def may_fail(self) -> bool:
        """Count one more failure to meet what can only be tried; return whether to try again."""
        self._tries_left -= 1
        return self._tries_left >= 0
