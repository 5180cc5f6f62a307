"""The rows that a ledger keeps, as files."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest
from tests.kept_results import Kept, keep

from batch_llm.cli.results import results
from batch_llm.exceptions import ConfigurationError
from batch_llm.rows.formats import PARQUET, format_of
from batch_llm.rows.row import Row
from batch_llm.rows.source import RowSource

if TYPE_CHECKING:
    from pathlib import Path

    from batch_llm.ledger import KeptOutcome


@pytest.fixture(params=["run.db", "kept.jsonl"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / request.param
    keep(path, Kept(item_id="a", output={"label": "good"}), Kept(item_id="b"))
    return path


def test_a_row_is_as_a_run_writes_it(ledger: Path, tmp_path: Path) -> None:
    results(ledger, tmp_path / "out.jsonl")

    first, second = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert first == {
        "id": "a",
        "line": None,
        "status": "succeeded",
        "output": {"label": "good"},
        "error": None,
        "error_category": None,
        "attempts": 1,
        "tokens": {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13},
        "cost_usd": 0.25,
        "unanswered_calls": 0,
        "duration_seconds": 1.5,
        "origin": "ledger",
        "finish_reason": None,
    }
    assert (second["id"], second["status"], second["error"]) == ("b", "failed", "E: b")


@pytest.mark.parametrize(
    ("outcome", "ids"), [(None, ["a", "b"]), ("failed", ["b"]), ("succeeded", ["a"])]
)
def test_rows_of_one_outcome(
    ledger: Path, tmp_path: Path, outcome: KeptOutcome | None, ids: list[str]
) -> None:
    results(ledger, tmp_path / "out.csv", outcome=outcome)

    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ids
    assert {row["line"] for row in rows} == {""}


def test_parquet(ledger: Path, tmp_path: Path) -> None:
    results(ledger, tmp_path / "out.parquet")

    with (tmp_path / "out.parquet").open("rb") as stream:
        first, _ = PARQUET.read(stream)
    assert (first.fields["output"], first.fields["cost_usd"]) == ('{"label":"good"}', 0.25)
    assert "line" not in first.fields


def test_a_file_that_exists_is_left_alone_unless_asked(ledger: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("precious")

    with pytest.raises(ConfigurationError, match="--force"):
        results(ledger, out)
    assert out.read_text() == "precious"

    results(ledger, out, overwrite=True)
    assert len(out.read_text().splitlines()) == 2


def test_the_ledger_itself_is_never_written_over(ledger: Path) -> None:
    with pytest.raises(ConfigurationError, match="the input itself"):
        results(ledger, ledger, output_format="jsonl", overwrite=True)


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_every_end_of_a_row_can_be_had_with_its_run(
    ledger: Path, tmp_path: Path, name: str
) -> None:
    keep(ledger, Kept(item_id="b", output="at last"))

    results(ledger, tmp_path / name, every_end=True)

    with (tmp_path / name).open("rb") as stream:
        rows = list(RowSource(stream, format_of(tmp_path / name), name))
    told = [(row.fields["id"], str(row.fields["run"])) for row in rows if isinstance(row, Row)]
    assert told == [("a", "1"), ("b", "1"), ("b", "2")]
