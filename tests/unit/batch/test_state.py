"""Saving, loading and clearing the file of a batch run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests.batch_runs import job, planned, result

from batch_llm.base import Job, JobResult
from batch_llm.batch.jobs.digest import digest_of
from batch_llm.batch.state import state_file
from batch_llm.batch.state.events import Created, Refused, Resubmitted
from batch_llm.batch.state.journal import open_journal
from batch_llm.batch.state.state import BatchState, StateManager
from batch_llm.exceptions import ConfigurationError, StateError, StateMismatchError


def under_way(path: Path) -> None:
    with open_journal(path, nonce="run-1") as journal:
        journal.add_jobs([job(0), job(1), job(2)])
        journal.write(planned(0, "job-0"), Created(0, "batch_1"))
        journal.keep_results([result("job-2")], lambda _: "succeeded")


def test_a_run_under_way_is_loaded_while_it_is_locked(tmp_path: Path) -> None:
    with open_journal(tmp_path, nonce="run-1") as journal:
        journal.add_jobs([job(0), job(1)])
        journal.write(planned(0, "job-0"), Created(0, "batch_1"))
        loaded = StateManager(tmp_path).load()
    assert loaded is not None
    assert (loaded.batch_id, loaded.pending_jobs) == (
        "run-1",
        [Job.from_dict(job(0)), Job.from_dict(job(1))],
    )


def run_with_files(state: Path, *jobs: Job) -> None:
    """Begin a run as `Batch` does; nothing is sent."""
    with open_journal(state) as journal:
        journal.add_jobs([each.to_dict() for each in jobs], lambda told: digest_of(of(told, jobs)))


def of(told: Any, jobs: tuple[Job, ...]) -> Job:
    return next(each for each in jobs if each.id == told["id"])


class Shape(BaseModel):
    """What a job asks for."""

    number: int


def test_what_was_loaded_of_a_run_is_saved_again_and_changes_nothing(tmp_path: Path) -> None:
    file, state = tmp_path / "a.txt", tmp_path / "state.jsonl"
    file.write_text("It rained.")
    jobs = [
        Job("a", model="m", prompt="?", file=file),
        Job("b", model="m", prompt="?", response_model=Shape),
        Job("c", model="m", prompt="?"),
    ]
    run_with_files(state, *jobs)
    with open_journal(state) as journal:
        journal.keep_results([result("c")], lambda _: "failed")
    before, manager = state.read_bytes(), StateManager(state)
    for content in ("It rained.", "It snowed.", None):
        file.unlink() if content is None else file.write_text(content)
        loaded = manager.load()
        assert loaded is not None
        manager.save(loaded)
        assert state.read_bytes() == before


def test_a_job_that_was_changed_after_it_was_loaded_is_refused_by_name(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    run_with_files(state, Job("a", model="m", prompt="?"), Job("b", model="m", prompt="?"))
    manager = StateManager(state)
    loaded = manager.load()
    assert loaded is not None
    loaded.pending_jobs[1] = Job("b", model="m", prompt="something else")
    with pytest.raises(StateMismatchError, match="the ids 'b'"):
        manager.save(loaded)


def test_a_run_goes_on_with_what_was_saved(tmp_path: Path) -> None:
    file, state = tmp_path / "a.txt", tmp_path / "state.jsonl"
    file.write_text("It rained.")
    jobs = [Job("a", model="m", prompt="?", file=file), Job("b", model="m", prompt="?")]
    StateManager(state).save(BatchState(pending_jobs=[*jobs]))
    run_with_files(state, *jobs)
    file.write_text("It snowed.")
    with pytest.raises(StateMismatchError, match="'a'"):
        run_with_files(state, *jobs)


def test_expired_and_cancelled_jobs_say_so(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.add_jobs([job(0), job(1)])
        journal.keep_results([result("job-0", error=None)], lambda _: "expired")
        journal.keep_results([result("job-1", error="stopped")], lambda _: "cancelled")
    loaded = StateManager(tmp_path).load()
    assert loaded is not None
    assert loaded.failed_jobs == {"job-0": "expired", "job-1": "stopped"}


def test_a_job_that_is_tried_again_is_pending_alone_and_keeps_its_result(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.add_jobs([job(0)])
        journal.keep_results([result("job-0", error="no")], lambda _: "failed")
        journal.write(Resubmitted("job-0", 2))
    loaded = StateManager(tmp_path).load()
    assert loaded is not None
    assert (loaded.pending_jobs, loaded.failed_jobs) == ([Job.from_dict(job(0))], {})
    loaded.pending_jobs = [job(0)]
    StateManager(tmp_path).save(loaded)
    with open_journal(tmp_path) as journal:
        assert list(journal.state.pending_ids()) == ["job-0"]
        assert journal.result("job-0") == result("job-0", error="no")


def test_saving_takes_no_remote_batch_from_the_file(tmp_path: Path) -> None:
    under_way(tmp_path)
    StateManager(tmp_path).save(BatchState(batch_id="run-1", pending_jobs=[job(1)]))
    with open_journal(tmp_path) as journal:
        assert journal.state.chunks[0].remote_id == "batch_1"
        assert journal.result("job-2") == result("job-2")


def test_a_job_known_by_its_result_alone_is_the_same_as_any_of_its_id(tmp_path: Path) -> None:
    results = {"job-0": JobResult("job-0", "ja")}
    StateManager(tmp_path).save(BatchState(batch_id="run-1", completed_results=results))
    with open_journal(tmp_path) as journal:
        assert journal.add_jobs([job(0), job(1)]) == 1
        assert list(journal.state.pending_ids()) == ["job-1"]


def test_another_batch_is_refused(tmp_path: Path) -> None:
    under_way(tmp_path)
    before = StateManager(tmp_path).path.read_bytes()
    with pytest.raises(StateMismatchError, match="of the batch 'run-1', and not of 'run-2'"):
        StateManager(tmp_path).save(BatchState(batch_id="run-2"))
    assert StateManager(tmp_path).path.read_bytes() == before


def test_clear_refuses_to_forget_remote_batches(tmp_path: Path) -> None:
    under_way(tmp_path)
    manager = StateManager(tmp_path)
    with pytest.raises(StateError, match="batch_1") as told:
        manager.clear()
    assert f"StateManager({str(manager.path)!r}).clear(abandon=True)" in str(told.value)
    assert manager.load() is not None
    manager.clear(abandon=True)
    assert not manager.path.exists()


def test_clear_refuses_to_forget_what_may_have_been_accepted(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.add_jobs([job(0)])
        journal.write(planned(0, "job-0"))
    with pytest.raises(StateError, match="chunk 0, which may have been accepted"):
        StateManager(tmp_path).clear()
    with open_journal(tmp_path) as journal:
        journal.write(Refused(0, "full"))
    StateManager(tmp_path).clear()


def test_clear_leaves_the_folder_and_all_else_in_it(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "results").mkdir()
    manager = StateManager(tmp_path)
    manager.save(BatchState())
    manager.clear()
    assert {"mine.txt", "results"} <= {one.name for one in tmp_path.iterdir()}
    assert not manager.path.exists()


@pytest.mark.parametrize("abandon", [False, True])
def test_clear_leaves_a_file_that_is_something_else(tmp_path: Path, *, abandon: bool) -> None:
    other = tmp_path / "data.json"
    other.write_text('{"mine": 1}\n')
    with pytest.raises(ConfigurationError, match="is no batch state"):
        StateManager(other).clear(abandon=abandon)
    assert other.read_text() == '{"mine": 1}\n'


def test_clear_leaves_a_file_that_is_in_use(tmp_path: Path) -> None:
    with open_journal(tmp_path), pytest.raises(StateError, match="in use"):
        StateManager(tmp_path).clear(abandon=True)


def test_a_damaged_file_goes_when_it_is_given_up(tmp_path: Path) -> None:
    under_way(tmp_path)
    manager = StateManager(tmp_path)
    manager.path.write_bytes(manager.path.read_bytes() + b"damage\n")
    with pytest.raises(StateError, match="damaged"):
        manager.clear()
    manager.clear(abandon=True)
    assert manager.load() is None


def test_an_older_state_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    under_way(tmp_path)
    expected = StateManager(tmp_path).load()
    monkeypatch.setitem(state_file.UPGRADES, 1, dict)
    monkeypatch.setattr("batch_llm.batch.state.state_file.VERSION", 2)
    monkeypatch.setattr("batch_llm.batch.state.state.VERSION", 2)
    assert StateManager(tmp_path).load() == expected
