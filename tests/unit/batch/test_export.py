"""Results as files, whole or not at all."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from pydantic import BaseModel

from batch_llm import ConfigurationError, JobResult
from batch_llm.base import Citation, CitedValue
from batch_llm.batch import EXPORT_FORMATS, export
from batch_llm.rows import parquet_table


class Invoice(BaseModel):
    total: float


CITED = Citation("12.50", 0, "invoice", "page", 1, 2)
VALUE = CitedValue(CITED, 0.95, 0, 5)
RESULTS = {
    "a": JobResult(
        "a",
        'x, "y"\nz',
        Invoice(total=12.5),
        [CITED],
        10,
        5,
        0.25,
        citation_mappings={"total": [VALUE]},
        raw_response={"id": "msg_1"},
    ),
    "b": JobResult("b", error="late", outcome="expired", embedding=[0.5, 1.0]),
    "c": JobResult("c", "half \ud83d", {"error": "cut"}, is_truncated=True),
}


def read(path: Path, kind: str) -> list[dict[str, Any]]:
    if kind == "parquet":
        return list(pyarrow.parquet.read_table(path).to_pylist())
    text = path.read_text(encoding="utf-8")
    if kind == "csv":
        return list(csv.DictReader(text.splitlines(keepends=True)))
    return json.loads(text) if kind == "json" else list(map(json.loads, text.splitlines()))


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_every_format_holds_all_results_in_order(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / f"out.{kind}"
    export(RESULTS, kind, path)
    first, second, third = read(path, kind)
    assert [first["job_id"], second["job_id"], third["job_id"]] == ["a", "b", "c"]
    assert first["response"] == 'x, "y"\nz'
    assert float(first["cost_usd"]) == 0.25
    assert second["outcome"] == "expired"
    assert second["cost_usd"] in (None, "")
    assert "raw_response" not in first


@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_json_keeps_what_is_nested(tmp_path: Path, kind: Any) -> None:
    export(RESULTS.values(), kind, tmp_path / "out")
    first, second, third = read(tmp_path / "out", kind)
    assert first["parsed_response"] == {"total": 12.5}
    assert first["citations"] == [CITED.to_dict()]
    assert first["citation_mappings"] == {"total": [VALUE.to_dict()]}
    assert second["embedding"] == [0.5, 1.0]
    assert third["response"] == "half \ud83d"


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_tables_hold_it_as_json(tmp_path: Path, kind: Any) -> None:
    export(RESULTS, kind, tmp_path / "out")
    first = read(tmp_path / "out", kind)[0]
    assert json.loads(first["parsed_response"]) == {"total": 12.5}
    assert json.loads(first["citations"]) == [CITED.to_dict()]


def test_parquet_has_types(tmp_path: Path) -> None:
    export(RESULTS, "parquet", tmp_path / "out")
    second, third = read(tmp_path / "out", "parquet")[1:]
    assert (second["embedding"], third["is_truncated"]) == ([0.5, 1.0], True)
    assert (third["input_tokens"], third["error"]) == (0, None)


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_no_results_are_a_file_too(tmp_path: Path, kind: Any) -> None:
    export([], kind, tmp_path / "out")
    assert read(tmp_path / "out", kind) == []


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_a_file_that_cannot_be_made_whole_leaves_the_old_one(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "out"
    path.write_text("before", encoding="utf-8")

    def broken() -> Any:
        yield RESULTS["a"]
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        export(broken(), kind, path)
    assert path.read_text(encoding="utf-8") == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["out"]


def test_another_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="csv, json, jsonl, parquet, not 'xlsx'"):
        export([], "xlsx", tmp_path / "out")  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_large_table_is_written_in_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_table, "ROWS_OF_A_GROUP", 10)
    export((JobResult(str(n)) for n in range(25)), "parquet", tmp_path / "out")
    file = pyarrow.parquet.ParquetFile(tmp_path / "out")
    assert (file.metadata.num_rows, file.num_row_groups) == (25, 3)


@pytest.mark.parametrize("kind", EXPORT_FORMATS)
def test_a_folder_that_is_missing_is_told_by_the_path_that_was_given(
    tmp_path: Path, kind: Any
) -> None:
    path = tmp_path / "missing" / "out"
    with pytest.raises(FileNotFoundError) as caught:
        export(RESULTS, kind, path)
    assert caught.value.filename == str(path)
