"""How long a run waits before it looks again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

_GROWTH: Final = 1.25
_LONGEST_TIMES: Final = 10.0


@dataclass(slots=True)
class Pauses:
    """Waits that grow from `interval_seconds` to ten times as much, each shortened by chance.

    Args:
        interval_seconds: the first.
    """

    interval_seconds: float
    _taken: int = 0

    def next_seconds(self) -> float:
        """Return the next wait."""
        times = min(_GROWTH ** min(self._taken, 64), _LONGEST_TIMES)
        self._taken += 1
        return self.interval_seconds * times * random.uniform(0.8, 1.0)  # noqa: S311 - no secret

    def reset(self) -> None:
        """Begin anew: something has changed."""
        self._taken = 0
