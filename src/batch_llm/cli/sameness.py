"""Whether two names lead to one file, or to one that a run keeps beside the other."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ..exceptions import ConfigurationError

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


def check_apart(option: str, kept: Path, source: Path | None, output: Path | None) -> None:
    """Refuse a file that a run keeps (a ledger, a state) where it meets the input or the output.

    Args:
        option: what names the kept file: "--ledger".
        kept: that file.
        source: the input; None for a stream.
        output: None for a stream.

    Raises:
        ConfigurationError: if two of them are one, or one has the name of a file beside another.
    """
    if source is not None:
        if is_same_file(kept, source):
            raise ConfigurationError(
                f"{option} names the input {str(source)!r} itself; name another file."
            )
        _check_beside(option, kept, source, "the input")
    if output is not None:
        if is_same_file(kept, output):
            raise ConfigurationError(
                f"{option} and --output both name {str(output)!r}; name two files."
            )
        _check_beside(option, kept, output, "--output")


def _check_beside(option: str, kept: Path, other: Path, role: str) -> None:
    """Refuse names of which one is that of a file which a run keeps beside the other."""
    if is_beside(kept, other):
        raise ConfigurationError(
            f"{option} {str(kept)!r} has the name of a file that a run keeps beside {role} "
            f"{str(other)!r}; name another file."
        )
    if is_beside(other, kept):
        raise ConfigurationError(
            f"{role[:1].upper()}{role[1:]} {str(other)!r} has the name of a file that a run keeps "
            f"beside {option} {str(kept)!r}; name another {option.removeprefix('--')}."
        )
