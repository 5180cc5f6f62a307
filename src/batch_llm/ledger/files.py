"""A ledger as a kind of file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exceptions import LedgerError
from ..files import FileKind

if TYPE_CHECKING:
    from pathlib import Path

LEDGER: Final = FileKind("ledger", LedgerError)
LINES_SUFFIXES: Final = (".jsonl", ".ndjson")


def is_for_lines(place: Path) -> bool:
    """Return whether a ledger at `place` is one of JSON lines, by its suffix in any case."""
    return place.suffix.lower() in LINES_SUFFIXES
