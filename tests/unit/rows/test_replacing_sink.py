"""A file of results that takes its place when it is whole."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest
from tests.kept_results import Kept, keep

from batch_llm.exceptions import ConfigurationError
from batch_llm.ledger import read_ledger
from batch_llm.rows.earlier_results import EarlierResults
from batch_llm.rows.formats import CSV, JSONL, PARQUET
from batch_llm.rows.replacing_sink import ReplacingSink
from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.sink import OutputError, open_sink

if TYPE_CHECKING:
    from pathlib import Path

    from batch_llm.rows.format import RowFormat

ROW = ResultRow(id="a", line=1, status="succeeded", output="x")
NOTHING = EarlierResults(None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_nothing_is_touched_before_it_is_begun(path: Path) -> None:
    with ReplacingSink(path, JSONL, earlier=NOTHING) as sink:
        sink.close()

    assert not sink.is_begun
    assert names(path) == []


def test_what_was_there_stays_until_the_end(path: Path) -> None:
    path.write_text("precious")
    with ReplacingSink(path, JSONL, earlier=NOTHING) as sink:
        sink.begin()
        sink.write(ROW)
        assert path.read_text() == "precious"
        assert sink.name == f"{path}.partial"
        sink.close()

    assert sink.name == str(path)
    assert path.read_bytes() == JSONL.encode(ROW, ())
    assert names(path) == ["out.jsonl"]


@pytest.mark.parametrize("row_format", [CSV, PARQUET])
def test_other_formats_end_as_they_must(path: Path, row_format: RowFormat) -> None:
    with ReplacingSink(path, row_format, earlier=NOTHING) as sink:
        sink.begin()
        sink.write(ROW)
        sink.close()

    with path.open("rb") as stream:
        assert [row.fields["id"] for row in row_format.read(stream)] == ["a"]


def test_left_before_its_end_it_leaves_what_was_written_beside(path: Path) -> None:
    path.write_text("precious")
    with ReplacingSink(path, JSONL, earlier=NOTHING) as sink:
        sink.begin()
        sink.write(ROW)

    assert path.read_text() == "precious"
    assert names(path) == ["out.jsonl", "out.jsonl.partial"]


def test_what_a_killed_run_has_left_beside_is_written_over(path: Path) -> None:
    path.with_name("out.jsonl.partial").write_text("half a ro")
    with ReplacingSink(path, JSONL, earlier=NOTHING) as sink:
        sink.begin()
        sink.close()

    assert path.read_bytes() == b""
    assert names(path) == ["out.jsonl"]


def test_it_has_the_permissions_of_what_it_replaces(path: Path) -> None:
    path.write_text("")
    path.chmod(0o604)
    with ReplacingSink(path, JSONL, earlier=NOTHING) as sink:
        sink.begin()
        sink.close()

    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_link_leads_where_it_did(path: Path) -> None:
    (path.parent / "real.jsonl").write_text("")
    path.symlink_to("real.jsonl")
    with ReplacingSink(path, JSONL, earlier=NOTHING) as sink:
        sink.begin()
        sink.write(ROW)
        sink.close()

    assert path.is_symlink()
    assert (path.parent / "real.jsonl").read_bytes() == JSONL.encode(ROW, ())


def test_a_file_with_a_hole_never_takes_the_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("precious")
    sink = ReplacingSink(path, JSONL, earlier=NOTHING)
    sink.begin()

    def interrupted(row: ResultRow, kept: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(
            type(JSONL), "encode", lambda self, row, kept, columns: interrupted(row, kept)
        )
        with pytest.raises(KeyboardInterrupt):
            sink.write(ROW)
    sink.close()

    assert path.read_text() == "precious"


def test_a_name_that_cannot_be_opened_is_told(path: Path) -> None:
    path.with_name("out.jsonl.partial").mkdir()

    with pytest.raises(ConfigurationError, match=r"out\.jsonl\.partial' cannot be opened"):
        ReplacingSink(path, JSONL, earlier=NOTHING).begin()


def test_a_place_that_cannot_be_taken_is_told_with_where_the_results_are(path: Path) -> None:
    sink = ReplacingSink(path, JSONL, earlier=NOTHING)
    sink.begin()
    sink.write(ROW)
    path.mkdir()
    (path / "something").write_text("")

    with pytest.raises(OutputError, match=r"The results are in .*out\.jsonl\.partial"):
        sink.close()
    assert path.with_name("out.jsonl.partial").read_bytes() == JSONL.encode(ROW, ())


@pytest.mark.parametrize("row_format", [JSONL, CSV])
def test_results_beside_that_the_ledger_lacks_are_kept(
    path: Path, row_format: RowFormat, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        with open_sink(path.with_name("out.jsonl.partial"), row_format) as left:
            left.write(ROW)
        with ReplacingSink(path, row_format, earlier=NOTHING) as sink:
            sink.begin()
            sink.close()

    assert names(path) == ["out.jsonl", "out.jsonl.partial.1", "out.jsonl.partial.2"]
    with path.with_name("out.jsonl.partial.2").open("rb") as stream:
        assert [row.fields["id"] for row in row_format.read(stream)] == ["a"]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}.partial holds 1 result that the ledger does not; kept as {path}.partial.{n}."
        for n in (1, 2)
    ]


def test_results_beside_that_the_ledger_holds_are_written_over(path: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "run.db"
    keep(ledger, Kept(item_id="a", output="x", duration_seconds=0.0))
    with open_sink(path.with_name("out.jsonl.partial"), JSONL) as left:
        left.write(ROW)
    with ReplacingSink(path, JSONL, earlier=EarlierResults(read_ledger(ledger))) as sink:
        sink.begin()
        sink.close()

    assert "out.jsonl.partial.1" not in names(path)


def test_a_table_beside_that_nobody_can_read_is_written_over(path: Path) -> None:
    path.with_name("out.jsonl.partial").write_bytes(b"PAR1 and no footer")
    with ReplacingSink(path, PARQUET, earlier=NOTHING) as sink:
        sink.begin()
        sink.close()

    assert names(path) == ["out.jsonl"]


def test_one_run_at_a_time_writes_a_file(path: Path) -> None:
    first, second = (ReplacingSink(path, JSONL, earlier=NOTHING) for _ in range(2))
    with first:
        first.begin()
        first.write(ROW)
        for other in (second.begin, lambda: open_sink(path, JSONL, overwrite=True)):
            with pytest.raises(ConfigurationError, match="is being written by another run"):
                other()
        first.close()

    assert path.read_bytes() == JSONL.encode(ROW, ())
    assert names(path) == ["out.jsonl"]
    with second:
        second.begin()
