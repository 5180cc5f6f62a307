"""Names that lead to one file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch_llm.cli.sameness import is_beside, is_same_file

if TYPE_CHECKING:
    from pathlib import Path


def test_links_of_both_kinds_lead_to_one_file(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "soft").symlink_to("a")
    (tmp_path / "hard").hardlink_to(tmp_path / "a")

    assert is_same_file(tmp_path / "soft", tmp_path / "a")
    assert is_same_file(tmp_path / "hard", tmp_path / "a")
    assert not is_same_file(tmp_path / "a", tmp_path / "b")


def test_files_that_do_not_exist_yet_are_compared_by_their_names(tmp_path: Path) -> None:
    assert is_same_file(tmp_path / "x" / ".." / "a", tmp_path / "a")


@pytest.mark.parametrize("ending", [".partial", ".lock", "-wal", "-shm"])
def test_what_a_run_keeps_beside_a_file(tmp_path: Path, ending: str) -> None:
    assert is_beside(tmp_path / f"out.jsonl{ending}", tmp_path / "out.jsonl")
    assert not is_beside(tmp_path / "out.jsonl", tmp_path / f"out.jsonl{ending}")


def test_other_names_are_free(tmp_path: Path) -> None:
    assert not is_beside(tmp_path / "out.jsonl", tmp_path / "out.jsonl")
    assert not is_beside(tmp_path / "out.db", tmp_path / "out.jsonl")
