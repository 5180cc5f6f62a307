"""A provider that one of the package's own clients speaks to, with methods that block."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from ...base import PricedModel
from ...exceptions import ConfigurationError, InputError, MalformedAnswerError, SubmissionError
from ...providers.abilities import abilities_of, known_models
from ...providers.chunk import Chunk, Intent
from ...providers.job_checks import check_job, fitted
from ...providers.orphan import Found
from ...providers.registry import find_route
from ...wire.batch_results import UNMATCHED_RESULTS
from ...wire.custom_ids import new_nonce
from ..chunks.job_sizer import JobSizer
from ..jobs.job_book import JobBook, JobLines, private_texts
from ..results.answers import missing_result, result_of
from ..seam.batch_request import BatchRequest
from ..seam.provider import Provider
from .blocking_loop import wait_for

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping

    from ...base import Job, JobResult, ModelConfig
    from ...providers import BatchClient
    from ...providers.abilities import Abilities
    from ...wire.remote_status import RemoteStatus
    from ..seam.provider import BatchStatus

logger = logging.getLogger("batch_llm")

_NOT_BEGUN: Final = ("validating", "pending")
_LOOKS: Final = 3
_LOOK_SECONDS: Final = 2.0

T = TypeVar("T")
TClient = TypeVar("TClient", bound="BatchClient")


@dataclass(slots=True)
class _Sent:
    """A batch that was submitted here, and what its results are read with."""

    chunk: Chunk
    book: JobBook


class ClientProvider(Provider, Generic[TClient]):
    """A provider that one of the package's own clients speaks to.

    `Batch` asks it only for a client (`open_client`), and keeps what it submits in a state file.
    The methods here are for a program that keeps its batches itself: what they submit is known to
    this object alone, and its results are read by it.

    Args:
        client: that is spoken to, and that nobody else speaks to at the same time; by default one
            is made when it is needed.
        settings: of the client that is made.
        name: under which models are asked for as "NAME:MODEL"; by default the client's provider.
        models: what it answers; by default what is known of the provider's models. Others are
            answered too.

    Raises:
        MissingKeyError: if the provider itself is called and there is no key.
        ConfigurationError: for a setting that cannot work.
    """

    def __init__(
        self,
        client: TClient | None,
        settings: Mapping[str, object],
        name: str | None,
        models: Mapping[str, ModelConfig] | None,
    ) -> None:
        if client is not None and settings:
            raise ConfigurationError(
                f"{type(self).__name__} takes a client or the settings of one, not both: "
                f"{', '.join(settings)}."
            )
        self._given = client
        self._is_elsewhere = client is not None or bool(settings.get("base_url"))
        self._own = self.open_client()  # says now what is missing
        self.name = name or self._own.provider
        self.models = dict(known_models(self._own.provider) if models is None else models)
        self._sent: dict[str, _Sent] = {}
        self._calls = 0  # counted on the one loop that makes them

    @abstractmethod
    def _made(self) -> TClient:
        """Return a new client with the settings."""

    # -- jobs

    def validate_job(self, job: Job) -> None:
        """Refuse a job that its model cannot do, as far as is known, or that cannot be sent.

        Its file is read. What `Job` has by default, and the model does not take, is left out when
        it is sent, and no reason to refuse it.

        Raises:
            InputError: that says why.
        """
        (fit,) = self._fitted([job])
        able = self.abilities(job.model)
        if able is not None:
            check_job(fit, able)
        self._sizer([fit]).size_of(fit)

    def estimate_cost(self, jobs: list[Job]) -> float:
        """Return the most that jobs can cost, in USD, at the prices of the Batch API.

        Raises:
            InputError: for a job that cannot be sent.
            ConfigurationError: if nothing bounds what one of them costs.
        """
        fitted_jobs, sum_usd = self._fitted(jobs), 0.0
        sizer = self._sizer(fitted_jobs)
        for job in fitted_jobs:
            _, (usd, _, _) = sizer.size_of(job)
            if not math.isfinite(usd):
                raise ConfigurationError(
                    f"What {job.id!r} can cost is not known: no price of {job.model} is, or "
                    f"nothing bounds its tokens."
                )
            sum_usd += usd
        return sum_usd

    # -- batches

    def create_batch(self, jobs: list[Job]) -> BatchRequest:
        """Submit jobs of one model as one batch.

        Raises:
            InputError: for jobs that cannot be sent, or not as one batch.
            SubmissionError: says in `acceptance` whether the provider may have taken it all the
                same; it was looked for then, in vain.
            ProviderError: if the jobs could not be uploaded; nothing was submitted.
        """
        sent = self._chunk(self._fitted(jobs))
        nonce = sent.chunk.custom_ids.nonce or new_nonce()
        intent = Intent(nonce, len(jobs), time.time(), tuple(job.id for job in jobs))
        remote_id = self._wait(self._submitted(sent.chunk, intent))
        self._sent[remote_id] = sent
        return BatchRequest(remote_id, self, jobs)

    def get_batch_status(self, batch_id: str) -> BatchStatus:
        """Return how a batch stands, this object's or not.

        A batch that expired or was cancelled is "complete": its results tell which jobs were done.

        Raises:
            ProviderError: if that cannot be told now.
        """
        return _word_for(self._wait(self._own.poll(str(batch_id))))

    def get_batch_results(self, batch_id: str) -> list[JobResult]:
        """Return how the jobs ended of a batch that this object has submitted: one for each.

        Raises:
            InputError: for a batch of somebody else's, or one that goes on.
            ProviderError: if they cannot be fetched now.
        """
        sent = self._sent.get(str(batch_id))
        if sent is None:
            raise InputError(
                f"{type(self).__name__} has not submitted {str(batch_id)!r}, and does not know its "
                f"jobs. `Batch(state_file=…)` knows them after a restart too."
            )
        return self._wait(self._collected(str(batch_id), sent))

    def cancel_batch(self, batch_id: str) -> bool:
        """Have a batch stop; return False where it has ended already.

        Raises:
            ProviderError: if the provider cannot be told.
        """

        async def stop() -> bool:
            before = await self._own.poll(str(batch_id))
            if before.has_ended:
                return False
            await self._own.cancel(str(batch_id))
            return True

        return self._wait(stop())

    def abilities(self, model: str) -> Abilities | None:
        """Return what a model can do; None for a provider of which nothing is known."""
        speaks = self._own.provider
        if not known_models(speaks):
            return None
        is_own_server = self.name != speaks
        return abilities_of(speaks, self.model_name(model), is_own_server=is_own_server)

    def model_name(self, model: str) -> str:
        """Return a model's name without that of the provider before it."""
        return model.removeprefix(f"{self.name}:").removeprefix("models/")

    def open_client(self) -> TClient:
        """Return a new client with this object's settings, or the one that was given."""
        return self._made() if self._given is None else self._given

    # -- inside

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return wait_for(self._closing(work))

    async def _closing(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work`, and close the connections once nobody needs them: nobody else will."""
        self._calls += 1
        try:
            return await work
        finally:
            self._calls -= 1
            if self._calls == 0:
                await self._own.aclose()

    def _book(self, jobs: Iterable[Job]) -> JobBook:
        return JobBook(jobs, None, {self.name: self._own}, lambda _: self)

    def _sizer(self, jobs: list[Job]) -> JobSizer:
        book = self._book(jobs)
        return JobSizer(book, book.clients.client)

    def _fitted(self, jobs: list[Job]) -> list[Job]:
        """Return the jobs without defaults that their models do not take."""
        found = []
        for job in jobs:
            self._check_model(job)
            able = self.abilities(job.model)
            found.append(job if able is None else fitted(job, able))
        return found

    def _check_model(self, job: Job) -> None:
        """Refuse a model that is known to be of another provider; a server may have any."""
        if job.model in self.models or self._is_elsewhere:
            return
        route = find_route(job.model, {self.name: self._own})
        if route.provider not in (self.name, self._own.provider):
            raise InputError(
                f"Job {job.id!r}: {type(self).__name__} does not answer {job.model!r}: it is a "
                f"model of {route.provider}."
            )

    def _chunk(self, jobs: list[Job]) -> _Sent:
        if not jobs:
            raise InputError("A batch needs at least one job.")
        book, sizer = self._book(jobs), self._sizer(jobs)
        sizes = [sizer.size_of(job)[0] for job in jobs]
        if len(kinds := {(each.model, each.endpoint) for each in sizes}) > 1:
            asked = ", ".join(sorted(f"{model} at {endpoint}" for model, endpoint in kinds))
            raise InputError(f"The jobs of a batch have one model and endpoint, not {asked}.")
        limits = self._own.limits
        if len(jobs) > limits.requests or sum(e.encoded_bytes for e in sizes) > limits.body_bytes:
            raise InputError(
                f"A batch has {limits.requests:,} jobs and {limits.body_bytes:,} bytes at the "
                f"most: make several, or let `Batch` do so."
            )
        job_ids = [job.id for job in jobs]
        ids = self._own.custom_ids(job_ids, new_nonce())
        model, endpoint = kinds.pop()
        return _Sent(Chunk(model, endpoint, JobLines(book, job_ids), ids), book)

    async def _submitted(self, chunk: Chunk, intent: Intent) -> str:
        handle = await self._own.upload(chunk, intent)
        try:
            return await self._own.create(chunk, handle, intent)
        except SubmissionError as error:
            if error.acceptance == "refused":
                raise
            found = await self._found(intent, handle)
            if found is None:
                raise
            return found

    async def _found(self, intent: Intent, handle: str | None) -> str | None:
        """Return the id of a batch whose create was not seen to end."""
        for _ in range(_LOOKS):
            found = await self._own.find_orphan(intent, set(self._sent), handle=handle)
            if isinstance(found, Found):
                return found.remote_id
            await asyncio.sleep(_LOOK_SECONDS)  # lists lag behind creates
        return None

    async def _collected(self, batch_id: str, sent: _Sent) -> list[JobResult]:
        status = await self._own.poll(batch_id)
        if not status.has_ended:
            raise InputError(f"The batch {batch_id} goes on: it is {status.provider_state}.")
        chunk = sent.chunk
        priced = PricedModel(self._own.provider, chunk.model)

        def private(sent_id: str) -> Iterable[str]:
            job_id = chunk.custom_ids.job_of(sent_id)
            return () if job_id is None else private_texts(sent.book.job(job_id))

        found: dict[str, JobResult] = {}
        why: str | None = None
        answers = self._own.collect(status, chunk.custom_ids, chunk.endpoint, private=private)
        try:
            async for answer in answers:
                job = sent.book.job(answer.custom_id)
                found[job.id] = result_of(job, answer, priced, batch_id)
        except MalformedAnswerError as error:
            if error.code != UNMATCHED_RESULTS:
                raise
            why = str(error)
            logger.warning("%s", why)
        return [
            found.get(job_id) or missing_result(job_id, status, why) for job_id in chunk.custom_ids
        ]


def _word_for(status: RemoteStatus) -> BatchStatus:
    if status.has_ended:
        return "failed" if status.ended_as == "failed" else "complete"
    word = status.provider_state.lower()
    return "pending" if any(each in word for each in _NOT_BEGUN) else "running"
