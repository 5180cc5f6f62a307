"""The jobs of a batch while it is built."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from ...base import JobResult
from ...exceptions import JobError
from ...rows.result_row import INPUT_ERROR
from .job_ids import JobIds

if TYPE_CHECKING:
    from ...base import Job
    from ...rows.plan import Entry


class JobList:
    """Jobs in the order in which they were added, and rows that make none; each id is there once.

    What is added all or not at all goes into `addition()` first, and then to `take`.

    Attributes:
        jobs: the jobs.
        refused: a failed result for each row that makes no job.
    """

    def __init__(self, ids: JobIds | None = None) -> None:
        self.jobs: list[Job] = []
        self.refused: list[JobResult] = []
        self._ids = JobIds() if ids is None else ids

    def add(self, job: Job, own_id: str | None) -> None:
        """Add a job.

        Args:
            job: its id is made of its content, unless it is `own_id`.
            own_id: the id that was asked for; None lets an equal job's get an end of its own.

        Raises:
            JobError: if the id that was asked for is taken.
        """
        if own_id is None:
            made = self._ids.make(job.id)
            job = job if made == job.id else dataclasses.replace(job, id=made)
        elif not self._ids.take(own_id):
            raise JobError(
                f"Job {own_id!r} is there already. Give each job an id of its own.",
                job_id=own_id,
                field="id",
            )
        self.jobs.append(job)

    def refuse(self, entry: Entry) -> None:
        """Add the result of a row of which no job can be made."""
        job_id = entry.own_id
        if job_id is None or not self._ids.take(job_id):
            job_id = self._ids.make(entry.place.replace(" ", "-"))
        reason = f"InputError: {entry.reason}"
        result = JobResult(job_id, error=reason, error_category=INPUT_ERROR, cost_usd=0.0)
        self.refused.append(result)

    def addition(self) -> JobList:
        """Return an empty list in which the ids of this one are taken."""
        return JobList(self._ids.copy())

    def take(self, addition: JobList) -> None:
        """Add what is in a list that `addition` made."""
        self._ids = addition._ids
        self.jobs += addition.jobs
        self.refused += addition.refused
