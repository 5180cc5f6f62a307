"""A run whose state is open: its jobs, what became of them, and who runs them."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ...base import JobResult
from ...exceptions import InputError, JobError
from ..jobs.digest import UNKNOWN_DIGEST, digest_of
from ..jobs.job_book import JobBook
from ..results.answers import plain_schema
from ..results.result_files import ResultFiles
from ..state.journal import job_digest
from .run_status import RunStatus, status_of
from .runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ...base import Job
    from ..state.journal import Journal
    from .run_setup import RunSetup

logger = logging.getLogger("batch_llm")

READ_AT_ONCE: Final = 200


class OpenedRun:
    """The jobs of a run, and their results, as its state has them; it lasts for one opening.

    Args:
        setup: what is to be run. Jobs that are new are added to the state.
        journal: the state.
        wake: called when there are new results.

    Attributes:
        journal: the state.
        runner: takes the jobs to their ends.
        files: what results are written to; None where nothing is.
        ended: the ids of jobs that are told of, in the order in which they have ended; it only
            grows. A job that is tried again is told of once it has ended again, or will not.

    Raises:
        ConfigurationError: for a model that no provider is known for, or a folder that cannot be
            used.
        StateMismatchError: if the state holds other jobs under the same ids.
        StateError: if the state cannot be read or written.
    """

    def __init__(self, setup: RunSetup, journal: Journal, wake: Callable[[], None]) -> None:
        self._refused = setup.refused
        self._params = setup.params
        self._wake = wake
        self._book = JobBook(setup.jobs, journal, setup.clients)
        for job in _one_of_each_model(setup.jobs):
            self._book.route(job)
        folder = setup.results_dir
        self.files = None if folder is None else ResultFiles(folder)
        add_jobs(setup.jobs, journal)
        # What goes live yet is told of at its end.
        late = set(journal.state.late_ids()) if setup.deadline is not None else set[str]()
        self.journal = journal
        self.ended = [job_id for job_id in journal.state.ended_ids() if job_id not in late]
        self._write_missing_files()
        self.runner = Runner(journal, self._book, setup.params, self._kept, setup.deadline)

    def status(self, *, is_running: bool, fault: BaseException | None) -> RunStatus:
        """Return how it stands.

        Args:
            is_running: whether it goes on.
            fault: what ended it too early.
        """
        runner = self.runner
        late = runner.late
        stopped = runner.stopped_because if fault is None else str(fault) or type(fault).__name__
        with self.journal.steady() as state:
            return status_of(
                state,
                refused_rows=len(self._refused),
                held=list(runner.held),
                why=runner.whys(),
                is_running=is_running,
                stopped_because=stopped,
                cost_limit_usd=self._params.cost_limit_usd,
                live=0 if late is None else late.under_way,
                not_live=() if late is None else tuple(late.reasons),
            )

    def results(self) -> Iterator[JobResult]:
        """Yield how jobs ended that have, in the order in which they were added.

        Refused rows come first. Jobs that are tried again are among them, as they ended before.
        """
        yield from self._refused
        with self.journal.steady() as state:
            ended = list(state.answered_ids())
        for start in range(0, len(ended), READ_AT_ONCE):
            yield from self.results_of(ended[start : start + READ_AT_ONCE])

    def results_of(self, job_ids: Sequence[str]) -> list[JobResult]:
        """Return how these jobs ended, the last time."""
        return [_result_of(told, self._book) for told in self.journal.results(job_ids)]

    def tell_rest(self) -> None:
        """Let those jobs be told of that were to be tried again, or go live, and have not ended."""
        untold = self._untold(self.ended)
        for start in range(0, len(untold), READ_AT_ONCE):
            self._kept(self.results_of(untold[start : start + READ_AT_ONCE]))

    def _untold(self, told: Sequence[str]) -> list[str]:
        known = set(told)
        with self.journal.steady() as state:
            return [job_id for job_id in state.answered_ids() if job_id not in known]

    def _kept(self, results: list[JobResult]) -> None:
        for result in results:
            if self.files is not None:
                self.files.write(result)
            self.ended.append(result.job_id)
        self._wake()

    def _write_missing_files(self) -> None:
        """Write the files of results that an earlier process kept, and had no time to write."""
        if self.files is None:
            return
        for job_id in [*self.ended, *self._untold(self.ended)]:
            # The file of a job that was tried again may be that of an earlier attempt.
            if self.journal.state.attempt(job_id) > 1 or not self.files.has(job_id):
                kept = self.journal.result(job_id)
                assert kept is not None, "it has ended"
                self.files.write_kept(kept)


def add_jobs(jobs: Sequence[Job], journal: Journal) -> None:
    """Add the jobs that are new to the state, if all others are still the same.

    A job whose file cannot be read any longer holds up no other: it is refused when it is sent.

    Raises:
        StateMismatchError: naming those that are not; none is added.
        StateError: if the state cannot be written.
    """
    digests = {job.id: _digest(job, journal) for job in jobs}
    journal.add_jobs(_Specs(jobs), lambda spec: digests[spec["id"]])


def _digest(job: Job, journal: Journal) -> str:
    """Return what tells whether a job is the same; without its file, all else tells."""
    try:
        return digest_of(job)
    except JobError:
        if job.id not in journal.state:
            return UNKNOWN_DIGEST
        is_same = job_digest(journal.spec(job.id)) == job_digest(job.to_dict())
        return journal.state.digest(job.id) if is_same else job.digest()


def _one_of_each_model(jobs: Sequence[Job]) -> Iterable[Job]:
    found: dict[str, Job] = {}
    for job in jobs:
        found.setdefault(job.model, job)
    return found.values()


class _Specs:
    """Jobs as their state keeps them, made anew each time they are read."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (job.to_dict() for job in self._jobs)


def _result_of(told: dict[str, Any], book: JobBook) -> JobResult:
    if not told.get("is_model"):
        return _as_model(JobResult.from_dict(told), book)
    job_id: str = told["job_id"]
    try:
        return JobResult.from_dict(told, response_model=book.job(job_id).response_model)
    except InputError as error:
        # It is paid for, and so are the others: what the model held is there all the same.
        logger.warning("parsed_response of job %r stays a dictionary. %s", job_id, error)
        return JobResult.from_dict(told)


def _as_model(result: JobResult, book: JobBook) -> JobResult:
    """Make a model of what was kept plainly, as its model could not be imported by then."""
    if not result.is_success or result.parsed_response is None:
        return result
    # A job may be known by its result alone, and validators, the user's, may raise anything.
    with suppress(Exception):
        job, _ = book.answered(result.job_id)
        schema = job.output_schema if isinstance(job.response_model, type) else None
        # A provider of the user's own may have given another value than its text has.
        if schema is not None and plain_schema().parse(result.response) == result.parsed_response:
            result.parsed_response = schema.parse(result.response)
    return result
