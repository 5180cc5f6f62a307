"""A Batch API in memory, for tests."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, TypeVar, cast

from ..exceptions import InvalidRequestError, ProviderError
from ..wire.batch_item import BatchAnswer, no_private_texts
from ..wire.batch_results import ResultReader
from ..wire.custom_ids import CustomIds
from ..wire.embedding import EmbeddingText
from ..wire.openai_batch import OPENAI_ENDPOINTS, encode_line
from .base import (
    BatchClient,
    always,
    check_endpoint,
    check_may_send,
)
from .chunk import ChunkLimits
from .connection import submission_error
from .mock_answers import as_answer, echo
from .mock_batch import MockBatch
from .orphan import Found, NotFound
from .retries import Retries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping

    from ..base.request import LLMRequest
    from ..wire.batch_item import BatchRequestLine, PrivateTexts
    from ..wire.openai_batch import OpenAIEndpoint
    from ..wire.remote_status import RemoteError, RemoteStatus
    from .chunk import Chunk, Intent
    from .mock_answers import MockAnswer
    from .orphan import Orphan

T = TypeVar("T")

MockStep: TypeAlias = Literal[
    "upload", "create", "poll", "collect", "cancel", "find_orphan", "delete_files"
]
"""What a client does, as `MockBatchClient.fail` names it."""


class MockBatchClient(BatchClient):
    """A Batch API in this process's memory, which answers as it is told to.

        client = MockBatchClient(answers={"kettle": "positive"}, delays={"chair": 60.0})
        client.fail("create", ServerError("503", status_code=503), after=True)
        Batch(clients={"openai": client})

    It is as strict as a provider: a batch goes through all its states as time passes, results come
    in another order than the requests and by their ids, what is deleted is gone, and a create whose
    answer was lost has made a batch. A request is encoded as for OpenAI.

    Args:
        answers: what becomes of requests: by job id, or a function of the request. Who is not named
            gets the question back as the answer.
        delays: seconds that a request takes: by job id, or a function of the request; by default 0.
            A batch ends with its last request.
        failures: by job id, errors that requests end with.
        window_seconds: after which a batch expires; what is done by then is kept.
        cancel_seconds: that a cancel takes.
        uploads: whether requests are uploaded as a file, or go with the create.
        clock: tells unix seconds.
        retries: of all steps but the create.

    Attributes:
        batches: all that were made, by id.
        batch_error: why batches that are made from now on fail as a whole; None where they do not.
    """

    provider: ClassVar[str] = "mock"
    endpoints: ClassVar[tuple[str, ...]] = OPENAI_ENDPOINTS
    limits: ClassVar[ChunkLimits] = ChunkLimits(50_000, 200 * 1000**2)

    def __init__(
        self,
        answers: Mapping[str, MockAnswer] | Callable[[BatchRequestLine], MockAnswer] | None = None,
        *,
        delays: Mapping[str, float] | Callable[[BatchRequestLine], float] | None = None,
        failures: Mapping[str, Exception] | None = None,
        window_seconds: float = 86_400.0,
        cancel_seconds: float = 0.0,
        uploads: bool = True,
        clock: Callable[[], float] = time.time,
        retries: Retries | None = None,
    ) -> None:
        self.batches: dict[str, MockBatch] = {}
        self.batch_error: RemoteError | None = None
        self._answers = answers if callable(answers) else dict(answers or {})
        self._delays = delays if callable(delays) else dict(delays or {})
        self._failures = dict(failures or {})
        self._window_seconds = window_seconds
        self._cancel_seconds = cancel_seconds
        self._uploads = uploads
        self._clock = clock
        self._retries = retries or Retries()
        self._files: dict[str, tuple[BatchRequestLine, ...]] = {}
        self._faults: list[_Fault] = []
        self._numbers = count(1)

    # -- what it is told

    def set_answer(self, job_id: str, answer: MockAnswer) -> None:
        """Let the request of a job end so, where `answers` is no function."""
        cast("dict[str, MockAnswer]", self._answers)[job_id] = answer

    def set_delay(self, job_id: str, seconds: float) -> None:
        """Let the request of a job take so long, where `delays` is no function."""
        cast("dict[str, float]", self._delays)[job_id] = seconds

    def set_failure(self, job_id: str, error: Exception) -> None:
        """Let the request of a job end with an error."""
        self._failures[job_id] = error

    def fail(
        self, step: MockStep, error: ProviderError, *, after: bool = False, times: int | None = 1
    ) -> None:
        """Let a step fail.

        Args:
            step: which.
            error: what it raises; of a create, what its `SubmissionError` is made of.
            after: whether the step is done all the same: only its answer is lost.
            times: how often; None for always, until `mend`.
        """
        self._faults.append(_Fault(step, error, after, times))

    def mend(self) -> None:
        """Let no step fail any longer."""
        self._faults.clear()

    # -- what it does

    def endpoint_for(self, request: LLMRequest | EmbeddingText) -> str:
        """Return "/v1/embeddings" for a text, and "/v1/chat/completions" for a request."""
        return "/v1/embeddings" if isinstance(request, EmbeddingText) else "/v1/chat/completions"

    def custom_ids(self, job_ids: Iterable[str], nonce: str) -> CustomIds:
        """Return the jobs' own ids."""
        return CustomIds(job_ids)

    def encode(self, line: BatchRequestLine, custom_ids: CustomIds, endpoint: str) -> bytes:
        """Return a request as a line for OpenAI."""
        check_endpoint(self, endpoint)
        return encode_line(line, custom_ids, cast("OpenAIEndpoint", endpoint))

    async def upload(self, chunk: Chunk, intent: Intent) -> str | None:
        """Keep the requests as a file, and return its name."""
        lines = await asyncio.to_thread(self._lines, chunk)
        if not self._uploads:
            return None

        def keep() -> str:
            name = f"file-{next(self._numbers)}"
            self._files[name] = lines
            return name

        return await self._step("upload", keep)

    async def create(
        self,
        chunk: Chunk,
        handle: str | None,
        intent: Intent,
        may_send: Callable[[], bool] = always,
    ) -> str:
        """Make a batch."""
        lines = () if self._uploads else await asyncio.to_thread(self._lines, chunk)

        def make() -> str:
            sent = self._file(handle or "") if self._uploads else lines
            return self._made(sent, handle, intent)

        check_may_send(may_send)
        try:
            return self._once("create", make)
        except ProviderError as error:
            raise submission_error(error) from error

    async def poll(self, remote_id: str) -> RemoteStatus:
        """Return how a batch stands now."""
        return await self._step("poll", lambda: self._status(self._batch(remote_id)))

    async def collect(
        self,
        status: RemoteStatus,
        custom_ids: CustomIds,
        endpoint: str,
        *,
        private: PrivateTexts = no_private_texts,
    ) -> AsyncIterator[BatchAnswer]:
        """Yield the answers, the last request's first."""
        check_endpoint(self, endpoint)
        batch = self._batch(status.id)

        def read() -> dict[str, BatchAnswer]:
            if any(output in batch.deleted for output in status.outputs):
                raise _no_such("file", status.outputs[0])
            return batch.results(self._clock(), self._answer) if status.outputs else {}

        answers = await self._step("collect", read)
        reader = ResultReader(lambda name: replace(answers[name.decode()]), custom_ids)
        for job_id in reversed(answers):
            found = reader.read(job_id.encode())
            if found is not None:
                yield found
        reader.check(status.id)

    async def cancel(self, remote_id: str) -> RemoteStatus:
        """Have a batch stop; what is done by then is kept."""

        def stop() -> RemoteStatus:
            batch, now = self._batch(remote_id), self._clock()
            if batch.cancelled_at is None and not batch.has_ended(now):
                batch.cancelled_at = now
            return self._status(batch)

        return await self._step("cancel", stop)

    async def find_orphan(
        self, intent: Intent, known_ids: Collection[str], *, handle: str | None = None
    ) -> Orphan:
        """Look for the batch of an intent."""

        def look() -> Orphan:
            for batch in self.batches.values():
                if batch.nonce == intent.nonce and batch.id not in known_ids:
                    return Found(batch.id)
            return NotFound()

        return await self._step("find_orphan", look)

    async def delete_files(self, handles: Iterable[str]) -> None:
        """Forget files; a batch whose results are deleted has none any longer."""
        names = list(handles)

        def delete() -> None:
            for name in names:
                self._files.pop(name, None)
            for batch in self.batches.values():
                batch.deleted.update(names)

        await self._step("delete_files", delete)

    async def aclose(self) -> None:
        """Do nothing: there are no connections."""

    # -- inside

    async def _step(self, step: MockStep, do: Callable[[], T]) -> T:
        """Do a step, and again where its failure may pass."""

        def once() -> Awaitable[T]:
            return _later(lambda: self._once(step, do))

        return await self._retries.run(once)

    def _once(self, step: MockStep, do: Callable[[], T]) -> T:
        fault = next((each for each in self._faults if each.step == step), None)
        if fault is None:
            return do()
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._faults.remove(fault)
        if fault.after:
            do()
        raise fault.error

    def _lines(self, chunk: Chunk) -> tuple[BatchRequestLine, ...]:
        lines = tuple(chunk.lines)
        for line in lines:
            self.encode(line, chunk.custom_ids, chunk.endpoint)
        return lines

    def _made(self, lines: tuple[BatchRequestLine, ...], handle: str | None, intent: Intent) -> str:
        now = self._clock()
        batch = MockBatch(
            id=f"batch-{next(self._numbers)}",
            nonce=intent.nonce,
            lines=lines,
            created_at=now,
            expires_at=now + self._window_seconds,
            done_at={line.custom_id: now + self._delay(line) for line in lines},
            cancel_seconds=self._cancel_seconds,
            input=handle,
            error=self.batch_error,
        )
        self.batches[batch.id] = batch
        return batch.id

    def _status(self, batch: MockBatch) -> RemoteStatus:
        return batch.status(self._clock(), self._answer)

    def _batch(self, remote_id: str) -> MockBatch:
        found = self.batches.get(remote_id)
        if found is None:
            raise _no_such("batch", remote_id)
        return found

    def _file(self, name: str) -> tuple[BatchRequestLine, ...]:
        found = self._files.get(name)
        if found is None:
            raise _no_such("file", name)
        return found

    def _delay(self, line: BatchRequestLine) -> float:
        return self._delays(line) if callable(self._delays) else self._delays.get(line.custom_id, 0)

    def _answer(self, line: BatchRequestLine) -> BatchAnswer | None:
        told: MockAnswer = self._failures.get(line.custom_id)
        if told is None:
            told = self._told(line)
        return None if told is None else as_answer(line, told)

    def _told(self, line: BatchRequestLine) -> MockAnswer:
        if callable(self._answers):
            return self._answers(line)
        return self._answers[line.custom_id] if line.custom_id in self._answers else echo(line)


@dataclass(slots=True)
class _Fault:
    """How a step fails."""

    step: MockStep
    error: ProviderError
    after: bool
    times: int | None


def _no_such(what: str, name: str) -> InvalidRequestError:
    return InvalidRequestError(f"There is no {what} {name!r}.", status_code=404)


async def _later(do: Callable[[], T]) -> T:
    return do()
