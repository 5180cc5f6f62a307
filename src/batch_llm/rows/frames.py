"""The rows of tables that other libraries hold in memory; none of them is imported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeGuard

from ..exceptions import InputError
from .arrow import ArrowBatch, ArrowSchema, check_names, rows_of_batches
from .json_ready import table_row
from .row import BrokenRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .row import Row


class PandasFrame(Protocol):
    """A table of pandas, or of a library that imitates it."""

    @property
    def columns(self) -> Iterable[object]:
        """The names of its columns."""
        ...

    def itertuples(self, index: bool = ..., name: str | None = ...) -> Iterable[tuple[object, ...]]:
        """Yield its rows one by one."""
        ...


class PolarsFrame(Protocol):
    """A table of polars."""

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        ...

    def iter_rows(self, *, named: Literal[True]) -> Iterator[dict[str, object]]:
        """Yield its rows one by one."""
        ...


class ArrowTable(Protocol):
    """A table of pyarrow, or a data set whose batches it reads from files."""

    @property
    def schema(self) -> ArrowSchema:
        """What columns it has."""
        ...

    def to_batches(self) -> Iterable[ArrowBatch]:
        """Yield its rows, some at a time."""
        ...


Rows: TypeAlias = PandasFrame | PolarsFrame | ArrowTable | Iterable[Mapping[str, object]]
"""Where rows come from: tables, or anything that yields mappings (a list of dictionaries, a
generator, a `Dataset` or `IterableDataset` of Hugging Face)."""


def table_rows(source: Rows) -> Iterator[Row | BrokenRow]:
    """Return the rows of `source`, numbered from 1; they are read one by one, or a batch.

    Raises:
        InputError: at once, if it is no source of rows, or has two columns of one name.
    """
    if _is_arrow(source):
        check_names(source.schema.names)
        return rows_of_batches(source.to_batches())
    if _is_polars(source):
        return _rows_of_mappings(source.iter_rows(named=True))
    if _is_pandas(source):
        return _rows_of_mappings(_pandas_mappings(source))
    if isinstance(source, Iterable) and not isinstance(source, (str, bytes, Mapping)):
        return _rows_of_mappings(source)
    raise InputError(_no_source(source))


def columns_of(source: Rows) -> tuple[str, ...] | None:
    """Return the names of the columns, or None where `source` does not tell them beforehand."""
    if _is_arrow(source):
        return tuple(source.schema.names)
    if _is_pandas(source) or _is_polars(source):
        return tuple(str(name) for name in source.columns)
    names = getattr(source, "column_names", None)  # of a data set; a streamed one may not know
    return tuple(names) if isinstance(names, list) else None


# The class is asked, and not the object: a property of that may be a computation, or warn.
def _is_arrow(source: object) -> TypeGuard[ArrowTable]:
    return hasattr(type(source), "to_batches")


def _is_polars(source: object) -> TypeGuard[PolarsFrame]:
    return hasattr(type(source), "iter_rows")


def _is_pandas(source: object) -> TypeGuard[PandasFrame]:
    return hasattr(type(source), "itertuples")


def _pandas_mappings(frame: PandasFrame) -> Iterator[Mapping[str, object]]:
    names = [str(name) for name in frame.columns]
    check_names(names)
    return (dict(zip(names, row, strict=True)) for row in frame.itertuples(index=False, name=None))


def _rows_of_mappings(source: Iterable[object]) -> Iterator[Row | BrokenRow]:
    for number, values in enumerate(source, 1):
        if isinstance(values, Mapping):
            yield table_row(number, values)
        else:
            kind = type(values).__name__
            yield BrokenRow(number, f"is a {kind}, not a mapping of names to values", unit="row")


def _no_source(source: object) -> str:
    kind = type(source).__name__
    if isinstance(source, Mapping):
        names = ", ".join(repr(str(name)) for name in list(source)[:5])
        return f"rows is one {kind}; give a list of them, or one of its values: {names}."
    if hasattr(source, "collect"):
        return f"rows is a {kind}, which holds no rows yet; give what its collect() returns."
    return (
        f"rows is a {kind}; give an iterable of mappings, a data frame of pandas or polars, a "
        f"table of pyarrow, or a data set."
    )
