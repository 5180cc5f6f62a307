"""What a ledger tells of the rows of a file before a run."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from tests.kept_results import Kept, keep

from batch_llm.ledger import identify, read_ledger, request_digest
from batch_llm.rows.earlier_results import EarlierResults
from batch_llm.rows.formats import CSV, JSONL, PARQUET
from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.source import RowSource

if TYPE_CHECKING:
    from pathlib import Path

    from batch_llm.rows.format import RowFormat


@pytest.fixture(params=["run.db", "run.jsonl"])
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> EarlierResults:
    """Of a ledger in which "a" has succeeded with two prompts, and "b" has failed."""
    path = tmp_path / request.param
    keep(path, Kept(item_id="a", output="x", duration_seconds=1.2345678), Kept(item_id="b"))
    keep(path, Kept(item_id="a", output="y", prompt="Other", duration_seconds=2.0))
    return EarlierResults(read_ledger(path))


def row(row_id: str = "a", seconds: float = 1.2345678, **values: object) -> ResultRow:
    fields = {"status": "succeeded", "output": "x", "attempts": 1, **values}
    return ResultRow(id=row_id, line=1, duration_seconds=seconds, **fields)  # type: ignore[arg-type]


def file_of(*rows: ResultRow, row_format: RowFormat = JSONL, end: bytes = b"") -> RowSource:
    stream = io.BytesIO()
    writer = row_format.writer(stream, ())
    for each in rows:
        writer.write(each)
    writer.close()
    stream.seek(0, io.SEEK_END)
    stream.write(end)
    return RowSource(stream, row_format, "out")


FAILED = {"status": "failed", "output": None, "error": "E: x", "error_category": "timeout"}
CANCELLED = {**FAILED, "status": "cancelled", "error_category": "cancelled"}


def test_each_id_has_its_last_end(earlier: EarlierResults) -> None:
    assert [earlier.outcome(row_id) for row_id in "abc"] == ["succeeded", "failed", None]
    assert len(earlier) == 2


@pytest.mark.parametrize("name", ["run.db", "run.jsonl"])
def test_an_id_whose_prompt_has_changed_has_the_end_of_the_new_one(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    keep(path, Kept(item_id="a"), Kept(item_id="b", output="x"))
    keep(path, Kept(item_id="a", output="y", prompt="Other"), Kept(item_id="b", prompt="Other"))
    earlier = EarlierResults(read_ledger(path))

    assert [earlier.outcome(row_id) for row_id in "ab"] == ["succeeded", "failed"]
    assert {row.item_id: row.outcome for row in read_ledger(path).results()} == {
        "a": "succeeded",
        "b": "failed",
    }


def test_a_success_is_one_of_the_same_prompt_and_model(earlier: EarlierResults) -> None:
    def has(row_id: str, fingerprint: str, prompt: str) -> bool:
        return earlier.has_success(identify(row_id, request_digest(fingerprint, prompt)).digest)

    assert has("a", "model", "Say it")
    assert has("a", "model", "Other")
    assert not has("a", "other model", "Say it")
    assert not has("a", "model", "Say that")
    assert not has("b", "model", "Say it")


def test_without_a_ledger_there_is_nothing() -> None:
    assert not EarlierResults(None)
    assert EarlierResults(None).outcome("a") is None


@pytest.mark.parametrize("row_format", [JSONL, CSV, PARQUET])
def test_a_file_of_its_own_results_may_go(earlier: EarlierResults, row_format: RowFormat) -> None:
    own = file_of(
        row(), row(seconds=2.0), row("b", **FAILED), row("c", **CANCELLED), row_format=row_format
    )

    assert earlier.hold_all_of(own)


@pytest.mark.parametrize("row_format", [JSONL, CSV, PARQUET])
@pytest.mark.parametrize("other", [row(seconds=1.234569), row("z"), row("b")])
def test_a_file_with_a_success_that_only_it_has_may_not(
    earlier: EarlierResults, other: ResultRow, row_format: RowFormat
) -> None:
    assert not earlier.hold_all_of(file_of(row(), other, row_format=row_format))


def test_the_end_of_a_file_whose_writer_was_killed_may_be_cut(earlier: EarlierResults) -> None:
    assert earlier.hold_all_of(file_of(row(), end=b'{"id":"b","lin'))
    assert not earlier.hold_all_of(file_of(row(), end=b'{"id":"b","lin\n{"id":"b"}\n'))


@pytest.mark.parametrize(
    "content", [b'{"id": "a"}\n', b"precious\nwords\n", b'{"status": "failed"}']
)
def test_a_file_of_anything_else_may_not(earlier: EarlierResults, content: bytes) -> None:
    assert not earlier.hold_all_of(RowSource(io.BytesIO(content), JSONL, "out"))


def test_a_file_that_is_not_of_its_format_may_not(earlier: EarlierResults) -> None:
    assert not earlier.hold_all_of(RowSource(io.BytesIO(b"PAR1"), PARQUET, "out"))


def test_an_empty_file_may_go(earlier: EarlierResults) -> None:
    assert earlier.hold_all_of(RowSource(io.BytesIO(), JSONL, "out"))
