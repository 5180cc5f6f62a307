"""Parquet: a table in columns, read and written a group of rows at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ..exceptions import InputError
from .arrow import check_names, rows_of_batches
from .format import RowFormat, RowWriter
from .parquet_table import ParquetTable, as_text, check_pyarrow
from .result_row import RESULT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .arrow import ArrowBatch
    from .format import ByteSink
    from .result_row import ResultRow
    from .row import Row

ROWS_READ_AT_ONCE: Final = 256
BYTES_READ_AT_ONCE: Final = 2**20

_NUMBERS: Final = {
    "line": "int64",
    "attempts": "int64",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "total_tokens": "int64",
    "cost_usd": "float64",
    "unanswered_calls": "int64",
    "duration_seconds": "float64",
    "run": "int64",
}
"""Types of the columns of results that are no text."""


class ParquetFormat(RowFormat):
    """Apache Parquet, by pyarrow.

    Rows are numbered from 1. A null is a field that the row does not have: a table has no other
    way to leave one out. Of the results, outputs that are not text stand as JSON, and kept fields
    as texts in the struct `input`, since their types are known only when the last has come.
    """

    name = "Parquet"
    suffixes = (".parquet", ".pq")

    def check_installed(self) -> None:
        """Make sure that pyarrow is installed.

        Raises:
            MissingExtraError: if it is not.
        """
        check_pyarrow()

    def read(self, stream: BinaryIO) -> Iterator[Row]:
        """Yield the rows of `stream`; some `ROWS_READ_AT_ONCE` are in memory at a time.

        Raises:
            InputError: if it is no Parquet file, is damaged, or has two columns of one name.
            MissingExtraError: if pyarrow is not installed.
        """
        self.check_installed()
        with _damage_told():
            yield from rows_of_batches(_batches(stream))

    def writer(
        self, stream: ByteSink, kept: Sequence[str], columns: Sequence[str] = RESULT_COLUMNS
    ) -> ParquetWriter:
        """Return what writes results to `stream`.

        Raises:
            MissingExtraError: if pyarrow is not installed.
        """
        self.check_installed()
        return ParquetWriter(stream, kept, columns)


class ParquetWriter(RowWriter):
    """Holds results back until they fill a row group; `close` makes the file readable.

    Args:
        stream: where to write.
        kept: the fields of the input that each result repeats.
        columns: what the table has besides them.
    """

    def __init__(self, stream: ByteSink, kept: Sequence[str], columns: Sequence[str]) -> None:
        self._kept, self._columns = tuple(kept), tuple(columns)
        self._table = ParquetTable(stream, _schema(self._kept, self._columns))

    def write(self, row: ResultRow) -> None:
        """Take `row`, and write those that are held where they fill a group."""
        self._table.add(_record(row, self._kept, self._columns))

    def close(self) -> None:
        """Write what is held back, and the file's footer."""
        self._table.close()


def _batches(stream: BinaryIO) -> Iterator[ArrowBatch]:
    import pyarrow.parquet  # type: ignore[import-untyped]  # it ships no types

    # Without a buffer of its own, a file of one row group would be read as a whole.
    file = pyarrow.parquet.ParquetFile(stream, buffer_size=BYTES_READ_AT_ONCE, pre_buffer=False)
    check_names(file.schema_arrow.names)
    yield from file.iter_batches(batch_size=ROWS_READ_AT_ONCE)


@contextmanager
def _damage_told() -> Iterator[None]:
    """Raise InputError for what pyarrow finds wrong with a file."""
    import pyarrow

    try:
        yield
    except pyarrow.ArrowException as error:
        raise InputError("it is no Parquet file, or is damaged.") from error
    except OSError as error:
        if error.errno is not None:
            raise  # the system's own: the file cannot be read
        raise InputError("it is no Parquet file, or is damaged.") from error


def _schema(kept: Sequence[str], columns: Sequence[str]) -> Any:
    import pyarrow

    kinds = [(name, _NUMBERS.get(name, "string")) for name in columns]
    fields = [pyarrow.field(name, pyarrow.type_for_alias(kind)) for name, kind in kinds]
    if kept:
        texts = [pyarrow.field(name, pyarrow.string()) for name in kept]
        fields.append(pyarrow.field("input", pyarrow.struct(texts)))
    return pyarrow.schema(fields)


def _record(row: ResultRow, kept: Sequence[str], columns: Sequence[str]) -> dict[str, object]:
    values = row.as_columns(columns)
    record = {name: value if name in _NUMBERS else as_text(value) for name, value in values.items()}
    if kept and row.input is not None:
        record["input"] = {name: as_text(row.input.get(name)) for name in kept}
    return record
