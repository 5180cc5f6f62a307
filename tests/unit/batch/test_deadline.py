"""A deadline stays what it was when a run goes on, and is set anew for other jobs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.batch_runs import job, result

from batch_llm.batch.late.deadline import Deadline, deadline_at
from batch_llm.batch.running.run_status import status_of
from batch_llm.batch.state.events import DeadlineSet, Resubmitted, WentLive
from batch_llm.batch.state.journal import Journal, open_journal
from batch_llm.batch.state.resubmission import resubmit

LANE: Any = None


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path / "state.jsonl", durability="process") as journal:
        journal.add_jobs([job(0), job(1)])
        yield journal


def ended(journal: Journal, number: int, outcome: Any = "succeeded") -> None:
    journal.keep_results([result(f"job-{number}")], lambda _: outcome)


def test_a_run_that_goes_on_keeps_its_deadline(journal: Journal) -> None:
    assert deadline_at(journal, Deadline(60, LANE), 1000) == 1060
    ended(journal, 0)
    assert deadline_at(journal, Deadline(60, LANE), 1050) == 1060
    with open_again(journal) as again:
        assert deadline_at(again, Deadline(60, LANE), 2000) == 1060


def open_again(journal: Journal) -> Journal:
    journal.close()
    return open_journal(journal.path, durability="process")


def test_another_deadline_counts_from_when_it_is_given(journal: Journal) -> None:
    deadline_at(journal, Deadline(60, LANE), 1000)
    assert deadline_at(journal, Deadline(90, LANE), 1050) == 1140


def test_jobs_that_come_when_all_others_are_answered_have_their_own(journal: Journal) -> None:
    deadline_at(journal, Deadline(60, LANE), 1000)
    journal.write(WentLive())
    ended(journal, 0)
    ended(journal, 1, "expired")
    journal.add_jobs([job(2)])
    assert deadline_at(journal, Deadline(60, LANE), 1100) == 1060  # one has no answer yet
    journal.write(Resubmitted("job-1", 2))
    ended(journal, 1, "failed")
    assert deadline_at(journal, Deadline(60, LANE), 1100) == 1160
    assert not journal.state.went_live


def test_jobs_that_are_sent_again_have_the_deadline_anew(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the old one, which has passed, they would go live at once, at the full price."""
    deadline_at(journal, Deadline(60, LANE), 1000)
    ended(journal, 0)
    ended(journal, 1, "failed")
    monkeypatch.setattr(time, "time", lambda: 5000.0)
    assert resubmit(journal, "expired") == 0
    assert journal.state.deadline == DeadlineSet(1060, 60)
    assert resubmit(journal, "failed") == 1
    with open_again(journal) as again:
        assert deadline_at(again, Deadline(60, LANE), 5050) == 5060
        assert not again.state.went_live


def test_jobs_without_a_deadline_are_sent_again_without_one(journal: Journal) -> None:
    ended(journal, 0, "failed")
    assert resubmit(journal, "failed") == 1
    assert journal.state.deadline is None


def test_what_was_cancelled_for_the_old_deadline_goes_live_by_the_new_one(
    journal: Journal,
) -> None:
    journal.add_jobs([job(2), job(3)])
    journal.write(DeadlineSet(10, 5), WentLive())
    ended(journal, 0, "cancelled")
    ended(journal, 1, "cancelled")
    journal.write(DeadlineSet(20, 6))
    ended(journal, 2, "cancelled")  # by the user
    assert list(journal.state.late_ids()) == ["job-0", "job-1"]
    journal.write(WentLive(), Resubmitted("job-0", 2))
    ended(journal, 0)
    ended(journal, 3, "cancelled")
    with open_again(journal) as again:
        assert list(again.state.late_ids()) == ["job-1", "job-3"]
        again.write(DeadlineSet(30, 7))
        assert list(again.state.late_ids()) == ["job-1", "job-3"]


def test_only_what_was_cancelled_for_the_deadline_goes_live(journal: Journal) -> None:
    journal.add_jobs([job(2), job(3)])
    ended(journal, 0, "cancelled")  # by the user
    ended(journal, 1, "expired")
    journal.write(DeadlineSet(10, 5))
    assert list(journal.state.late_ids()) == ["job-1"]
    journal.write(WentLive())
    ended(journal, 2, "cancelled")
    ended(journal, 3, "failed")
    assert list(journal.state.late_ids()) == ["job-1", "job-2"]
    with open_again(journal) as again:
        assert list(again.state.late_ids()) == ["job-1", "job-2"]


def test_the_status_tells_of_the_deadline_and_of_the_live_lane(journal: Journal) -> None:
    assert status_of(journal.state).deadline_at is None
    journal.write(DeadlineSet(10, 5))
    status = status_of(journal.state, live=2, not_live=["too dear", "too dear"])
    assert (status.deadline_at, status.live, status.waiting) == (10, 2, ["too dear"])
    assert "2 pending (2 live)" in str(status)
