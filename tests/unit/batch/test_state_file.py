"""Which file holds a state, and which does not."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.batch_runs import job, planned

import batch_llm.batch.state.events
import batch_llm.batch.state.state_file
from batch_llm.batch.state.journal import open_journal
from batch_llm.batch.state.state_file import state_path
from batch_llm.exceptions import ConfigurationError, StateError


def test_a_folder_has_a_file_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("./", ".", tmp_path, f"{tmp_path}/"):
        assert state_path(folder) == tmp_path.resolve() / "batch_state.jsonl"
    assert state_path("mine.json") == tmp_path.resolve() / "mine.json"


@pytest.mark.parametrize("path", ["missing/", "missing/state.json"])
def test_a_missing_folder_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigurationError, match="does not exist; create it"):
        open_journal(f"{tmp_path}/{path}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ["name,age\nA,1\n", '{"kind":"ledger"}\n', "{}", "[1]\n"])
def test_another_file_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "data.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match="is no batch state"):
        open_journal(path)
    assert path.read_text() == content


def test_a_newer_state_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with open_journal(path):
        pass
    content = path.read_text().replace('"version":1', '"version":99')
    path.write_text(content)
    with pytest.raises(ConfigurationError, match="newer batch-llm: it has version 99"):
        open_journal(path)
    assert path.read_text() == content


def test_an_older_state_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "s"
    with open_journal(path) as journal:
        nonce = journal.nonce
        journal.add_jobs([job(0), job(1)])
    with path.open("ab") as file:
        file.write(b'{"kind":"jo')

    def step(line: dict[str, Any]) -> dict[str, Any]:
        return {**line, "spec": {**line["spec"], "new": 1}} if line["kind"] == "job" else line

    monkeypatch.setitem(batch_llm.batch.state.state_file.UPGRADES, 1, step)
    monkeypatch.setattr("batch_llm.batch.state.state_file.VERSION", 2)
    with open_journal(path) as journal:
        assert journal.nonce == nonce
        assert [spec["new"] for spec in journal.specs(["job-0", "job-1"])] == [1, 1]
    assert json.loads(path.read_text().splitlines()[0])["version"] == 2


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda lines: [*lines[:1], b'{"kind":"job",\n', *lines[2:]], "DecodeError"),
        (lambda lines: [*lines[:1], *lines[2:]], "there is no job 'job-0'"),
        (lambda lines: [*lines, lines[-1]], "chunk 0 is not the next"),
    ],
)
def test_a_damaged_line_is_named_and_the_file_left_alone(
    tmp_path: Path, damage: Any, reason: str
) -> None:
    path = tmp_path / "s"
    with open_journal(path) as journal:
        journal.add_jobs([job(0)])
        journal.write(planned(0, "job-0"))
    content = b"".join(damage(path.read_bytes().splitlines(keepends=True)))
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"Line [24] of the batch state .* is damaged") as caught:
        open_journal(path)
    assert reason in caught.value.reason
    assert path.read_bytes() == content


def test_a_file_that_may_not_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"
    open_journal(path).close()
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ConfigurationError, match=r"use StateManager\.load"):
        open_journal(path)


def test_a_chunk_with_fields_of_an_earlier_release_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with open_journal(path) as journal:
        journal.add_jobs([job(0)])
        journal.write(planned(0, "job-0"))
    first, added, chunk = path.read_text().splitlines()
    told = {**json.loads(chunk), "request_hash": "", "estimated_usd": None}
    path.write_text("\n".join([first, added, json.dumps(told), ""]))
    with open_journal(path) as journal:
        assert journal.state.chunks[0].jobs == 1
