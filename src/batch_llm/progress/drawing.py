"""The seam between a run's progress and the place where it is drawn."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Drawing(ABC):
    """One bar, from its first picture to its last."""

    @abstractmethod
    def show(self, completed: int, total: int, item_id: str) -> None:
        """Draw a state of the run; `item_id` is that of the item that ended last."""

    @abstractmethod
    def stop(self) -> None:
        """Draw the last state, or wipe it away, and leave everything as it was."""
