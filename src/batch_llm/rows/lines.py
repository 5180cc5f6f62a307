"""Formats in which a file of results grows line by line."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from .format import RowFormat, RowWriter
from .result_row import RESULT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .format import ByteSink
    from .result_row import ResultRow


class LineFormat(RowFormat):
    """A format whose results are bytes one by one, below what the file begins with."""

    @abstractmethod
    def header(self, kept: Sequence[str], columns: Sequence[str] = RESULT_COLUMNS) -> bytes:
        """Return what stands before the first result.

        Args:
            kept: the fields of the input that each result repeats.
            columns: what a table has besides them.
        """

    @abstractmethod
    def encode(
        self, row: ResultRow, kept: Sequence[str], columns: Sequence[str] = RESULT_COLUMNS
    ) -> bytes:
        """Return `row` as it is written; `kept` and `columns` are what `header` was given."""

    def writer(
        self, stream: ByteSink, kept: Sequence[str], columns: Sequence[str] = RESULT_COLUMNS
    ) -> LineWriter:
        """Return what writes results to `stream`; the header is written at once."""
        return LineWriter(self, stream, kept, columns)


class LineWriter(RowWriter):
    """Gives each result to the stream as it comes."""

    def __init__(
        self,
        row_format: LineFormat,
        stream: ByteSink,
        kept: Sequence[str],
        columns: Sequence[str],
    ) -> None:
        self._format = row_format
        self._stream = stream
        self._kept = tuple(kept)
        self._columns = tuple(columns)
        stream.write(row_format.header(self._kept, self._columns))

    def write(self, row: ResultRow) -> None:
        """Write `row`."""
        self._stream.write(self._format.encode(row, self._kept, self._columns))

    def close(self) -> None:
        """Do nothing: lines need no end."""
