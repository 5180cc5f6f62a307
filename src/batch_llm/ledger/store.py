"""What a ledger needs of the file it stands in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .entry import Entry
    from .record import KeptResult


@dataclass(slots=True)
class Standing:
    """Where a ledger stands when it is opened.

    Attributes:
        last_run: its number; 0 where there was none.
        last_call: the highest number of a reservation that may still stand; 0 without.
        spent_usd: settled so far.
        held_usd: reserved and not settled: no process is left that could.
    """

    last_run: int = 0
    last_call: int = 0
    spent_usd: float = 0.0
    held_usd: float = 0.0


class Store(ABC):
    """A file of entries, open for one process.

    `write` is called by one thread at a time, and never while another `write` runs; the `find`
    methods by the thread of the event loop, at any time.

    Attributes:
        path: the file.
        standing: as it was at opening.
        has_results: whether `find` can find anything: there were results when the run began.
    """

    path: Path
    standing: Standing
    has_results: bool

    @abstractmethod
    def write(self, entries: Sequence[Entry]) -> None:
        """Make the entries durable: all of them, or raise."""

    @abstractmethod
    def find(self, digest: bytes) -> KeptResult | None:
        """Return the success of that item in a run before the present one."""

    @abstractmethod
    def find_answer(self, request: bytes) -> KeptResult | None:
        """Return a success for that request, the present run's included."""

    @abstractmethod
    def close(self) -> None:
        """Close the file. Nothing is written meanwhile or after."""
