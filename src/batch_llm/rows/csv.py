"""CSV and its kin: a header, then one record a row."""

from __future__ import annotations

import csv
import io
from collections import deque
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO, Final

from ..base.csv_text import csv_line
from ..exceptions import InputError
from .lines import LineFormat
from .result_row import RESULT_COLUMNS
from .row import BrokenRow, Row

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from .result_row import ResultRow

# The csv module refuses fields above 128 KiB unless told otherwise; a prompt may well be longer.
LONGEST_FIELD: Final = 2**31 - 1

# A quote that is never closed reaches to the end of the file. So far is it followed, and no
# further: what was read of it stays in memory until it can be read again, line by line.
MOST_LINES: Final = 100_000
MOST_CHARACTERS: Final = 2**24


class CsvFormat(LineFormat):
    """Records in UTF-8 with a header; a quoted field may hold line ends.

    Args:
        name: what to call it in messages.
        suffixes: how the names of its files end.
        delimiter: what stands between two fields.
    """

    def __init__(self, name: str, suffixes: tuple[str, ...], delimiter: str) -> None:
        self.name = name
        self.suffixes = suffixes
        self._delimiter = delimiter

    def read(self, stream: BinaryIO) -> Iterator[Row | BrokenRow]:
        """Yield the rows of `stream` below its header; blank lines are counted and left out.

        Raises:
            InputError: if the header cannot be read, or names a column twice.
        """
        # Closed here and not when it is collected: that may be after the stream has been closed.
        with closing(_records(stream, self._delimiter)) as records:
            header = _read_header(next(records, None))
            for line, record in records:
                yield _read_record(line, record, header)

    def header(self, kept: Sequence[str], columns: Sequence[str] = RESULT_COLUMNS) -> bytes:
        """Return the names of the columns; a kept field `f` stands under `input.f`."""
        names = (*columns, *(f"input.{name}" for name in kept))
        return csv_line(names, self._delimiter)

    def encode(
        self, row: ResultRow, kept: Sequence[str], columns: Sequence[str] = RESULT_COLUMNS
    ) -> bytes:
        """Return `row` as one record; values that are not text stand in it as JSON."""
        record = row.as_columns(columns)
        fields = row.input or {}
        values = (*record.values(), *(fields.get(name) for name in kept))
        return csv_line(values, self._delimiter)


def _records(
    stream: BinaryIO, delimiter: str
) -> Generator[tuple[int, list[str] | csv.Error], None, None]:
    """Yield each record, or why it is none, with the line on which it begins.

    What cannot be read is one line alone: a quote that is never closed swallows no other.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    lines = _Lines(text)
    # Strict: without it the end of the file, or text behind a closing quote, is no error.
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        while True:
            line = lines.begin_record()
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield line, error
                lines.return_to_second_line()
            else:
                if record:
                    yield line, record
    finally:
        # The stream is the caller's: a wrapper that is merely dropped would close it.
        if not text.closed:
            text.detach()


class _Lines:
    """The lines of a text, of which those of the record that is being read can be read again."""

    def __init__(self, text: Iterable[str]) -> None:
        self._text = iter(text)
        self._again: deque[str] = deque()
        self._record: list[str] = []
        self._characters = 0
        self._number = 0

    def begin_record(self) -> int:
        """Forget the record before, and return the number of the next line."""
        self._record.clear()
        self._characters = 0
        return self._number + 1

    def return_to_second_line(self) -> None:
        """Give all lines of the record but its first once more."""
        rest = self._record[1:]
        self._again.extendleft(reversed(rest))
        self._number -= len(rest)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self._record) >= MOST_LINES or self._characters >= MOST_CHARACTERS:
            raise csv.Error("a quote in it is not closed for too long")
        try:
            line = self._again.popleft() if self._again else next(self._text)
        except StopIteration:
            if self._record:
                raise csv.Error("a quote in it is never closed") from None
            raise
        self._record.append(line)
        self._characters += len(line)
        self._number += 1
        return line


def _read_header(first: tuple[int, list[str] | csv.Error] | None) -> list[str]:
    if first is None:
        return []
    line, record = first
    if isinstance(record, csv.Error):
        raise InputError(f"the header on line {line} cannot be read: {record}.")
    if not _is_utf8(record):
        raise InputError(f"the header on line {line} is not valid UTF-8.")
    names = [name.strip() for name in record]
    for name in names:
        if name and names.count(name) > 1:
            raise InputError(f"the header on line {line} names the column {name!r} twice.")
    return names


def _read_record(line: int, record: list[str] | csv.Error, header: list[str]) -> Row | BrokenRow:
    if isinstance(record, csv.Error):
        return BrokenRow(line, f"begins a record that cannot be read: {record}")
    if not _is_utf8(record):
        return BrokenRow(line, "is not valid UTF-8")
    if len(record) != len(header):
        # The fields before the one that is missing, or too much, are probably those they seem: they
        # name the row, and are sent nowhere.
        seeming = dict(zip(header, record, strict=False))
        reason = f"has {len(record)} fields where the header has {len(header)}"
        return BrokenRow(line, reason, seeming)
    # Spreadsheets export columns without a name; nothing can refer to those.
    return Row(line, {name: value for name, value in zip(header, record, strict=True) if name})


def _is_utf8(record: list[str]) -> bool:
    """Whether no cell holds a byte that was smuggled through as half of a surrogate pair."""
    return all(cell.isascii() or _encodes(cell) for cell in record)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
