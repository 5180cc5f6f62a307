"""A provider in memory, for tests."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Final

from ...base import JobResult, ModelConfig
from ...exceptions import InputError, InvalidRequestError
from ..seam.batch_request import BatchRequest
from ..seam.provider import Provider

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from ...base import Job
    from ..seam.provider import BatchStatus

_FILES: Final = (".txt", ".pdf", ".png", ".jpg", ".jpeg", ".gif", ".webp")


class MockProvider(Provider):
    """Answers jobs as it is told to, and calls nobody.

        provider = MockProvider()
        provider.set_mock_response("job_1", JobResult("job_1", "Paris", cost_usd=0.5))
        with mock.patch.object(ProviderRegistry, "get_provider", return_value=provider):
            run = Batch().add_job("job_1", prompt="Capital?", model="any").run(wait=True)

    Or `ProviderRegistry.register(provider)`, for the models that it is made with. Jobs that were
    told nothing of succeed, at no cost.

    Args:
        models: what it answers when it is registered; it validates jobs of any model.
        clock: tells seconds; delays are measured by it.

    Attributes:
        mock_responses: by job id, results of the first submission, the second and so on; the last
            stays.
        mock_delays: by job id, seconds until it is done; a batch is complete with its last job.
        mock_failures: by job id, what a job ends with; by the name of a method, such as
            "create_batch", what that raises.
        requests: the batches that were submitted, in order.
    """

    def __init__(
        self,
        models: Iterable[str | ModelConfig] = ("mock-model",),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.models = {config.name: config for config in map(_config, models)}
        self.mock_responses: dict[str, list[JobResult]] = {}
        self.mock_delays: dict[str, float] = {}
        self.mock_failures: dict[str, Exception] = {}
        self.requests: list[BatchRequest] = []
        self._batches: dict[str, _Batch] = {}
        self._submissions: dict[str, int] = {}
        self._numbers = count(1)
        self._clock = clock
        self._lock = threading.Lock()

    # -- what it is told

    def set_mock_response(self, job_id: str, result: JobResult | Iterable[JobResult]) -> None:
        """Let a job end with this result; with several, one for each time it is submitted."""
        results = [result] if isinstance(result, JobResult) else list(result)
        if not results:
            raise InputError(f"The job {job_id!r} needs at least one result.")
        self.mock_responses[job_id] = results

    def set_mock_delay(self, job_id: str, seconds: float) -> None:
        """Let a job take so long."""
        self.mock_delays[job_id] = seconds

    def set_mock_failure(self, name: str, error: Exception) -> None:
        """Let a job end with an error, by its id; or let a method raise it, by its name."""
        self.mock_failures[name] = error

    # -- what it does

    def validate_job(self, job: Job) -> None:
        """Take any job."""
        self._fail("validate_job")

    def create_batch(self, jobs: list[Job]) -> BatchRequest:
        """Take jobs as a batch.

        Raises:
            InputError: for no job at all.
        """
        self._fail("create_batch")
        if not jobs:
            raise InputError("A batch needs at least one job.")
        with self._lock:
            request = BatchRequest(f"mock_batch_{next(self._numbers)}", self, jobs)
            for job in jobs:
                self._submissions[job.id] = self._submissions.get(job.id, 0) + 1
            submissions = {job.id: self._submissions[job.id] for job in jobs}
            self._batches[request.id] = _Batch(request, self._clock(), submissions)
            self.requests.append(request)
        return request

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        """Return "running" until the delays of all its jobs are over, then "complete".

        Raises:
            InvalidRequestError: if there is no such batch.
        """
        self._fail("get_batch_status")
        return "complete" if self._is_over(self._batch(batch_id)) else "running"

    def get_batch_results(self, batch_id: str) -> list[JobResult]:
        """Return how the jobs ended.

        Raises:
            InvalidRequestError: if there is no such batch.
            InputError: while it goes on.
        """
        self._fail("get_batch_results")
        batch = self._batch(batch_id)
        if not self._is_over(batch):
            raise InputError(f"The batch {batch.request.id} goes on.")
        return [self._result(batch, job) for job in batch.request.jobs]

    def cancel_batch(self, batch_id: str) -> bool:
        """Stop a batch: jobs whose delay is not over are cancelled."""
        self._fail("cancel_batch")
        batch = self._batch(batch_id)
        if self._is_over(batch):
            return False
        batch.cancelled_at = self._clock()
        return True

    def estimate_cost(self, jobs: list[Job]) -> float:
        """Return what the jobs' results say that they cost, in USD."""
        self._fail("estimate_cost")
        told = [self.mock_responses.get(job.id, []) for job in jobs]
        return sum(max((each.cost_usd or 0.0 for each in one), default=0.0) for one in told)

    def find_batch(self, job_ids: Sequence[str], submitted_after: datetime) -> str | None:
        """Return the last batch of these jobs."""
        self._fail("find_batch")
        for request in reversed(self.requests):
            is_later = request.submitted_at >= submitted_after
            if is_later and [job.id for job in request.jobs] == list(job_ids):
                return request.id
        return None

    # -- inside

    def _fail(self, method: str) -> None:
        error = self.mock_failures.get(method)
        if error is not None:
            raise error

    def _batch(self, batch_id: str) -> _Batch:
        found = self._batches.get(str(batch_id))
        if found is None:
            raise InvalidRequestError(f"There is no batch {str(batch_id)!r}.", status_code=404)
        return found

    def _is_over(self, batch: _Batch) -> bool:
        jobs = batch.request.jobs
        return batch.cancelled_at is not None or all(self._is_done(batch, job) for job in jobs)

    def _is_done(self, batch: _Batch, job: Job) -> bool:
        until = self._clock() if batch.cancelled_at is None else batch.cancelled_at
        return until - batch.created_at >= self.mock_delays.get(job.id, 0.0)

    def _result(self, batch: _Batch, job: Job) -> JobResult:
        if not self._is_done(batch, job):
            return JobResult(job.id, error="It was cancelled.", outcome="cancelled", cost_usd=0.0)
        failure = self.mock_failures.get(job.id)
        if failure is not None:
            return JobResult(job.id, error=f"{type(failure).__name__}: {failure}", cost_usd=0.0)
        told = self.mock_responses.get(job.id)
        if told is None:
            return JobResult(job.id, f"Mock response for {job.id}", cost_usd=0.0)
        return replace(told[min(batch.submissions[job.id], len(told)) - 1])


@dataclass(slots=True)
class _Batch:
    """A batch that was submitted, and the number of its jobs' submissions."""

    request: BatchRequest
    created_at: float
    submissions: dict[str, int] = field(repr=False)
    cancelled_at: float | None = None


def _config(model: str | ModelConfig) -> ModelConfig:
    if isinstance(model, ModelConfig):
        return model
    return ModelConfig(
        model,
        max_input_tokens=1_000_000,
        max_output_tokens=100_000,
        supports_images=True,
        supports_files=True,
        supports_citations=True,
        file_types=list(_FILES),
    )
