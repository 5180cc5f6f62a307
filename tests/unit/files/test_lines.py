"""Files of JSON lines that may end anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from batch_llm.exceptions import StateError
from batch_llm.files import FileKind, cut_torn_line, raw_lines, replace_file, upgraded_lines

KIND = FileKind("diary", StateError)


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (b"", b""),
        (b"torn", b""),
        (b"1\n", b"1\n"),
        (b"1\n22\n", b"1\n22\n"),
        (b"1\n22\n3", b"1\n22\n"),
        (b"1\n" + b"x" * 200_000, b"1\n"),
    ],
)
def test_a_torn_last_line_is_not_read_and_is_cut_off(
    tmp_path: Path, content: bytes, whole: bytes
) -> None:
    path = tmp_path / "lines"
    path.write_bytes(content)
    assert b"".join(line for _, line in raw_lines(path)) == whole
    cut_torn_line(path)
    assert path.read_bytes() == whole


def test_lines_say_where_they_begin_and_are_read_from_there(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"1\n22\n333\n")
    assert list(raw_lines(path)) == [(0, b"1\n"), (2, b"22\n"), (5, b"333\n")]
    assert list(raw_lines(path, 2)) == [(2, b"22\n"), (5, b"333\n")]


def test_older_lines_take_every_step_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b'{"version":1}\n{"a":1}\n')
    steps = {1: lambda line: {**line, "b": 2}, 2: lambda line: {**line, "c": 3}}
    assert list(upgraded_lines(path, KIND, (1, 3), steps)) == [
        b'{"version":3,"b":2,"c":3}\n',
        b'{"a":1,"b":2,"c":3}\n',
    ]
    path.write_bytes(b'{"version":1}\n{"a":\n{"a":1}\n')
    with pytest.raises(StateError, match="Line 2 of the diary"):
        list(upgraded_lines(path, KIND, (1, 3), steps))


def test_a_file_is_replaced_wholly_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"old\n")

    def broken() -> list[bytes]:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        replace_file(path, (line for make in (lambda: [b"new\n"], broken) for line in make()))
    assert path.read_bytes() == b"old\n"
    assert [one.name for one in tmp_path.iterdir()] == ["lines"]
    replace_file(path, [b"new\n"])
    assert path.read_bytes() == b"new\n"
