"""One process at a time."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if sys.platform != "win32":
    import fcntl

from filelock import FileLock, Timeout

from .private import PRIVATE, create_private

if TYPE_CHECKING:
    from .kind import FileKind


class PathLock:
    """Holds `PATH.lock` until it is closed; the system lets go of it when the process ends.

    Args:
        place: the file that one process at a time may write.
        kind: what the file is, for the error.

    Raises:
        BatchLLMError: of that kind, if another holds it, in this process or another.
    """

    def __init__(self, place: Path, kind: FileKind) -> None:
        self._file = Path(f"{place}.lock")
        holder = _read_pid(self._file)
        try:
            create_private(self._file)
            # Opened in one thread, it may be closed in another.
            self._lock = FileLock(self._file, timeout=0, mode=PRIVATE, thread_local=False)
            self._lock.acquire(blocking=False)
        except Timeout:
            raise kind.error(
                f"The {kind.noun} {str(place)!r} is in use by {_who(holder)}. One run at a time "
                f"can write a {kind.noun}: wait for it to end, or name another file.",
                place,
                "locked",
            ) from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise kind.error(
                f"The {kind.noun} {str(place)!r} cannot be locked: {reason}.", place, reason
            ) from error
        with contextlib.suppress(OSError):  # for the message above; the lock itself is held
            self._file.write_text(f"{os.getpid()}\n", encoding="ascii")

    def close(self) -> None:
        """Let another have the file."""
        with contextlib.suppress(OSError):  # no process holds it any longer
            self._file.write_text("", encoding="ascii")
        self._lock.release()


def hold_file(file: int, place: Path, kind: FileKind) -> None:
    """Hold an open file itself, under whichever of its names, until it is closed.

    A `PathLock` holds a name: a file may have two (hard links), and the file of the lock may be
    tidied away. Where the system cannot hold the file itself (Windows, some network drives), the
    lock of the name is all there is.

    Args:
        file: its descriptor.
        place: the name that it was opened by.
        kind: what the file is, for the error.

    Raises:
        BatchLLMError: of that kind, if it is held already, in this process or another.
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise kind.error(
                f"The {kind.noun} {str(place)!r} is in use by another run, which knows the file by "
                f"another name (a hard link), or whose lock beside it was removed. One run at a "
                f"time can write a {kind.noun}: wait for it to end, or name another file.",
                place,
                "locked",
            ) from None
        except OSError:
            return


def let_go(file: int) -> None:
    """Hold a file no longer, also where a child of this process has inherited it."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_UN)


def holder_of(place: Path) -> int | None:
    """Return the process that holds a file, by what it has written beside; None for none.

    One that was killed wrote that too, and its number may be that of another process by now: the
    lock tells. Where it does not (Windows, some network drives), make sure that the process is
    there.
    """
    file = Path(f"{place}.lock")
    pid = _read_pid(file)
    return None if pid is None or _is_free(file) else pid


def _is_free(file: Path) -> bool:
    """Return whether it is known that nobody holds a lock's file."""
    if sys.platform == "win32":
        return False
    try:
        with file.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # it is held, or cannot be asked for
        return False
    return True


def _read_pid(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _who(pid: int | None) -> str:
    if pid is None:
        return "another run"
    return "another run of this process" if pid == os.getpid() else f"the process {pid}"
