"""Which jobs may go live: those that no remote batch under way can have run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from tests.batch_runs import job, planned

from batch_llm.batch.late.late_jobs import free_ids
from batch_llm.batch.state.events import (
    Collected,
    Collecting,
    Created,
    DeadlineSet,
    Refused,
    Released,
    ResultKept,
    WentLive,
)
from batch_llm.batch.state.journal import open_journal


def kept(job_id: str, outcome: Any) -> ResultKept:
    return ResultKept(job_id=job_id, outcome=outcome, chunk=0, result=msgspec.Raw(b"{}"))


def test_a_job_is_free_once_its_remote_batch_is_collected(tmp_path: Path) -> None:
    with open_journal(tmp_path / "state.jsonl", durability="process") as journal:
        journal.add_jobs([job(n) for n in range(4)])
        state = journal.state
        journal.write(DeadlineSet(1, 1), planned(0, "job-0", "job-1"), planned(1, "job-2"))
        assert free_ids(state) == ["job-3"]
        journal.write(WentLive(), Created(0, "r"), Collecting(0), kept("job-0", "cancelled"))
        assert free_ids(state) == ["job-3"]  # its results are not whole yet
        journal.write(kept("job-1", "succeeded"), Collected(0), Refused(1, "busy"))
        assert free_ids(state) == ["job-3", "job-0"]
        journal.write(Released(1))
        assert free_ids(state) == ["job-2", "job-3", "job-0"]
        assert (state.pending, state.chunks[1].is_open) == (2, False)
