"""The jobs of a batch while it is built: each id once, and an addition whole or not at all."""

from __future__ import annotations

import pytest

from batch_llm.base import Job
from batch_llm.batch.jobs.job_list import JobList
from batch_llm.exceptions import JobError
from batch_llm.rows.plan import Entry


def job(job_id: str | None = None) -> Job:
    return Job(job_id, prompt="p", model="m")


def ids(jobs: JobList) -> list[str]:
    return [each.id for each in jobs.jobs]


def test_an_id_that_was_asked_for_is_there_once_and_a_made_one_gets_an_end() -> None:
    jobs = JobList()
    jobs.add(job("a"), "a")
    with pytest.raises(JobError, match="'a' is there already"):
        jobs.add(job("a"), "a")
    for _ in range(2):
        jobs.add(job(), None)
    assert ids(jobs) == ["a", job().id, f"{job().id}-2"]


def test_a_refused_row_has_its_own_id_or_is_named_by_its_place() -> None:
    jobs = JobList()
    jobs.add(job("a"), "a")
    for number, own_id in enumerate(("a", "b", None), 1):
        jobs.refuse(Entry(number - 1, number, own_id, reason="Line is bad."))
    assert [result.job_id for result in jobs.refused] == ["line-1", "b", "line-3"]
    assert {result.error for result in jobs.refused} == {"InputError: Line is bad."}


def test_an_addition_changes_nothing_until_it_is_taken() -> None:
    jobs = JobList()
    jobs.add(job("a"), "a")
    dropped = jobs.addition()
    dropped.add(job("b"), "b")
    kept = jobs.addition()
    with pytest.raises(JobError):
        kept.add(job("a"), "a")
    kept.add(job("b"), "b")
    assert ids(jobs) == ["a"]
    jobs.take(kept)
    assert ids(jobs) == ["a", "b"]
    with pytest.raises(JobError):
        jobs.add(job("b"), "b")
