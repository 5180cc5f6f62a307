"""The jobs of a run, by their ids: those that were added now, and those that the state holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base import Job
from ...exceptions import JobError
from ...wire.batch_item import BatchRequestLine
from ...wire.embedding import EmbeddingText
from ..seam.clients import Clients
from .digest import UNKNOWN_DIGEST, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ...base.request import LLMRequest
    from ...providers import BatchClient
    from ...providers.registry import Route
    from ..seam.provider import Provider
    from ..state.journal import Journal


class JobBook:
    """Gives jobs by their ids, and where each of them goes.

    Args:
        jobs: that were added in this process; they have their `response_model` at hand.
        journal: which has all the others; None where there are none.
        clients: of the user's own, by provider.
        get_provider: finds who answers any other model; by default the registry does.

    Attributes:
        clients: those of the run.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        journal: Journal | None,
        clients: Mapping[str, BatchClient],
        get_provider: Callable[[str], Provider] | None = None,
    ) -> None:
        self._jobs = {job.id: job for job in jobs}
        self._journal = journal
        self.clients = Clients(clients, get_provider)

    def job(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            JobError: if its `response_model` cannot be imported any longer.
        """
        found = self._jobs.get(job_id)
        if found is not None:
            return found
        assert self._journal is not None, "there are no other jobs"
        return Job.from_dict(self._journal.spec(job_id))

    def job_to_send(self, job_id: str) -> Job:
        """Return a job that is what it was when it was added; its file is read.

        Raises:
            JobError: if its file or its `response_model` has changed, or is gone.
        """
        job = self.job(job_id)
        if self.may_have_changed(job) and not self._is_as_added(job):
            what, field = self._what_changed(job), "file" if job.file else "response_model"
            advice = "Put it back, or add what it is now as a job of another id."
            raise JobError(f"{what} {advice}", job_id=job_id, field=field)
        return job

    def may_have_changed(self, job: Job) -> bool:
        """Whether a job may not be what it was when it was added.

        Its file may hold something else. So may the module of its `response_model`, where that is
        imported by its path; those that were added now were compared when the run began.
        """
        return job.file is not None or self._has_imported_model(job)

    def can_all_be_sent(self, job_ids: Iterable[str]) -> bool:
        """Whether `job_to_send` gives each of these jobs; files are read."""
        try:
            for job_id in job_ids:
                self.job_to_send(job_id)
        except JobError:
            return False
        return True

    def answered(self, job_id: str) -> tuple[Job, str | None]:
        """Return a job whose answer is there; without its `response_model` where that has changed.

        The answer is paid for, and fits the model that it was asked for with, whatever has become
        of that since. The second is what has. Where there is a file, which may have changed as
        well, the model counts as the same while it can be imported.
        """
        try:
            job = self.job(job_id)
        except JobError as error:
            return self._without_model(job_id), str(error)
        if job.file is None and self._has_imported_model(job) and not self._is_as_added(job):
            return self._without_model(job_id), self._what_changed(job)
        return job, None

    def route(self, job: Job) -> Route:
        """Return where a job goes.

        Raises:
            ConfigurationError: for a model that no provider is known for, or one that does not
                work.
        """
        return self.clients.route(job.model)

    def client_of(self, provider: str, job_id: str) -> BatchClient:
        """Return the client of a provider that the state names.

        Args:
            provider: its name.
            job_id: a job that it was given: where the name is not known yet, that of the job's
                model may be it.

        Raises:
            ConfigurationError: if there is no such provider, or it does not work.
        """
        if not self.clients.has(provider):
            self.route(self.job(job_id))
        return self.clients.client(provider)

    def providers_of(self, job_ids: Iterable[str]) -> set[str]:
        """Return who answers those of these jobs that were added in this process."""
        added = (self._jobs.get(job_id) for job_id in job_ids)
        return {self.route(job).provider for job in added if job is not None}

    def _has_imported_model(self, job: Job) -> bool:
        return job.id not in self._jobs and isinstance(job.response_model, type)

    def _is_as_added(self, job: Job) -> bool:
        if self._journal is None:
            return True
        return self._journal.state.digest(job.id) in (digest_of(job), UNKNOWN_DIGEST)

    def _what_changed(self, job: Job) -> str:
        whats = [] if job.file is None else [f"its file {str(job.file)!r}"]
        if self._has_imported_model(job):
            whats.append(f"its response_model {job.to_dict()['response_model']}")
        return f"The job {job.id!r}: {' or '.join(whats)} has changed since the job was added."

    def _without_model(self, job_id: str) -> Job:
        assert self._journal is not None, "jobs that were added have their models"
        return Job.from_dict({**self._journal.spec(job_id), "response_model": None})

    def line(self, job: Job) -> BatchRequestLine:
        """Return the request of a job; its file is read.

        Raises:
            JobError: if the file cannot be read.
        """
        return BatchRequestLine(job.id, request_of(job), self.route(job).model, job)


class JobLines:
    """The requests of jobs, made anew each time they are read: files are not kept in memory."""

    def __init__(self, book: JobBook, job_ids: Sequence[str]) -> None:
        self._book = book
        self._job_ids = job_ids

    def __iter__(self) -> Iterator[BatchRequestLine]:
        return (self._book.line(self._book.job_to_send(job_id)) for job_id in self._job_ids)


def request_of(job: Job) -> LLMRequest | EmbeddingText:
    """Return what is asked; the file is read."""
    return job.to_request() if job.text is None else EmbeddingText(job.text)


def private_texts(job: Job) -> list[str]:
    """Return the texts of a job that no error may quote; its file is not read."""
    texts = [job.system, job.prompt, job.text]
    for turn in job.messages or ():
        content = turn.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        texts += [part.get("text") for part in parts if isinstance(part, dict)]
    return [text for text in texts if isinstance(text, str) and text]
