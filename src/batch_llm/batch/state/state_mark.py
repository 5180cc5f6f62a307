"""What tells whether the file at a path is the state that a run has read and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ...exceptions import StateError
from .state_file import STATE

if TYPE_CHECKING:
    from pathlib import Path

_TAIL_BYTES: Final = 64


@dataclass(frozen=True, slots=True)
class StateMark:
    """A state as it was last known: lines are only ever added, so that it stays its beginning.

    What another process has added since is no other state.

    Attributes:
        head: the first line, which names the run.
        size: bytes of whole lines.
        tail: the last of these bytes.
    """

    head: bytes
    size: int
    tail: bytes

    @classmethod
    def of(cls, path: Path, size: int) -> StateMark:
        """Return that of a file whose whole lines have `size` bytes.

        Raises:
            OSError: if it cannot be read.
        """
        with path.open("rb") as file:
            head = file.readline()
            start = max(0, size - _TAIL_BYTES)
            file.seek(start)
            return cls(head, size, file.read(size - start))

    def then(self, lines: bytes) -> StateMark:
        """Return that of the same file with more lines."""
        tail = (self.tail + lines[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        return StateMark(self.head, self.size + len(lines), tail)

    def check(self, path: Path) -> None:
        """Make sure that the file is the same state.

        Raises:
            StateError: if it is gone, or another; it says what can be done.
        """
        try:
            with path.open("rb", buffering=0) as file:
                head = file.read(len(self.head))
                file.seek(self.size - len(self.tail))
                tail = file.read(len(self.tail))
        except FileNotFoundError:
            raise _gone(path) from None
        except OSError as error:
            raise STATE.broken(path, "Reading", error) from error
        if head != self.head:
            raise _another(path)
        if tail != self.tail:
            raise _older(path)


def _gone(path: Path) -> StateError:
    return StateError(
        f"The batch state {str(path)!r} is gone: it was removed or renamed after this run had "
        f"opened it. Nothing was sent, and no other was made. Put the file back, and the run can "
        f"go on; a new run of the same jobs sends and pays for all of them again.",
        path,
        "it is gone",
    )


def _another(path: Path) -> StateError:
    return StateError(
        f"The batch state {str(path)!r} is not that of this run any longer: another run has begun "
        f"in its place (reuse_state=False does that), or the file was replaced. Nothing was sent "
        f"or changed. Put this run's own file back, or use the run that has begun since.",
        path,
        "it is another run's",
    )


def _older(path: Path) -> StateError:
    return StateError(
        f"The batch state {str(path)!r} lacks what this run has written: an older copy was put in "
        f"its place, or its end was cut off. Nothing was sent or changed: what it lacks would be "
        f"sent and paid for again. Put the whole file back.",
        path,
        "it lacks what was written",
    )
