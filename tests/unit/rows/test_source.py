"""Opening rows, and reading them again."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from batch_llm.exceptions import ConfigurationError, InputError
from batch_llm.rows.formats import CSV, JSONL
from batch_llm.rows.row import Row
from batch_llm.rows.source import open_source

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [Row(1, {"id": 1}), Row(2, {"id": 2})]


def test_every_iteration_begins_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"id": 1}\n{"id": 2}\n')

    with open_source(path, JSONL) as source:
        next(iter(source))
        assert list(source) == ROWS
        assert list(source) == ROWS


def test_an_abandoned_iteration_of_csv_leaves_the_source_open(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id\na\nb\n")

    with open_source(path, CSV) as source:
        next(iter(source))
        assert len(list(source)) == 2


def test_a_pipe_can_be_read_twice(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b'{"id": 1}\n{"id": 2}\n',))
    writer.start()

    with open_source(path, JSONL) as source:
        assert list(source) == ROWS
        assert list(source) == ROWS
    writer.join()


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="cannot be opened: No such file"),
        open_source(tmp_path / "none.jsonl", JSONL),
    ):
        pass


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="cannot be opened: Is a directory"),
        open_source(tmp_path, JSONL),
    ):
        pass


def test_errors_name_the_source(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,a\n1,2\n")

    with (
        open_source(path, CSV) as source,
        pytest.raises(InputError, match=r"rows\.csv: the header on line 1"),
    ):
        list(source)
