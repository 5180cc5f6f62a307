"""The jobs of a run, by their ids: those that were added now, and those that the state holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base import Job
from ..exceptions import JobError
from ..wire.batch_item import BatchRequestLine
from ..wire.embedding import EmbeddingText

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ..base.request import LLMRequest
    from ..providers import BatchClient
    from ..providers.registry import Route
    from .journal import Journal


class JobBook:
    """Gives jobs by their ids, and where each of them goes.

    Args:
        jobs: that were added in this process; they have their `response_model` at hand.
        journal: which has all the others; None where there are none.
        clients: of the user's own, by provider.
    """

    def __init__(
        self, jobs: Iterable[Job], journal: Journal | None, clients: Mapping[str, BatchClient]
    ) -> None:
        self._jobs = {job.id: job for job in jobs}
        self._journal = journal
        self._clients = clients
        self._routes: dict[str, Route] = {}

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
            ConfigurationError: for a model that no provider is known for.
        """
        found = self._routes.get(job.model)
        if found is None:
            from ..providers.registry import find_route

            found = self._routes[job.model] = find_route(job.model, self._clients)
        return found

    def providers_of(self, job_ids: Iterable[str]) -> set[str]:
        """Return who answers those of these jobs that were added in this process."""
        added = (self._jobs.get(job_id) for job_id in job_ids)
        return {self.route(job).provider for job in added if job is not None}

    def line(self, job: Job) -> BatchRequestLine:
        """Return the request of a job; its file is read.

        Raises:
            JobError: if the file cannot be read.
        """
        return BatchRequestLine(job.id, request_of(job), self.route(job).model)


class JobLines:
    """The requests of jobs, made anew each time they are read: files are not kept in memory."""

    def __init__(self, book: JobBook, job_ids: Sequence[str]) -> None:
        self._book = book
        self._job_ids = job_ids

    def __iter__(self) -> Iterator[BatchRequestLine]:
        return (self._book.line(self._book.job(job_id)) for job_id in self._job_ids)


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
