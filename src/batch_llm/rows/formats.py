"""Which formats there are, and which one a file has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exceptions import ConfigurationError
from .csv import CsvFormat
from .jsonl import JsonlFormat
from .parquet import ParquetFormat

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .format import RowFormat

JSONL: Final = JsonlFormat()
CSV: Final = CsvFormat("CSV", (".csv",), ",")
TSV: Final = CsvFormat("TSV", (".tsv",), "\t")
PARQUET: Final = ParquetFormat()

FORMATS: Final[Mapping[str, RowFormat]] = {
    "jsonl": JSONL,
    "csv": CSV,
    "tsv": TSV,
    "parquet": PARQUET,
}
"""The formats by the names that a user gives them."""


def format_of(path: Path) -> RowFormat:
    """Return the format that the suffix of `path` names.

    Raises:
        ConfigurationError: if it names none.
    """
    suffix = path.suffix.lower()
    for row_format in FORMATS.values():
        if suffix in row_format.suffixes:
            return row_format
    known = ", ".join(suffix for each in FORMATS.values() for suffix in each.suffixes)
    raise ConfigurationError(
        f"The format of {str(path)!r} is unknown: its name ends in none of {known}."
    )
