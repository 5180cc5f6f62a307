"""JSON Lines: one object a line."""

from __future__ import annotations

import codecs
import json
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from ..base.json_text import as_json
from .lines import LineFormat
from .result_row import RESULT_COLUMNS
from .row import BrokenRow, Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .result_row import ResultRow

# Whole numbers of any size stay exact, and what JSON has no word for (NaN, half of a surrogate
# pair) is refused: either would otherwise reach the provider changed.
_decoder = msgspec.json.Decoder(dict[str, Any])


class JsonlFormat(LineFormat):
    """JSON Lines in UTF-8. Of a key that stands twice in one object the last value counts."""

    name = "JSONL"
    suffixes = (".jsonl", ".ndjson")

    def read(self, stream: BinaryIO) -> Iterator[Row | BrokenRow]:
        """Yield the rows of `stream`; blank lines are counted and left out."""
        # A binary stream ends lines at b"\n" alone, so that U+2028 in a string ends nothing.
        for line, text in enumerate(stream, start=1):
            content = text.removeprefix(codecs.BOM_UTF8) if line == 1 else text
            if content.strip():
                yield _read_line(line, content)

    def header(self, kept: Sequence[str], columns: Sequence[str] = RESULT_COLUMNS) -> bytes:
        """Return what stands before the first row: nothing."""
        return b""

    def encode(
        self, row: ResultRow, kept: Sequence[str], columns: Sequence[str] = RESULT_COLUMNS
    ) -> bytes:
        """Return `row` as one line."""
        return as_json(row.as_dict()) + b"\n"


def _read_line(line: int, content: bytes) -> Row | BrokenRow:
    try:
        return Row(line, _decoder.decode(content))
    except UnicodeDecodeError:
        return BrokenRow(line, "is not valid UTF-8")
    except RecursionError:
        return BrokenRow(line, "is nested too deeply to be read")
    except msgspec.ValidationError as error:
        return BrokenRow(line, f"cannot be used as a row: {error}")
    except msgspec.DecodeError as error:
        return _half_a_pair(line, content) or BrokenRow(line, f"is not valid JSON: {error}")


def _half_a_pair(line: int, content: bytes) -> BrokenRow | None:
    """Return the row for a line whose only fault is half of a surrogate pair, else None.

    The decoder has several words for it, some of them misleading. Programs that cut text between
    the halves of a pair write such lines.
    """
    try:
        values = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(values, dict):
        return None
    whole = {name: value for name, value in values.items() if _is_text({name: value})}
    if len(whole) == len(values):
        return None
    reason = (
        "holds half of a surrogate pair (an escape such as \\ud83d without its other half), "
        "which stands for no character"
    )
    return BrokenRow(line, reason, whole)


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON.")


def _is_text(value: object) -> bool:
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError:
        return False
    return True
