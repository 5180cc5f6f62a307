"""What a kind of file is called when something is wrong with it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import BatchLLMError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file: a ledger, the state of a batch.

    Args:
        noun: what users call it ("ledger").
        error: makes the error of this kind, of a message, the path and the system's reason.
    """

    noun: str
    error: Callable[[str, Path, str], BatchLLMError]

    def resolved(self, path: str | Path) -> Path:
        """Return the one path of the file, so that two names of it have one lock.

        Raises:
            ConfigurationError: if there can be no file, or none that can be written.
        """
        place = Path(os.path.realpath(Path(path).expanduser()))
        if place.is_dir():
            raise ConfigurationError(
                f"The {self.noun} {str(path)!r} is a directory; name a file in it."
            )
        if place.exists() and not place.is_file():
            raise ConfigurationError(
                f"The {self.noun} {str(path)!r} is not a regular file; name one."
            )
        if not place.parent.is_dir():
            raise ConfigurationError(
                f"The {self.noun}'s directory {str(place.parent)!r} does not exist; create it "
                f"first."
            )
        return place

    def check_writable(self, place: Path, *, reader: str) -> None:
        """Make sure that a run can write at `place`.

        Args:
            place: the file, `resolved`.
            reader: what looks into such a file without writing, by name.

        Raises:
            ConfigurationError: if not, saying why.
        """
        if place.exists() and not os.access(place, os.R_OK | os.W_OK):
            raise ConfigurationError(
                f"The {self.noun} {str(place)!r} may not be written by this user. To look into "
                f"it, use {reader}; to go on with it, make it writable."
            )
        if not os.access(place.parent, os.W_OK | os.X_OK):
            raise ConfigurationError(
                f"The {self.noun}'s directory {str(place.parent)!r} may not be written by this "
                f"user; a {self.noun} needs to put files beside it. Make it writable, or name "
                f"another."
            )

    def other(self, path: Path) -> ConfigurationError:
        """Return the error for a file that is something else; it is left as it is."""
        return ConfigurationError(
            f"The file {str(path)!r} is there, and is no {self.noun}. Name another file for the "
            f"{self.noun}."
        )

    def newer(self, path: Path, version: int, known: int) -> ConfigurationError:
        """Return the error for a file of a later version of this package."""
        return ConfigurationError(
            f"The {self.noun} {str(path)!r} was written by a newer batch-llm: it has version "
            f"{version}, and this one knows {known}. Upgrade batch-llm, or name another file."
        )

    def broken(self, path: Path, doing: str, error: Exception) -> BatchLLMError:
        """Return the error that says that `doing` ("Writing") has failed, and why."""
        reason = (
            (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
        )
        return self.error(f"{doing} the {self.noun} {str(path)!r} failed: {reason}.", path, reason)

    def damaged(self, path: Path, place: int, reason: str) -> BatchLLMError:
        """Return the error for a line that cannot be read, which begins at byte `place`."""
        number = _line_number(path, place)
        return self.error(
            f"Line {number} of the {self.noun} {str(path)!r} is damaged, and others follow it. "
            f"Nothing was changed: restore the file, or remove that line to give up what it held.",
            path,
            f"line {number}: {reason}",
        )


def _line_number(path: Path, place: int) -> int:
    newlines, left = 0, place
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            newlines += block.count(b"\n")
            left -= len(block)
    return newlines + 1
