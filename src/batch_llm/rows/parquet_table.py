"""A table in columns, written a group of rows at a time."""

from __future__ import annotations

from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from ..base.json_text import as_json
from ..base.replaced_file import replaced_file
from ..exceptions import MissingExtraError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping

    from .format import ByteSink

# Written when either is reached, so that memory is flat whatever the answers are.
ROWS_OF_A_GROUP: Final = 10_000
CHARACTERS_OF_A_GROUP: Final = 2**24


def check_pyarrow() -> None:
    """Make sure that pyarrow is installed.

    Raises:
        MissingExtraError: if it is not.
    """
    if find_spec("pyarrow") is None:
        raise MissingExtraError("Parquet", "parquet")


class ParquetTable:
    """Holds records back until they fill a row group; `close` makes the file readable.

    Args:
        stream: where to write; left open.
        schema: the columns: a `pyarrow.Schema`.
    """

    def __init__(self, stream: ByteSink | BinaryIO, schema: Any) -> None:
        import pyarrow.parquet  # type: ignore[import-untyped]  # it ships no types

        self._schema = schema
        self._file = pyarrow.parquet.ParquetWriter(stream, schema)
        self._held: list[dict[str, object]] = []
        self._held_characters = 0
        self._is_whole = True

    def add(self, record: dict[str, object]) -> None:
        """Take `record`, and write those that are held where they fill a group."""
        self._held.append(record)
        self._held_characters += _characters(record)
        if len(self._held) >= ROWS_OF_A_GROUP or self._held_characters >= CHARACTERS_OF_A_GROUP:
            self._write_group()

    def close(self) -> None:
        """Write what is held back, and the file's footer."""
        if not self._is_whole:
            return  # a footer would lead readers to a group of which a part is missing
        if self._held:
            self._write_group()
        self._is_whole = False
        self._file.close()

    def _write_group(self) -> None:
        import pyarrow

        group = pyarrow.Table.from_pylist(self._held, schema=self._schema)
        self._is_whole = False
        self._file.write_table(group)
        self._is_whole = True
        self._held.clear()
        self._held_characters = 0


def write_parquet(
    records: Iterable[Mapping[str, object]],
    columns: Mapping[str, str | None],
    path: str | os.PathLike[str],
) -> None:
    """Write records as a table; the file is there in whole, or as it was before.

    Args:
        records: JSON-ready values by name.
        columns: the type of each column ("int64", "float64", "bool", "list<float64>"); None is
            text, and what is no text stands as JSON.
        path: the file; one that exists is replaced.

    Raises:
        MissingExtraError: if pyarrow is not installed.
        OSError: if it cannot be written.
    """
    check_pyarrow()
    import pyarrow

    schema = pyarrow.schema([(name, _type(kind)) for name, kind in columns.items()])
    # The table ends before its stream does, come what may.
    with replaced_file(path) as stream, closing(ParquetTable(stream, schema)) as table:
        for record in records:
            table.add(_row(record, columns))


def as_text(value: object) -> str | None:
    """Return a cell of a column of texts: other values stand as JSON, None for none."""
    if value is None:
        return None
    text = value if isinstance(value, str) else as_json(value).decode()
    # Half of a surrogate pair, which a model may answer, has no UTF-8.
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _row(record: Mapping[str, object], columns: Mapping[str, str | None]) -> dict[str, object]:
    return {name: record[name] if kind else as_text(record[name]) for name, kind in columns.items()}


def _type(kind: str | None) -> Any:
    import pyarrow

    if kind == "list<float64>":
        return pyarrow.list_(pyarrow.float64())
    return pyarrow.type_for_alias(kind or "string")


def _characters(record: dict[str, object]) -> int:
    fields = record.get("input")
    values = (*record.values(), *(fields.values() if isinstance(fields, dict) else ()))
    return sum(len(value) for value in values if isinstance(value, str))
