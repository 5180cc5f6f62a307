"""Results as files, one a job."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from batch_llm import ConfigurationError
from batch_llm.base import JobResult
from batch_llm.batch.result_files import ResultFiles, file_stem

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("job_id", ["../../etc", "a/b", ".", "..", "é" * 300, "a\0b", "C:\\x"])
def test_no_id_leaves_the_folder(tmp_path: Path, job_id: str) -> None:
    folder = tmp_path / "out"
    ResultFiles(folder).write(JobResult(job_id, "hello"))
    (written,) = folder.iterdir()
    assert JobResult.from_dict(json.loads(written.read_text())) == JobResult(job_id, "hello")
    assert list(tmp_path.iterdir()) == [folder]


def test_ids_that_differ_have_files_that_differ() -> None:
    ids = ["a/b", "a%2Fb", "a b", "x" * 200, "x" * 201, ".a", "%2Ea"]
    assert len({file_stem(job_id) for job_id in ids}) == len(ids)


@pytest.mark.parametrize(
    ("name", "says"), [("file", "is no folder"), ("file/sub", "Not a directory")]
)
def test_a_folder_that_cannot_be_is_refused_by_name(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigurationError, match=f"results_dir .*{name}.*{says}"):
        ResultFiles(tmp_path / name)


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such rights")
def test_the_owner_alone_may_read_them(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "a.json").chmod(0o644)
    for job_id in ("a", "b"):
        ResultFiles(tmp_path).write(JobResult(job_id, "hello"))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
