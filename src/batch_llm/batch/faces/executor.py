"""Batches at providers, several at a time and within a limit in USD."""

from __future__ import annotations

import logging
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from ...base import JobResult
from ...exceptions import ConfigurationError, InputError, ProviderError, SubmissionError
from ..money.cost import CostTracker
from ..params import BatchParams
from ..seam.batch_request import BatchRequest, as_batch_request
from ..seam.told_usd import told_usd

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ...base import Job
    from ..seam.provider import Provider

logger = logging.getLogger("batch_llm")

Completed: TypeAlias = tuple[BatchRequest, list[JobResult]]
"""A batch that has ended, and what became of its jobs."""


class ConcurrentExecutor:
    """Submits jobs to providers in threads, and collects what became of them.

        with ConcurrentExecutor(max_concurrent=10, cost_limit_usd=5.0) as executor:
            executor.submit_if_allowed(provider, jobs)
            while executor.active_futures:
                for request, results in executor.get_completed():
                    ...
                time.sleep(30)

    What jobs can cost is reserved before they are submitted, and settled once they are done. It
    keeps everything in memory: `Batch` is what survives the end of the program.

    Args:
        max_concurrent: batches at a time that were submitted and not collected; further ones wait
            here for their turn.
        cost_limit_usd: what all may cost together; None sets no limit.

    Attributes:
        cost_tracker: the sums in USD.
        executor: the threads that submit.
        active_futures: by the future of its submission, each batch that is not collected yet; None
            until it is submitted.

    Raises:
        ConfigurationError: for a number that cannot work.
    """

    def __init__(self, max_concurrent: int, cost_limit_usd: float | None = None) -> None:
        BatchParams(max_concurrent=max_concurrent, cost_limit_usd=cost_limit_usd)  # checks them
        self.cost_tracker = CostTracker(cost_limit_usd)
        self.active_futures: dict[Future[BatchRequest], BatchRequest | None] = {}
        self.executor = ThreadPoolExecutor(max_concurrent, thread_name_prefix="batch-submit")
        self._max_concurrent = max_concurrent
        self._lives: dict[Future[BatchRequest], _Life] = {}
        self._waiting: deque[_Life] = deque()
        self._under_way = 0
        self._is_shut_down = False
        self._lock = threading.RLock()

    def submit_if_allowed(self, provider: Provider, jobs: list[Job]) -> Future[BatchRequest] | None:
        """Submit jobs as one batch, if what they can cost is within the limit.

        Returns:
            What becomes the batch once it is submitted; None where the limit has no room for it,
            or nobody can tell what it costs under a limit, or this was shut down.
        """
        life = _Life(provider, jobs, _estimate(provider, jobs), Future())
        with self._lock:
            if self._is_shut_down or not self.cost_tracker.reserve(life.reserved_usd):
                return None
            self._lives[life.future] = life
            self.active_futures[life.future] = None
            self._waiting.append(life)
            self._submit_waiting()
        return life.future

    def get_completed(self) -> list[Completed]:
        """Ask after each batch, and return those that have ended with what became of their jobs.

        Each is returned once. A batch that could not be submitted is among them, as "failed" and
        without an id; its jobs have failed, with the reason. One that cannot be asked after now,
        whatever its provider raises, stays active: the log says why.
        """
        completed = []
        for life in list(self._lives.values()):
            if not life.future.done():
                continue
            found = self._ended(life)
            if found is not None:
                completed.append(found)
        return completed

    def shutdown(self, wait: bool = True) -> None:
        """Submit nothing more. Batches that were submitted go on, and can still be collected.

        Args:
            wait: whether to return only once submissions that are under way have ended.
        """
        with self._lock:
            self._is_shut_down = True
            for life in self._waiting:
                life.future.cancel()
                self._forget(life)
                self.cost_tracker.release(life.reserved_usd)
            self._waiting.clear()
        self.executor.shutdown(wait=wait)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    # -- inside

    def _submit_waiting(self) -> None:
        """Begin with those whose turn it is; the lock is held."""
        while self._waiting and self._under_way < self._max_concurrent and not self._is_shut_down:
            self._under_way += 1
            self.executor.submit(self._submit, self._waiting.popleft())

    def _submit(self, life: _Life) -> None:
        life.future.set_running_or_notify_cancel()
        try:
            made = life.provider.create_batch(life.jobs)
            request = as_batch_request(made, life.provider, life.jobs)
        except Exception as error:  # whatever a provider raises, its future says so
            life.future.set_exception(error)
            return
        with self._lock:
            self.active_futures[life.future] = request
        life.future.set_result(request)

    def _ended(self, life: _Life) -> Completed | None:
        error = life.future.exception()
        if error is not None:
            return self._unsubmitted(life, error)
        request = life.future.result()
        try:
            status = request.get_status()
            if status not in ("complete", "failed"):
                return None
            results = _all_results(request, status)
        except Exception as failure:  # whatever it is, batches that have ended are returned
            why = f"{type(failure).__name__}: {failure}"
            logger.warning("Batch %s cannot be asked after now: %s", request, why)
            return None
        return self._completed(life, request, results, _cost(results))

    def _unsubmitted(self, life: _Life, error: BaseException) -> Completed | None:
        request = BatchRequest("", life.provider, life.jobs, "failed")
        cost_usd = 0.0 if _was_refused(error) else None
        results = [
            JobResult(job.id, error=f"{type(error).__name__}: {error}", cost_usd=cost_usd)
            for job in life.jobs
        ]
        return self._completed(life, request, results, cost_usd)

    def _completed(
        self, life: _Life, request: BatchRequest, results: list[JobResult], cost_usd: float | None
    ) -> Completed | None:
        with self._lock:
            if life.future not in self._lives:  # another thread was faster
                return None
            self._forget(life)
            self._under_way -= 1
            self._submit_waiting()
        self.cost_tracker.settle(life.reserved_usd, cost_usd)
        return request, results

    def _forget(self, life: _Life) -> None:
        del self._lives[life.future], self.active_futures[life.future]


@dataclass(slots=True)
class _Life:
    """Jobs on their way, and what was reserved for them."""

    provider: Provider
    jobs: list[Job]
    reserved_usd: float | None
    future: Future[BatchRequest]


def _estimate(provider: Provider, jobs: list[Job]) -> float | None:
    try:
        told: object = provider.estimate_cost(jobs)
    except Exception as error:  # whatever it is, the estimate has failed: a limit refuses that
        logger.warning("What %d jobs cost is not known: %s", len(jobs), error)
        return None
    usd = told_usd(told)
    if usd is None:
        logger.warning("What %d jobs cost is not known: %.40r is no amount.", len(jobs), told)
    return usd


def _all_results(request: BatchRequest, status: str) -> list[JobResult]:
    """Return one result for each job, in their order; what is missing has failed."""
    try:
        found = {result.job_id: result for result in request.get_results()}
    except ProviderError:
        if status != "failed":
            raise
        found = {}  # what failed as a whole need not have any
    return [found.get(job.id) or _missing(request, job, status) for job in request.jobs]


def _missing(request: BatchRequest, job: Job, status: str) -> JobResult:
    return JobResult(
        job.id,
        error=f"The batch {request} is {status}, and its results lack this job.",
        cost_usd=0.0 if status == "failed" else None,
        batch_id=request.id,
    )


def _cost(results: list[JobResult]) -> float | None:
    costs = [told_usd(result.cost_usd) for result in results]
    return None if any(cost is None for cost in costs) else sum(cost or 0.0 for cost in costs)


def _was_refused(error: BaseException) -> bool:
    """Return whether a provider surely has nothing of what it was to be given."""
    if isinstance(error, SubmissionError):
        return error.acceptance == "refused"
    return isinstance(error, (InputError, ConfigurationError)) or type(error) is ValueError
