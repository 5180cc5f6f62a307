"""The results of a batch as a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from ...base.json_text import json_value
from ...base.records import write_csv, write_json, write_jsonl
from ...exceptions import ConfigurationError
from ...rows.parquet_table import write_parquet

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable

    from ...base import JobResult

    Records: TypeAlias = Iterable[dict[str, object]]

ExportFormat: TypeAlias = Literal["csv", "json", "jsonl", "parquet"]

EXPORT_FORMATS: Final = get_args(ExportFormat)
"""The formats by the names that a user gives them."""

# By name, with what Parquet calls their types; None is text, and what is no text stands as JSON.
_COLUMNS: Final[dict[str, str | None]] = {
    "job_id": None,
    "outcome": None,
    "response": None,
    "parsed_response": None,
    "error": None,
    "error_category": None,
    "finish_reason": None,
    "is_truncated": "bool",
    "input_tokens": "int64",
    "output_tokens": "int64",
    "cached_input_tokens": "int64",
    "reasoning_tokens": "int64",
    "cost_usd": "float64",
    "lane": None,
    "batch_id": None,
    "citations": None,
    "citation_mappings": None,
    "embedding": "list<float64>",
}


def export(
    results: Mapping[str, JobResult] | Iterable[JobResult],
    format: ExportFormat,  # noqa: A002 - the contract's name
    path: str | os.PathLike[str],
) -> None:
    """Write results to a file, a record each, in the order in which they come.

    The file is there in whole or as it was before. Raw responses are not among the columns.

    Args:
        results: of a run, by job id or one after the other; they are read once.
        format: "csv" (a header and rows; None is an empty cell), "json" (a list), "jsonl" (a line
            each) or "parquet". In CSV and Parquet what is neither text nor number stands as JSON.
        path: the file; one that exists is replaced.

    Raises:
        ConfigurationError: for another format; a `MissingExtraError` if "parquet" is asked for and
            pyarrow is not installed.
        OSError: if it cannot be written.
    """
    write = _WRITERS.get(format)
    if write is None:
        raise ConfigurationError(f"format is one of {', '.join(EXPORT_FORMATS)}, not {format!r}.")
    found = results.values() if isinstance(results, Mapping) else results
    write((_record(result) for result in found), path)


def _record(result: JobResult) -> dict[str, object]:
    return {name: json_value(getattr(result, name)) for name in _COLUMNS}


def _csv(records: Records, path: str | os.PathLike[str]) -> None:
    write_csv(records, tuple(_COLUMNS), path)


def _parquet(records: Records, path: str | os.PathLike[str]) -> None:
    write_parquet(records, _COLUMNS, path)


_WRITERS: Final[dict[str, Callable[[Records, str | os.PathLike[str]], None]]] = {
    "csv": _csv,
    "json": write_json,
    "jsonl": write_jsonl,
    "parquet": _parquet,
}
