"""The jobs of a run, by their ids: those that were added now, and those that the state holds."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ..base import Job
from ..exceptions import JobError
from ..wire.batch_item import BatchRequestLine
from ..wire.embedding import EmbeddingText
from .clients import Clients
from .events import UNKNOWN_DIGEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from ..base.request import LLMRequest
    from ..providers import BatchClient
    from ..providers.registry import Route
    from .journal import Journal
    from .provider import Provider


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
        """Return a job, if its file still holds what it did when the job was added; it is read.

        Raises:
            JobError: if the file has changed or cannot be read, or the `response_model` is gone.
        """
        job = self.job(job_id)
        if job.file is None or self._journal is None:
            return job
        if self._journal.state.digest(job_id) not in (digest_of(job), UNKNOWN_DIGEST):
            raise JobError(
                f"The job {job_id!r}: its file {str(job.file)!r} has changed since the job was "
                "added. Put the file back, or add what it holds now as a job of another id.",
                job_id=job_id,
                field="file",
            )
        return job

    def can_all_be_sent(self, job_ids: Iterable[str]) -> bool:
        """Whether `job_to_send` gives each of these jobs; files are read."""
        try:
            for job_id in job_ids:
                self.job_to_send(job_id)
        except JobError:
            return False
        return True

    def answered(self, job_id: str) -> tuple[Job, str | None]:
        """Return a job whose answer is there; where its `response_model` is gone, without it.

        The answer is paid for, whatever has become of the model. The second is why it is gone.
        """
        try:
            return self.job(job_id), None
        except JobError as error:
            assert self._journal is not None, "jobs that were added have their models"
            spec = {**self._journal.spec(job_id), "response_model": None}
            return Job.from_dict(spec), str(error)

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


def digest_of(job: Job) -> str:
    """Return what tells whether a job is the same: files count by what is in them.

    Raises:
        JobError: if its file cannot be read.
    """
    content = job.file_digest()
    if content is None:
        return job.digest()
    return hashlib.blake2b((job.digest() + content).encode(), digest_size=16).hexdigest()


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
