"""Files that their owner alone may read, and how they are replaced."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PRIVATE: Final = 0o600
_BINARY: Final = getattr(os, "O_BINARY", 0)  # Windows would translate line ends


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


def replace_file(path: Path, content: Iterable[bytes]) -> None:
    """Let the file have other content, at once: a process that is killed leaves the old one."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    number = open_private(beside, os.O_WRONLY)
    try:
        with os.fdopen(number, "wb") as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path)
