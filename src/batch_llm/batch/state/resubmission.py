"""Jobs that ended, and are to be tried once more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..jobs.job_book import JobBook
from .events import DeadlineSet, Resubmitted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...base import Job
    from .events import Event, Outcome
    from .journal import Journal


def resubmit(journal: Journal, outcome: Outcome, jobs: Sequence[Job] = ()) -> int:
    """Let the jobs that ended so be pending again; return how many there are.

    Their results stay until there are others: not all of them may be sent. A deadline that the run
    has counts from now: by the old one, they would go live at once, at the full price.

    Args:
        journal: the state.
        outcome: how they ended.
        jobs: those that were added in this process.

    Raises:
        JobError: for one that could not be sent as it was; none is pending then.
        StateError: if the state cannot be written.
    """
    job_ids = list(journal.state.ended_ids(outcome))
    book = JobBook(jobs, journal, {})
    for job_id in job_ids:
        book.job_to_send(job_id)
    if job_ids:
        attempt = journal.state.attempt
        again = (Resubmitted(job_id, attempt(job_id) + 1) for job_id in job_ids)
        journal.write(*again, *_new_deadline(journal.state.deadline))
    return len(job_ids)


def _new_deadline(known: DeadlineSet | None) -> Sequence[Event]:
    if known is None:
        return ()
    return (DeadlineSet(time.time() + known.seconds, known.seconds),)
