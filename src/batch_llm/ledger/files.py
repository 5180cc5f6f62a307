"""A ledger's files: who may read them, and whether there can be any."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from ..exceptions import ConfigurationError, LedgerError

PRIVATE: Final = 0o600
LINES_SUFFIXES: Final = (".jsonl", ".ndjson")
_BINARY: Final = getattr(os, "O_BINARY", 0)  # Windows would translate line ends


def resolved(path: str | Path) -> Path:
    """Return the one path of the file, so that two names of it have one lock.

    Raises:
        ConfigurationError: if there can be no file, or none that can be written.
    """
    place = Path(os.path.realpath(Path(path).expanduser()))
    if place.is_dir():
        raise ConfigurationError(f"The ledger {str(path)!r} is a directory; name a file in it.")
    if place.exists() and not place.is_file():
        raise ConfigurationError(f"The ledger {str(path)!r} is not a regular file; name one.")
    if not place.parent.is_dir():
        raise ConfigurationError(
            f"The ledger's directory {str(place.parent)!r} does not exist; create it first."
        )
    return place


def is_for_lines(place: Path) -> bool:
    """Return whether a ledger at `place` is one of JSON lines, by its suffix in any case."""
    return place.suffix.lower() in LINES_SUFFIXES


def check_writable(place: Path) -> None:
    """Make sure that a run can write at `place`.

    Raises:
        ConfigurationError: if not, saying why.
    """
    if place.exists() and not os.access(place, os.R_OK | os.W_OK):
        raise ConfigurationError(
            f"The ledger {str(place)!r} may not be written by this user. To look into it, use "
            f"read_ledger; to go on with it, make it writable."
        )
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"The ledger's directory {str(place.parent)!r} may not be written by this user; a "
            f"ledger needs to put files beside it. Make it writable, or name another."
        )


def create_private(place: Path) -> None:
    """Create an empty file that its owner alone may read, where there is none."""
    with contextlib.suppress(FileExistsError):
        number = os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, PRIVATE)
        try:
            if hasattr(os, "fchmod"):
                os.fchmod(number, PRIVATE)  # a umask may have taken the owner's own rights
        finally:
            os.close(number)


def open_private(place: Path, flags: int) -> int:
    """Return a descriptor of a file, created privately if need be; not inherited by children."""
    create_private(place)
    return os.open(place, flags | _BINARY | getattr(os, "O_CLOEXEC", 0))


def sync_directory(place: Path) -> None:
    """Let the name of a new file survive a loss of power, where the system can."""
    if os.name == "posix":
        number = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


class Place:
    """Sees when a file that is being written is no longer the one at its path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = self._identity()

    def check(self) -> None:
        """Make sure that what was written can be found again.

        Raises:
            FileNotFoundError: if it cannot.
        """
        if self._identity() != self._file:
            raise FileNotFoundError(2, "the file was removed or replaced while in use")

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - once a group: half the time
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino


def broken(path: Path, doing: str, error: Exception) -> LedgerError:
    """Return the error that says that `doing` ("writing") has failed, and why."""
    reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return LedgerError(f"{doing} the ledger {str(path)!r} failed: {reason}.", path, reason)
