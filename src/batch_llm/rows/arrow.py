"""The rows of Arrow's tables, which other libraries read and write; pyarrow is not imported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..exceptions import InputError
from .json_ready import table_row
from .row import Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Self


class ArrowValue(Protocol):
    """One cell: `pyarrow.Scalar`."""

    def as_py(self) -> object:
        """Return it as one of Python's values."""


class ArrowColumn(Protocol):
    """One column of a batch: `pyarrow.Array`."""

    @property
    def type(self) -> object:
        """What its values are."""

    def __getitem__(self, index: int, /) -> ArrowValue: ...


class ArrowSchema(Protocol):
    """What columns there are: `pyarrow.Schema`."""

    @property
    def names(self) -> Sequence[str]:
        """Their names, in order."""
        ...


class ArrowBatch(Protocol):
    """Some rows: `pyarrow.RecordBatch`."""

    @property
    def schema(self) -> ArrowSchema:
        """What columns it has."""
        ...

    @property
    def num_rows(self) -> int:
        """How many rows it has."""
        ...

    def column(self, i: int, /) -> ArrowColumn:
        """Return one of its columns."""
        ...

    def slice(self, offset: int, length: int, /) -> Self:
        """Return some of its rows."""
        ...

    def to_pylist(self) -> list[dict[str, object]]:
        """Return its rows as Python's values."""
        ...


def check_names(names: Sequence[str]) -> None:
    """Make sure that no two columns have one name.

    Raises:
        InputError: if two have.
    """
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            raise InputError(f"two columns are named {name!r}; rename one.")


def rows_of_batches(batches: Iterable[ArrowBatch]) -> Iterator[Row]:
    """Yield the rows of `batches`, numbered from 1."""
    number = 0
    for batch in batches:
        for row in _rows_of(batch, number):
            yield row
            number = row.line


def _rows_of(batch: ArrowBatch, before: int) -> Iterator[Row]:
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError, NotImplementedError):
        # One value that Python has no word for, such as a text that is not UTF-8 or a date after
        # the year 9999, must not take the others with it.
        for index in range(batch.num_rows):
            yield _row_by_cells(batch.slice(index, 1), before + index + 1)
    else:
        for number, values in enumerate(rows, before + 1):
            yield table_row(number, values)


def _row_by_cells(batch: ArrowBatch, number: int) -> Row:
    values: dict[str, object] = {}
    unread: dict[str, str] = {}
    for index, name in enumerate(batch.schema.names):
        column = batch.column(index)
        try:
            values[name] = column[0].as_py()
        except (ValueError, OverflowError, NotImplementedError):
            unread[name] = f"a {column.type} that cannot be read"
    row = table_row(number, values)
    return Row(number, row.fields, row.unit, {**row.unfit, **unread})
