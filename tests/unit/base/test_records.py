"""Exports of results."""

from __future__ import annotations

import builtins
import csv
import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas
import polars
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from batch_llm import BatchResult, MissingLibraryError, WorkItemResult
from batch_llm.base.json_text import as_json
from batch_llm.exceptions import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = [
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
]


class Review(BaseModel):
    label: str
    score: float | None = None


@dataclass
class Point:
    x: int


class Opaque:
    def __str__(self) -> str:
        return "as text"


def succeeded(item_id: str, output: Any, **more: Any) -> WorkItemResult[Any, Any]:
    return WorkItemResult(item_id, True, output, **more)


MIXED = BatchResult[Any, Any](
    [
        succeeded(
            "a",
            Review(label="ok"),
            context={"row": 1},
            token_usage={"input_tokens": 7, "output_tokens": 2, "cached_input_tokens": 3},
            attempts=2,
            cost_usd=0.5,
            duration_seconds=1.25,
            origin="ledger",
        ),
        WorkItemResult("b", False, error="ServerError: gone", error_category="server_error"),
        succeeded("c", 'with "quotes",\r\nand lines'),
    ]
)


def test_a_record_is_flat() -> None:
    record = MIXED.to_records()[0]
    assert list(record) == COLUMNS
    assert list(record.values()) == [
        "a",
        "succeeded",
        {"label": "ok", "score": None},
        None,
        None,
        2,
        7,
        2,
        3,
        0.5,
        1.25,
        "ledger",
        0,
        None,
    ]
    assert MIXED.to_records(include_context=True)[0]["context"] == {"row": 1}


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        (Point(1), {"x": 1}),
        ([Review(label="x"), {1: Point(2)}], [{"label": "x", "score": None}, {"1": {"x": 2}}]),
        (Opaque(), "as text"),
        ([Opaque()], ["as text"]),
        (None, None),
    ],
)
def test_outputs_are_values_of_json(output: Any, shown: Any) -> None:
    (record,) = BatchResult([succeeded("a", output)]).to_records()
    assert record["output"] == shown


def test_jsonl_is_one_object_a_line(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    MIXED.to_jsonl(path, include_context=True)
    lines = path.read_text().splitlines()
    assert [json.loads(line) for line in lines] == MIXED.to_records(include_context=True)


def test_csv_has_a_header_and_json_in_cells(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    MIXED.to_csv(str(path))
    with path.open(newline="") as file:
        first, second, third = csv.DictReader(file)
    assert list(first) == COLUMNS
    assert json.loads(first["output"]) == {"label": "ok", "score": None}
    assert (second["output"], second["error"], second["cost_usd"]) == ("", "ServerError: gone", "")
    assert third["output"] == 'with "quotes",\r\nand lines'


@given(texts=st.lists(st.text()))
def test_any_answer_can_be_exported(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("out")
    batch = BatchResult[Any, Any]([succeeded(str(n), text) for n, text in enumerate(texts)])
    batch.to_jsonl(path / "out.jsonl")
    batch.to_csv(path / "out.csv")
    lines = (path / "out.jsonl").read_bytes().split(b"\n")[:-1]
    assert [json.loads(line)["output"] for line in lines] == texts
    with (path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(texts)


# -- files


def test_a_failed_export_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("precious")
    calls = []

    def fails_at_the_second(value: object) -> bytes:
        calls.append(value)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return as_json(value)

    monkeypatch.setattr("batch_llm.base.records.as_json", fails_at_the_second)
    with pytest.raises(OSError, match="No space"):
        MIXED.to_jsonl(path)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_permissions_are_those_of_other_files(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    private = tmp_path / "private.csv"
    private.touch(0o600)
    MIXED.to_csv(tmp_path / "new.csv")
    MIXED.to_csv(private)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("usual", "new.csv")]
    assert modes[0] == modes[1]
    assert stat.S_IMODE(private.stat().st_mode) == 0o600


def test_a_link_stays_one(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "target.csv")
    MIXED.to_csv(link)
    assert link.is_symlink()
    assert (tmp_path / "target.csv").read_text().startswith("item_id,")


def test_what_is_no_file_is_written_to_directly() -> None:
    MIXED.to_csv(os.devnull)


# -- frames


def test_a_frame_of_pandas() -> None:
    frame = MIXED.to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == COLUMNS
    assert frame["output"][0] == {"label": "ok", "score": None}
    assert frame["attempts"].tolist() == [2, 0, 0]
    assert frame["cost_usd"].dtype == "float64"
    assert frame["cost_usd"].isna().tolist() == [False, True, True]
    assert "context" in MIXED.to_dataframe("pandas", include_context=True)


def test_a_frame_of_polars() -> None:
    frame = MIXED.to_dataframe("polars", include_context=True)
    assert isinstance(frame, polars.DataFrame)
    assert frame.columns == [*COLUMNS, "context"]
    assert frame["output"].to_list()[1:] == [None, 'with "quotes",\r\nand lines']
    assert json.loads(frame["output"][0]) == {"label": "ok", "score": None}
    assert frame["cost_usd"].to_list() == [0.5, None, None]
    assert frame["attempts"].dtype == polars.Int64


def test_outputs_of_one_plain_type_keep_it() -> None:
    frame = BatchResult([succeeded("a", 1), succeeded("b", 2)]).to_dataframe("polars")
    assert frame["output"].to_list() == [1, 2]
    mixed = BatchResult([succeeded("a", 1), succeeded("b", 2.5)]).to_dataframe("polars")
    assert mixed["output"].to_list() == ["1", "2.5"]


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_no_results_are_a_frame_without_rows(library: Any) -> None:
    frame = BatchResult[Any, Any]([]).to_dataframe(library)
    assert (list(frame.columns), len(frame)) == (COLUMNS, 0)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_library_that_is_not_installed_is_named(
    library: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == library:
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingLibraryError, match=f"pip install {library}"):
        MIXED.to_dataframe(library)


def test_another_library_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="library is 'pandas' or 'polars', not 'dask'"):
        MIXED.to_dataframe("dask")  # type: ignore[call-overload]
