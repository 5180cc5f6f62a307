"""One line of CSV as bytes."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from .json_text import as_json

if TYPE_CHECKING:
    from collections.abc import Iterable


def csv_line(values: Iterable[object], delimiter: str = ",") -> bytes:
    """Return one record in UTF-8. None is an empty cell, what is no text stands as JSON."""
    text = io.StringIO()
    # The writer quotes a carriage return only if it is part of its own line end.
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow([_as_cell(value) for value in values])
    line = text.getvalue().removesuffix("\r\n") + "\n"
    # Half of a surrogate pair, which a model may answer, has no UTF-8.
    return line.encode(errors="backslashreplace")


def _as_cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else as_json(value).decode()
