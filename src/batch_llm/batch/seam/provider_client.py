"""A provider of the user's own, as a run speaks to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from ...base import JobResult
from ...exceptions import (
    AuthenticationError,
    ConfigurationError,
    InputError,
    InvalidRequestError,
    MalformedAnswerError,
    ProviderError,
    RateLimitedError,
    SubmissionError,
)
from ...providers.base import BatchClient, always, check_may_send
from ...providers.chunk import ChunkLimits
from ...providers.connection import submission_error
from ...providers.orphan import Found, NotFound, Unprovable
from ...wire.batch_item import BatchAnswer, no_private_texts
from ...wire.batch_results import UNMATCHED_RESULTS
from ...wire.custom_ids import CustomIds
from ...wire.json_body import encode_body
from ...wire.remote_status import RemoteStatus
from .batch_request import as_batch_request
from .told_usd import told_usd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping

    from ...base import Job, TokenBound
    from ...base.request import LLMRequest
    from ...base.results import Outcome
    from ...providers.chunk import Chunk, Intent
    from ...providers.orphan import Orphan
    from ...wire.batch_item import BatchOutcome, BatchRequestLine, PrivateTexts
    from ...wire.embedding import EmbeddingText
    from ...wire.remote_status import RemoteEnd, RemoteState
    from .provider import Provider

T = TypeVar("T")

logger = logging.getLogger("batch_llm")

_ENDPOINT: Final = "jobs"
_STATES: Final[Mapping[str, tuple[RemoteState, RemoteEnd | None]]] = {
    "pending": ("in_progress", None),
    "running": ("in_progress", None),
    "complete": ("ended", "completed"),
    "completed": ("ended", "completed"),
    "failed": ("ended", "failed"),
    "expired": ("ended", "expired"),
    "cancelled": ("ended", "cancelled"),
}
_OUTCOMES: Final[Mapping[Outcome, BatchOutcome]] = {
    "succeeded": "succeeded",
    "failed": "errored",
    "expired": "expired",
    "cancelled": "canceled",
}
# Nothing that comes and goes: the run ends with them, and its state waits for the repair.
_DEFECTS: Final = (AttributeError, NameError, NotImplementedError, TypeError)
_REFUSALS: Final = (AuthenticationError, InvalidRequestError, RateLimitedError)
_GONE_FOR_GOOD: Final = 410
_SHOWN_CHARACTERS: Final = 200


class ProviderClient(BatchClient):
    """Calls the methods of a `Provider` in threads, each as often as a client of ours would.

    What it raises that is no `ProviderError` is wrapped in one, and a defect of it (a TypeError or
    an AttributeError, say) ends the run. An error of `create_batch` counts as a refusal only where
    it surely is one: a plain ValueError, an `InputError` or a `ConfigurationError`, or a
    `ProviderError` that says so. After any other, and after a crash, `find_batch` has to tell
    whether there is a batch; where the provider has none, nothing is submitted again, and the run
    ends with the reason.

    Args:
        provider: of the user's own.
    """

    provider: ClassVar[str] = "user's own"  # no price list has it
    endpoints: ClassVar[tuple[str, ...]] = (_ENDPOINT,)
    # Nobody tells what it takes: the least that one of the three others does.
    limits: ClassVar[ChunkLimits] = ChunkLimits(50_000, 200 * 1000**2)

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._cancelled: set[str] = set()
        self._has_odd_estimates = False

    def endpoint_for(self, request: LLMRequest | EmbeddingText) -> str:
        """Return the only one."""
        return _ENDPOINT

    def custom_ids(self, job_ids: Iterable[str], nonce: str) -> CustomIds:
        """Return the jobs' own ids."""
        return CustomIds(job_ids)

    def encode(self, line: BatchRequestLine, custom_ids: CustomIds, endpoint: str) -> bytes:
        """Return the job as JSON, once the provider has validated it."""
        job = _job_of(line)
        try:
            self._provider.validate_job(job)
        except ValueError as error:
            raise InputError(f"Job {job.id!r}: {error}") from error
        return encode_body(job.to_dict())

    def most_usd(self, line: BatchRequestLine, bound: TokenBound) -> float | None:
        """Return what the provider estimates; None where it cannot, or names no amount."""
        try:
            told: object = self._provider.estimate_cost([_job_of(line)])
        except _DEFECTS:
            raise
        except Exception as error:  # whatever it is, the estimate has failed
            logger.warning("%s: what a job costs is not known: %s", self._name, _told(error))
            return None
        usd = told_usd(told)
        if usd is None and not self._has_odd_estimates:
            self._has_odd_estimates = True  # once: it is asked for every job
            logger.warning(
                "%s.estimate_cost returned %.40r, and returns an amount in USD from 0 up: what "
                "such a job costs counts as unknown.",
                self._name,
                told,
            )
        return usd

    async def upload(self, chunk: Chunk, intent: Intent) -> None:
        """Return None: the jobs go with the create."""

    async def create(
        self,
        chunk: Chunk,
        handle: str | None,
        intent: Intent,
        may_send: Callable[[], bool] = always,
    ) -> str:
        """Call `create_batch`, once."""
        jobs = await asyncio.to_thread(lambda: [_job_of(line) for line in chunk.lines])
        check_may_send(may_send)
        try:
            made = await asyncio.to_thread(self._provider.create_batch, jobs)
        except (SubmissionError, *_DEFECTS):
            raise
        except Exception as error:  # a provider of the user's own may raise anything
            raise self._not_created(error) from error
        return str(as_batch_request(made, self._provider, jobs))

    async def poll(self, remote_id: str) -> RemoteStatus:
        """Call `get_batch_status`."""
        word = await self._call("get_batch_status", self._provider.get_batch_status, remote_id)
        state, ended_as = self._read(word)
        if remote_id in self._cancelled:
            state, ended_as = ("ended", "cancelled") if ended_as else ("canceling", None)
        return RemoteStatus(id=remote_id, state=state, ended_as=ended_as, provider_state=word)

    async def collect(
        self,
        status: RemoteStatus,
        custom_ids: CustomIds,
        endpoint: str,
        *,
        private: PrivateTexts = no_private_texts,
    ) -> AsyncIterator[BatchAnswer]:
        """Call `get_batch_results`, and yield one result for each job."""
        seen: set[str] = set()
        strangers = 0
        for result in await self._results(status):
            if custom_ids.job_of(result.job_id) is None:
                strangers += 1
            elif result.job_id not in seen:
                seen.add(result.job_id)
                yield BatchAnswer(
                    custom_id=result.job_id, outcome=_OUTCOMES[result.outcome], result=result
                )
        if strangers:
            raise MalformedAnswerError(
                f"{strangers} results of {status.id} name no job of this batch.",
                code=UNMATCHED_RESULTS,
            )

    async def cancel(self, remote_id: str) -> RemoteStatus:
        """Call `cancel_batch`."""
        if await self._call("cancel_batch", self._provider.cancel_batch, remote_id):
            self._cancelled.add(remote_id)
        return await self.poll(remote_id)

    async def find_orphan(
        self, intent: Intent, known_ids: Collection[str], *, handle: str | None = None
    ) -> Orphan:
        """Call `find_batch`."""
        since = datetime.fromtimestamp(intent.written_at, UTC)
        try:
            found = await self._call(
                "find_batch", self._provider.find_batch, list(intent.job_ids), since
            )
        except NotImplementedError:
            return Unprovable(self._what_to_do(intent), ())
        if found is None or str(found) in known_ids:
            return NotFound()
        return Found(str(found))

    async def delete_files(self, handles: Iterable[str]) -> None:
        """Do nothing: files are the provider's own affair."""

    async def aclose(self) -> None:
        """Do nothing: connections are the provider's own affair."""

    # -- inside

    @property
    def _name(self) -> str:
        return self._provider.name

    async def _call(self, name: str, method: Callable[..., T], *args: Any) -> T:
        try:
            return await asyncio.to_thread(method, *args)
        except (ProviderError, *_DEFECTS):
            raise
        except Exception as error:  # a provider of the user's own may raise anything
            raise ProviderError(f"{self._name}.{name} raised {_told(error)}") from error

    async def _results(self, status: RemoteStatus) -> list[JobResult]:
        try:
            return await self._call("get_batch_results", self._read_results, status.id)
        except ProviderError as error:
            if status.ended_as != "failed":
                raise
            # What failed as a whole need not have results, and nobody waits for them.
            raise ProviderError(str(error), status_code=_GONE_FOR_GOOD) from error

    def _read_results(self, batch_id: str) -> list[JobResult]:
        """Return the results, read once: they may come one by one, from a generator."""
        told: object = self._provider.get_batch_results(batch_id)
        found: list[object] = list(told) if isinstance(told, Iterable) else [told]
        results = [each for each in found if isinstance(each, JobResult)]
        if len(results) < len(found):
            strange = next(each for each in found if not isinstance(each, JobResult))
            raise TypeError(
                f"{self._name}.get_batch_results returns JobResults, and one was a "
                f"{type(strange).__name__}."
            )
        return self._with_known_costs(results)

    def _with_known_costs(self, results: list[JobResult]) -> list[JobResult]:
        """Return results whose costs are amounts, or None."""
        costs = [told_usd(result.cost_usd) for result in results]
        odd = [
            result
            for result, cost in zip(results, costs, strict=True)
            if cost is None and result.cost_usd is not None
        ]
        if odd:
            logger.warning(
                "%s: the cost_usd of %d results (%.40r for job %r) is no amount from 0 up, and "
                "counts as unknown.",
                self._name,
                len(odd),
                odd[0].cost_usd,
                odd[0].job_id,
            )
        return [replace(result, cost_usd=cost) for result, cost in zip(results, costs, strict=True)]

    def _read(self, word: str) -> tuple[RemoteState, RemoteEnd | None]:
        found = _STATES.get(word)
        if found is None:
            raise ConfigurationError(
                f"{self._name}.get_batch_status returned {word!r}. It returns "
                f'"pending", "running", "complete" or "failed".'
            )
        return found

    def _not_created(self, error: Exception) -> Exception:
        # Not any ValueError: an answer that cannot be decoded raises one too, after the create.
        if isinstance(error, (InputError, ConfigurationError)) or type(error) is ValueError:
            return InputError(f"{self._name} refuses the batch: {error}")
        if not isinstance(error, ProviderError):
            return SubmissionError(f"{self._name}.create_batch raised {_told(error)}")
        told = submission_error(error)
        if isinstance(error, _REFUSALS):
            told.acceptance = "refused"
        return told

    def _what_to_do(self, intent: Intent) -> str:
        return (
            f"{self._name} may have a batch of {intent.requests} jobs (from "
            f"{intent.job_ids[0]!r} on) whose id was never written down, and nothing can tell: it "
            f"is not submitted again. Give {self._name} a find_batch() that looks for it, and run "
            f"this again; or, if you know that there is none, run these jobs with a new state_file"
        )


def _job_of(line: BatchRequestLine) -> Job:
    assert line.job is not None, "a run's lines have their jobs"
    return line.job


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:_SHOWN_CHARACTERS]}"
