"""Whether two names lead to one file, or to one that a run keeps beside the other."""

from __future__ import annotations

from pathlib import Path
from typing import Final

BESIDE: Final = (".partial", ".lock", "-wal", "-shm", "-journal", ".new")
"""What the names of such files add: results on their way, locks, and what ledgers need."""


def is_same_file(one: Path, other: Path) -> bool:
    """Return whether both lead to one file, through links too; neither has to exist."""
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def is_beside(one: Path, other: Path) -> bool:
    """Return whether `one` is a file that a run may write for the sake of `other`."""
    whole = str(other.resolve())
    return any(is_same_file(one, Path(f"{whole}{ending}")) for ending in BESIDE)
