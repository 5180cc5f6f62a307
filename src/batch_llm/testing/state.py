"""The state of a batch run without a file: for tests of code that saves one."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ..batch.state.state import BatchState

if TYPE_CHECKING:
    from pathlib import Path


class MockStateManager:
    """Takes the place of `StateManager`; what it is given is copied, as a file would.

    Args:
        path: taken, and not looked at.

    Attributes:
        saves: how often `save` was called.
        is_cleared: whether `clear` was the last that changed anything.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = path
        self.saves = 0
        self.is_cleared = False
        self._saved: dict[str, Any] | None = None

    def save(self, state: BatchState) -> None:
        """Keep a copy of `state`."""
        self.saves += 1
        self.is_cleared = False
        self._saved = copy.deepcopy(state.to_dict())

    def load(self) -> BatchState | None:
        """Return a copy of what was saved last; None where nothing was."""
        return None if self._saved is None else BatchState.from_dict(copy.deepcopy(self._saved))

    def clear(self, *, abandon: bool = False) -> None:
        """Forget what was saved."""
        self.is_cleared = True
        self._saved = None
