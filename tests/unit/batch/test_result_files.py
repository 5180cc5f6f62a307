"""Results as files, one a job."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from batch_llm import ConfigurationError
from batch_llm.base import JobResult
from batch_llm.batch.results.result_files import ResultFiles, file_stem

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


def test_no_file_of_a_job_is_that_of_another_where_case_does_not_count(tmp_path: Path) -> None:
    ids = ["a", "A", "straße", "STRASSE", "strasse", "a/b", "a%2fb", "x" * 200, "X" * 200]
    stems = [file_stem(job_id) for job_id in ids]
    assert len({stem.lower() for stem in stems}) == len(ids)
    assert stems[1].startswith("A+")
    files = ResultFiles(tmp_path)
    files.write(JobResult("Row-1", "hello"))
    assert files.has("Row-1")
    assert not files.has("row-1")


@pytest.mark.parametrize("job_id", ["con", "NUL", "nul.txt", "aux .b", "com1", f"lpt9.{'x' * 200}"])
def test_no_file_is_called_like_a_device(job_id: str) -> None:
    assert file_stem(job_id).startswith(f"%{ord(job_id[0]):02X}{job_id[1:3]}")


@pytest.mark.parametrize("job_id", ["console", "row 7", "com", "com10", "a.con", "invoice-7.pdf"])
def test_a_usual_id_is_the_name_of_its_file(job_id: str) -> None:
    assert file_stem(job_id) == job_id


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
