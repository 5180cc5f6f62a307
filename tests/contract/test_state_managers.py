"""What saves the state of a batch run, with a file or without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.batch_runs import job as told_job

from batch_llm.base import Job, JobResult
from batch_llm.batch.state.state import BatchState, StateManager
from batch_llm.exceptions import InputError
from batch_llm.testing import MockStateManager

Managing: TypeAlias = StateManager | MockStateManager


@pytest.fixture(params=[StateManager, MockStateManager])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Managing:
    made: Managing = request.param(tmp_path)
    return made


def job(number: int) -> Job:
    return Job.from_dict(told_job(number))


def result(job_id: str) -> JobResult:
    return JobResult(job_id, "ja", cost_usd=0.25)


def state(**fields: Any) -> BatchState:
    given: dict[str, Any] = {
        "batch_id": "run-1",
        "created_at": "2026-11-27T08:00:00+00:00",
        "pending_jobs": [job(0), job(1)],
        "completed_results": {"job-2": result("job-2")},
        "failed_jobs": {"job-3": "refused"},
        "total_cost_usd": 0.5,
        **fields,
    }
    return BatchState(**given)


def test_nothing_is_loaded_where_nothing_was_saved(manager: Managing) -> None:
    assert manager.load() is None


def test_what_was_saved_is_loaded(manager: Managing) -> None:
    manager.save(state())
    assert manager.load() == state()


def test_it_is_saved_as_the_run_goes_on(manager: Managing) -> None:
    manager.save(state())
    later = state(
        pending_jobs=[job(1)],
        completed_results={"job-2": result("job-2"), "job-0": result("job-0")},
        total_cost_usd=1.5,
    )
    manager.save(later)
    assert manager.load() == later


def test_a_failed_job_may_be_tried_again_and_succeed(manager: Managing) -> None:
    manager.save(state())
    retried = state(pending_jobs=[job(0), job(1), job(3)], failed_jobs={})
    manager.save(retried)
    loaded = manager.load()
    assert loaded is not None
    names = [one["id"] if isinstance(one, dict) else one.id for one in loaded.pending_jobs]
    assert names.count("job-3") == 1
    assert loaded.failed_jobs == {}
    done = state(
        pending_jobs=[job(0), job(1)],
        completed_results={"job-2": result("job-2"), "job-3": result("job-3")},
        failed_jobs={},
        total_cost_usd=2.0,
    )
    manager.save(done)
    assert manager.load() == done


def test_what_is_loaded_is_a_copy(manager: Managing) -> None:
    saved = state()
    manager.save(saved)
    saved.pending_jobs.clear()
    loaded = manager.load()
    assert loaded == state()
    assert loaded is not None
    loaded.completed_results["job-2"].response = "changed"
    assert manager.load() == state()


def test_cleared_is_gone(manager: Managing) -> None:
    manager.clear()
    manager.save(state())
    manager.clear()
    assert manager.load() is None


def test_it_is_json_and_what_is_not_known_is_left_out() -> None:
    data = json.loads(json.dumps(state().to_dict()))
    assert BatchState.from_dict({**data, "later": 1}) == state()


def test_jobs_and_results_come_back_as_what_they_are(manager: Managing) -> None:
    manager.save(BatchState(pending_jobs=[job(0)], completed_results={"a": JobResult("a", "hi")}))
    loaded = manager.load()
    assert loaded is not None
    assert loaded.pending_jobs == [job(0)]
    assert loaded.completed_results == {"a": JobResult("a", "hi")}


def test_a_job_whose_model_is_gone_or_that_is_known_by_its_id_alone_stays_what_it_was(
    manager: Managing,
) -> None:
    gone = {**told_job(0), "response_model": "no_such_module:Answer"}
    manager.save(state(pending_jobs=[gone, {"id": "job-1"}]))
    loaded = manager.load()
    assert loaded is not None
    assert loaded.pending_jobs == [gone, {"id": "job-1"}]


def test_what_is_no_result_is_refused() -> None:
    with pytest.raises(InputError, match="'later'"):
        BatchState.from_dict({"completed_results": {"a": {"job_id": "a", "later": 1}}})
