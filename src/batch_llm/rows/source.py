"""Rows that can be read more than once."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from ..exceptions import ConfigurationError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .format import RowFormat
    from .row import BrokenRow, Row


class RowSource:
    """The rows of a stream. Each iteration begins at the start; one at a time.

    Iterating raises InputError where the stream cannot be read, or is not of its format.

    Args:
        stream: bytes that can be sought in; left open.
        row_format: how rows stand in it.
        name: what to call it in messages.
    """

    def __init__(self, stream: BinaryIO, row_format: RowFormat, name: str) -> None:
        self._stream = stream
        self._format = row_format
        self.name = name

    def __iter__(self) -> Iterator[Row | BrokenRow]:
        try:
            self._stream.seek(0)
            yield from self._format.read(self._stream)
        except InputError as error:
            raise InputError(f"{self.name}: {error}") from error
        except OSError as error:
            raise InputError(f"{self.name} cannot be read: {error.strerror}.") from error


@contextmanager
def open_source(path: Path | None, row_format: RowFormat) -> Iterator[RowSource]:
    """Open the rows of a file, or of standard input where `path` is None.

    What cannot be sought in (a pipe) is first copied into a temporary file.

    Raises:
        ConfigurationError: if the file cannot be opened; a `MissingExtraError` if what the format
            needs is not installed.
        InputError: if it cannot be read.
    """
    row_format.check_installed()
    name = "standard input" if path is None else str(path)
    with _open_stream(path) as stream:
        if stream.seekable():
            yield RowSource(stream, row_format, name)
            return
        with tempfile.TemporaryFile() as copy:
            try:
                shutil.copyfileobj(stream, copy)
            except OSError as error:
                raise InputError(f"{name} cannot be read: {error.strerror}.") from error
            yield RowSource(copy, row_format, name)


def _open_stream(path: Path | None) -> BinaryIO:
    if path is None:
        if sys.stdin is None:
            raise ConfigurationError("Standard input is closed; name a file of rows.")
        # Standard input stays open for whoever else reads it.
        return open(sys.stdin.fileno(), "rb", closefd=False)
    try:
        return path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"{str(path)!r} cannot be opened: {error.strerror}.") from error
