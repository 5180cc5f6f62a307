"""The file that results go to."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, Protocol

from ..base import figures
from ..exceptions import BatchLLMError, ConfigurationError
from .output_lock import OutputLock
from .result_row import RESULT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from .format import RowFormat
    from .result_row import ResultRow


class OutputError(BatchLLMError):
    """Results can no longer be written. The message names the file and the reason."""


class ResultSink(Protocol):
    """Takes the results of a run."""

    @property
    def name(self) -> str:
        """What to call it in messages."""
        ...

    @property
    def is_begun(self) -> bool:
        """Whether it is open, or has been."""
        ...

    def begin(self) -> None:
        """Open it, if that is not done.

        Raises:
            ConfigurationError: if it cannot be opened.
        """

    def write(self, row: ResultRow) -> None:
        """Write one result.

        Raises:
            OutputError: if it could not be written in whole, or one before it could not.
        """

    def close(self) -> None:
        """Write what is left once all results have come.

        Raises:
            OutputError: if it cannot be written.
        """


class WholeWrites:
    """Writes all that it is given to a stream that may take a part of it at a time.

    Unbuffered, it keeps nothing back: neither a crash nor a later close can lose or repeat a row.

    Args:
        stream: where to write; left open.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    @property
    def closed(self) -> bool:
        """Whether the stream is closed."""
        return self._stream.closed

    def write(self, content: bytes) -> int:
        """Write all of `content`, and return its length.

        Raises:
            OSError: if some of it cannot be written.
        """
        rest = content
        while rest:
            rest = rest[self._stream.write(rest) :]
        return len(content)


class RowSink:
    """Writes results; a line is with the operating system when `write` returns.

    A format of columns writes groups of rows: a file that is closed holds all results, whatever
    stopped the run, and one whose process was killed cannot be read. What survives that is lines,
    or a ledger.

    Args:
        stream: where to write; the sink closes it.
        row_format: how rows stand in it.
        name: what to call it in messages.
        kept: the fields of the input that each result repeats.
        columns: what a table has besides them.
        lock: what keeps other runs from the file; closed with the sink.

    Attributes:
        rows: results taken so far.
        is_begun: always; it is open from the start.
    """

    is_begun = True

    def __init__(
        self,
        stream: BinaryIO,
        row_format: RowFormat,
        name: str,
        kept: Sequence[str] = (),
        *,
        columns: Sequence[str] = RESULT_COLUMNS,
        lock: OutputLock | None = None,
    ) -> None:
        self._stream = stream
        self._lock = lock
        self.name = name
        self.rows = 0
        self._broken: OutputError | None = None
        with self._told():
            self._writer = row_format.writer(WholeWrites(stream), tuple(kept), columns)

    def begin(self) -> None:
        """Do nothing: it is open from the start."""

    def write(self, row: ResultRow) -> None:
        """Write one result.

        Raises:
            OutputError: if it could not be written in whole, or one before it could not.
        """
        if self._broken is not None:
            # The file may end in half a row; whatever followed would be taken for its rest.
            raise self._broken
        with self._told():
            self._writer.write(row)
        self.rows += 1

    def close(self) -> None:
        """Write the end of the file and close the stream; harmless where that is done.

        Raises:
            OutputError: if the end cannot be written, or the system only now says that a write
                has failed.
        """
        with self._told():
            try:
                self._writer.close()
            finally:
                self._close_stream()

    def _close_stream(self) -> None:
        try:
            self._stream.close()
        finally:
            if self._lock is not None:
                self._lock.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what has gone wrong with the file, and remember it."""
        try:
            yield
        except OSError as error:
            raise self._failure(error.strerror or str(error)) from error
        except KeyboardInterrupt:
            self._failure("interrupted")
            raise

    def _failure(self, reason: str) -> OutputError:
        self._broken = OutputError(
            f"Writing to {self.name} failed after {figures.plural(self.rows, 'row')}: {reason}."
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
    """Return a sink that takes every result and keeps none.

    Raises:
        MissingExtraError: if what the format needs is not installed.
    """
    row_format.check_installed()
    return RowSink(Path(os.devnull).open("wb", buffering=0), row_format, "nowhere", kept)


def open_sink(
    path: Path | None,
    row_format: RowFormat,
    kept: Sequence[str] = (),
    *,
    columns: Sequence[str] = RESULT_COLUMNS,
    overwrite: bool = False,
) -> RowSink:
    """Open a file for results, or standard output where `path` is None.

    Raises:
        ConfigurationError: if it cannot be opened, is being written by another run, or exists and
            is not to be overwritten; a `MissingExtraError` if what the format needs is not
            installed.
    """
    row_format.check_installed()
    if path is None:
        if sys.stdout is None:
            raise ConfigurationError("Standard output is closed; name a file for the results.")
        out = open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)  # noqa: SIM115
        return RowSink(out, row_format, "standard output", kept, columns=columns)
    # Devices and named pipes exist before they are written to, and hold nothing to lose.
    is_device = path.exists() and not path.is_file()
    # Before it is emptied: what another run has written is not to be lost.
    lock = None if is_device else OutputLock(path, str(path))
    with ExitStack() as opened:
        if lock is not None:
            opened.callback(lock.close)
        stream = opened.enter_context(_open_file(path, "wb" if overwrite or is_device else "xb"))
        sink = RowSink(stream, row_format, str(path), kept, columns=columns, lock=lock)
        opened.pop_all()
    return sink


def _open_file(path: Path, mode: Literal["wb", "xb"]) -> BinaryIO:
    try:
        # Whoever else writes to it, no row falls upon another.
        return open(path, mode, buffering=0, opener=_open_to_append)
    except OSError as error:
        raise ConfigurationError(
            f"The output {str(path)!r} cannot be opened: {error.strerror}."
        ) from error


def _open_to_append(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_APPEND, 0o666)
