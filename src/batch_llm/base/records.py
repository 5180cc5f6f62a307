"""Results as flat records, and the files and frames that are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..exceptions import MissingLibraryError
from .csv_text import csv_line
from .json_text import as_json, json_value
from .replaced_file import replaced_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    import pandas  # type: ignore[import-untyped]  # it ships no types
    import polars

    from .results import WorkItemResult

COLUMNS: Final = (
    "item_id",
    "outcome",
    "output",
    "error",
    "error_category",
    "attempts",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cost_usd",
    "duration_seconds",
    "origin",
    "unanswered_calls",
    "finish_reason",
)
CONTEXT: Final = "context"

_INTEGERS: Final = frozenset(
    {"attempts", "input_tokens", "output_tokens", "cached_input_tokens", "unanswered_calls"}
)
_FLOATS: Final = frozenset({"cost_usd", "duration_seconds"})


def record_of(result: WorkItemResult[Any, Any], *, include_context: bool) -> dict[str, object]:
    """Return `COLUMNS` of one result, and its context where asked for, as JSON has them."""
    usage = result.token_usage
    record: dict[str, object] = {
        "item_id": result.item_id,
        "outcome": result.outcome,
        "output": json_value(result.output),
        "error": result.error,
        "error_category": result.error_category,
        "attempts": result.attempts,
        "input_tokens": usage.get("input_tokens") or 0,
        "output_tokens": usage.get("output_tokens") or 0,
        "cached_input_tokens": usage.get("cached_input_tokens") or 0,
        "cost_usd": result.cost_usd,
        "duration_seconds": result.duration_seconds,
        "origin": result.origin,
        "unanswered_calls": result.unanswered_calls,
        "finish_reason": result.finish_reason,
    }
    if include_context:
        record[CONTEXT] = json_value(result.context)
    return record


def columns_of(*, include_context: bool) -> tuple[str, ...]:
    """Return the names of what `record_of` gives."""
    return (*COLUMNS, CONTEXT) if include_context else COLUMNS


def write_jsonl(records: Iterable[dict[str, object]], path: str | os.PathLike[str]) -> None:
    """Write one object a line."""
    with replaced_file(path) as stream:
        for record in records:
            stream.write(as_json(record) + b"\n")


def write_json(records: Iterable[dict[str, object]], path: str | os.PathLike[str]) -> None:
    """Write one list of objects, one of them a line."""
    with replaced_file(path) as stream:
        before = b"[\n"
        for record in records:
            stream.write(before + as_json(record))
            before = b",\n"
        stream.write(b"[]\n" if before == b"[\n" else b"\n]\n")


def write_csv(
    records: Iterable[dict[str, object]], columns: tuple[str, ...], path: str | os.PathLike[str]
) -> None:
    """Write a header and one record a row."""
    with replaced_file(path) as stream:
        stream.write(csv_line(columns))
        for record in records:
            stream.write(csv_line(record.values()))


def pandas_frame(
    records: Iterable[dict[str, object]], columns: tuple[str, ...]
) -> pandas.DataFrame:
    """Return a frame with a row a record.

    Raises:
        MissingLibraryError: if pandas is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingLibraryError("A data frame of pandas", "pandas") from error
    frame = pandas.DataFrame(list(records), columns=list(columns))
    return frame.astype(dict.fromkeys(_FLOATS, "float64") | dict.fromkeys(_INTEGERS, "int64"))


def polars_frame(
    records: Iterable[dict[str, object]], columns: tuple[str, ...]
) -> polars.DataFrame:
    """Return a frame with a row a record.

    A column of polars holds values of one type: outputs of several, and nested ones, are JSON.

    Raises:
        MissingLibraryError: if polars is not installed.
    """
    try:
        import polars
    except ImportError as error:
        raise MissingLibraryError("A data frame of polars", "polars") from error
    rows = list(records)
    series = []
    for name in columns:
        values = [record[name] for record in rows]
        if name in _INTEGERS:
            series.append(polars.Series(name, values, dtype=polars.Int64))
        elif name in _FLOATS:
            series.append(polars.Series(name, values, dtype=polars.Float64))
        elif name in ("output", CONTEXT):
            series.append(polars.Series(name, list(_of_one_type(values))))
        else:
            series.append(polars.Series(name, values, dtype=polars.String))
    return polars.DataFrame(series)


def _of_one_type(values: list[object]) -> Iterator[object]:
    kinds = {type(value) for value in values if value is not None}
    is_plain = len(kinds) <= 1 and kinds <= {str, bool, float, int}
    for value in values:
        if is_plain or value is None or isinstance(value, str):
            yield value
        else:
            yield as_json(value).decode()
