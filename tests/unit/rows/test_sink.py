"""Writing results."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from batch_llm.exceptions import ConfigurationError
from batch_llm.rows.formats import CSV, JSONL
from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.sink import OutputError, RowSink, check_output, open_sink

ROW = ResultRow(id="a", line=1, status="succeeded", output="x")


class Disk(io.RawIOBase):
    """Takes a few bytes a write, and none once it is full."""

    def __init__(self, room: int) -> None:
        self.content = b""
        self.room = room

    def writable(self) -> bool:
        return True

    def write(self, content: bytes) -> int:  # type: ignore[override]
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = bytes(content)[: min(7, self.room)]
        self.content += taken
        self.room -= len(taken)
        return len(taken)


def test_each_row_is_in_the_file_once_write_returns(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    sink = open_sink(path, JSONL)

    sink.write(ROW)

    assert path.read_bytes() == JSONL.encode(ROW, ())
    sink.close()


def test_a_header_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with open_sink(path, CSV, ("n",)) as sink:
        sink.write(ROW)

    assert path.read_bytes() == CSV.header(("n",)) + CSV.encode(ROW, ("n",))


def test_a_row_that_is_taken_in_pieces_is_written_in_whole() -> None:
    disk = Disk(room=10_000)
    sink = RowSink(disk, JSONL, "out")  # type: ignore[arg-type]

    sink.write(ROW)

    assert disk.content == JSONL.encode(ROW, ())


def test_a_full_disk_is_said_and_nothing_follows_half_a_row() -> None:
    line = JSONL.encode(ROW, ())
    disk = Disk(room=len(line) + 10)
    sink = RowSink(disk, JSONL, "out.jsonl")  # type: ignore[arg-type]
    sink.write(ROW)

    said = r"Writing to out\.jsonl failed after 1 row: No space left on device\."
    with pytest.raises(OutputError, match=said):
        sink.write(ROW)
    disk.room = 10_000
    with pytest.raises(OutputError, match=said):
        sink.write(ROW)
    assert disk.content == line + line[:10]


def test_an_existing_file_is_kept_unless_it_may_be_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("precious")

    with pytest.raises(ConfigurationError, match="exists; name another, or ask to overwrite"):
        check_output(path, None)
    with pytest.raises(ConfigurationError, match="cannot be opened: File exists"):
        open_sink(path, JSONL)
    assert path.read_text() == "precious"

    check_output(path, None, overwrite=True)
    open_sink(path, JSONL, overwrite=True).close()
    assert path.read_text() == ""


def test_the_input_is_no_output_by_any_name(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text("{}")
    link = tmp_path / "link.jsonl"
    link.symlink_to(source)

    for output in (source, link, tmp_path / "." / "in.jsonl"):
        with pytest.raises(ConfigurationError, match="is the input itself"):
            check_output(output, source, overwrite=True)


def test_an_output_that_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"directory '.*none' does not exist"):
        check_output(tmp_path / "none" / "out.jsonl", None)
    with pytest.raises(ConfigurationError, match="is a directory"):
        check_output(tmp_path, None, overwrite=True)


def test_a_device_may_be_written_to_though_it_exists() -> None:
    check_output(Path("/dev/null"), None)
    with open_sink(Path("/dev/null"), JSONL) as sink:
        sink.write(ROW)
    assert sink.rows == 1


def test_a_file_that_is_being_written_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with open_sink(path, JSONL) as sink:
        sink.write(ROW)
        with pytest.raises(
            ConfigurationError, match=r"out\.jsonl' is being written by another run"
        ):
            open_sink(path, JSONL, overwrite=True)

    assert path.read_bytes() == JSONL.encode(ROW, ())
    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"]
    open_sink(path, JSONL, overwrite=True).close()


def test_a_lock_that_a_killed_run_has_left_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl.lock").touch()

    open_sink(tmp_path / "out.jsonl", JSONL).close()

    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"]


def test_what_cannot_be_opened_stays_locked_by_nobody(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("precious")
    with pytest.raises(ConfigurationError, match="File exists"):
        open_sink(path, JSONL)

    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"]


def test_rows_are_appended_whoever_else_writes(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with open_sink(path, JSONL) as sink:
        with path.open("ab") as other:
            other.write(b"other\n")
        sink.write(ROW)

    assert path.read_bytes() == b"other\n" + JSONL.encode(ROW, ())
