"""One run at a time writes a file of results."""

from __future__ import annotations

import contextlib
from pathlib import Path

from filelock import FileLock, Timeout

from ..exceptions import ConfigurationError


class OutputLock:
    """Holds `PATH.lock` until it is closed; the system lets go of it when the process ends.

    Args:
        path: the file of results.
        shown: what to call it in messages.

    Raises:
        ConfigurationError: if another run holds it, in this process or another.
    """

    def __init__(self, path: Path, shown: str) -> None:
        self._file = Path(f"{path.resolve()}.lock")
        # Opened in one thread, it may be closed in another.
        self._lock = FileLock(self._file, timeout=0, thread_local=False)
        try:
            while not self._acquire():
                pass
        except Timeout:
            raise ConfigurationError(
                f"The output {shown!r} is being written by another run: wait for it to end, or "
                f"name another file."
            ) from None
        except PermissionError:
            # A file may be written to though its directory takes no other: then there is no lock.
            return
        except OSError as error:
            raise ConfigurationError(
                f"The output {shown!r} cannot be locked: {error.strerror or error}."
            ) from error

    def close(self) -> None:
        """Let another run have the file; harmless where that is done."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):  # Windows removes it with the lock itself
                self._file.unlink()
            self._lock.release()

    def _acquire(self) -> bool:
        """Lock the file; return False where its holder removed it meanwhile, so that it is none."""
        self._file.touch()
        before = self._identity()
        self._lock.acquire(blocking=False)
        if before is not None and before == self._identity():
            return True
        self._lock.release()
        return False

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino
