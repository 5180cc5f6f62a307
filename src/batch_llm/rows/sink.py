"""The file that results go to."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ..exceptions import BatchLLMError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from .format import RowFormat
    from .result_row import ResultRow


class OutputError(BatchLLMError):
    """Results can no longer be written. The message names the file and the reason."""


class RowSink:
    """Writes results; each is with the operating system when `write` returns.

    Args:
        stream: where to write; the sink closes it.
        row_format: how rows stand in it.
        name: what to call it in messages.
        kept: the fields of the input that each result repeats.

    Attributes:
        rows: results written so far.
    """

    def __init__(
        self, stream: BinaryIO, row_format: RowFormat, name: str, kept: Sequence[str] = ()
    ) -> None:
        self._stream = stream
        self._format = row_format
        self._kept = tuple(kept)
        self.name = name
        self.rows = 0
        self._broken: OutputError | None = None
        self._put(row_format.header(self._kept))

    def write(self, row: ResultRow) -> None:
        """Write one result.

        Raises:
            OutputError: if it could not be written in whole.
        """
        self._put(self._format.encode(row, self._kept))
        self.rows += 1

    def close(self) -> None:
        """Close the stream.

        Raises:
            OutputError: if the system only now says that a write has failed.
        """
        try:
            self._stream.close()
        except OSError as error:
            raise self._failure(error.strerror or str(error)) from error

    def _put(self, content: bytes) -> None:
        if self._broken is not None:
            # The file may end in half a row; whatever followed would be taken for its rest.
            raise self._broken
        try:
            while content:
                # An unbuffered stream may take a part. It keeps nothing back, so that neither
                # a crash nor a later close can lose or repeat a row.
                content = content[self._stream.write(content) :]
        except OSError as error:
            raise self._failure(error.strerror or str(error)) from error
        except KeyboardInterrupt:
            self._failure("interrupted")
            raise

    def _failure(self, reason: str) -> OutputError:
        self._broken = OutputError(
            f"Writing to {self.name} failed after {self.rows} rows: {reason}. The run was stopped."
        )
        return self._broken

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def check_output(path: Path | None, source: Path | None, *, overwrite: bool = False) -> None:
    """Make sure that results may be written to `path` (None: standard output).

    Args:
        path: the file to write.
        source: the file that rows are read from; None where it is no file.
        overwrite: whether `path` may exist.

    Raises:
        ConfigurationError: if they may not, saying why.
    """
    if path is None:
        return
    if path.is_dir():
        raise ConfigurationError(f"The output {str(path)!r} is a directory; name a file in it.")
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"The output's directory {str(path.parent)!r} does not exist; create it first."
        )
    if not path.exists():
        return
    if source is not None and source.exists() and path.samefile(source):
        raise ConfigurationError(f"The output {str(path)!r} is the input itself; name another.")
    if not overwrite and path.is_file():
        raise ConfigurationError(
            f"The output {str(path)!r} exists; name another, or ask to overwrite it with --force."
        )


def discarding_sink(row_format: RowFormat, kept: Sequence[str] = ()) -> RowSink:
    """Return a sink that takes every result and keeps none."""
    return RowSink(Path(os.devnull).open("wb", buffering=0), row_format, "nowhere", kept)


def open_sink(
    path: Path | None, row_format: RowFormat, kept: Sequence[str] = (), *, overwrite: bool = False
) -> RowSink:
    """Open a file for results, or standard output where `path` is None.

    Raises:
        ConfigurationError: if it cannot be opened, or exists and is not to be overwritten.
    """
    if path is None:
        if sys.stdout is None:
            raise ConfigurationError("Standard output is closed; name a file for the results.")
        stream = open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)  # noqa: SIM115
        return RowSink(stream, row_format, "standard output", kept)
    # Devices and named pipes exist before they are written to, and hold nothing to lose.
    new = not overwrite and not (path.exists() and not path.is_file())
    try:
        stream = path.open("xb" if new else "wb", buffering=0)
    except OSError as error:
        raise ConfigurationError(
            f"The output {str(path)!r} cannot be opened: {error.strerror}."
        ) from error
    return RowSink(stream, row_format, str(path), kept)
