"""The seam between the batch lane and a provider's Batch API."""

from __future__ import annotations

import asyncio
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Final

from ..base import PricedModel
from ..exceptions import ConfigurationError, ProviderError, SubmissionError
from ..pricing import most_usd
from ..wire.batch_item import no_private_texts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable

    from ..base import TokenBound
    from ..base.request import LLMRequest
    from ..wire.batch_item import BatchAnswer, BatchRequestLine, PrivateTexts
    from ..wire.batch_results import ResultReader
    from ..wire.custom_ids import CustomIds
    from ..wire.embedding import EmbeddingText
    from ..wire.remote_status import RemotePage, RemoteStatus
    from .chunk import Chunk, ChunkLimits, Intent
    from .orphan import Orphan
    from .spool import Spool

NOT_SENT: Final = "not_sent"
"""Code of the error of a create that was ready, and was not to be sent any more."""

_LINES_AT_A_STRETCH: Final = 500
# Less than the 29 days that Anthropic keeps results: of an older batch nobody could tell whose it
# is, nor would there be anything to collect.
_LOOKED_BACK_SECONDS: Final = 28 * 86_400


def always() -> bool:
    """Let whatever is ready be sent."""
    return True


class BatchClient(ABC):
    """Speaks to one provider's Batch API. Nothing of a run is remembered here.

    The way that loses nothing: write an `Intent` down durably; `upload`, and write the handle
    down; `create`, and write the id down; `poll` until it has ended; `collect`. After a crash
    between an intent and an id, `find_orphan` says whether the provider has the batch.

    Polls, lists, uploads, downloads, cancels and deletes are repeated where a failure may pass
    (`Retries`); a create is sent once. All methods raise `ProviderError` of the kind that fits.
    """

    provider: ClassVar[str]
    """The provider's name, as price lists have it."""
    endpoints: ClassVar[tuple[str, ...]]
    """What chunks may ask for."""
    limits: ClassVar[ChunkLimits]
    """The most that one remote batch holds."""
    gives_partial_results: ClassVar[bool] = True
    """Whether a batch that was cut short has the results of all that it has run."""
    asks_by_responses: bool = False
    """Whether chat models are asked at OpenAI's "/v1/responses"."""
    has_usual_address: bool = False
    """Whether it goes where the provider's strategies go to which no address is given."""

    @abstractmethod
    def endpoint_for(self, request: LLMRequest | EmbeddingText) -> str:
        """Return the endpoint that a request goes to where nobody asks for another.

        Raises:
            InputError: for a request that this provider cannot be asked.
        """

    @abstractmethod
    def custom_ids(self, job_ids: Iterable[str], nonce: str) -> CustomIds:
        """Return the ids that this provider is given for jobs; of equal arguments, the same."""

    @abstractmethod
    def encode(self, line: BatchRequestLine, custom_ids: CustomIds, endpoint: str) -> bytes:
        """Return what is sent for one request: its length counts towards `limits.body_bytes`.

        Raises:
            InputError: for a request that this endpoint cannot be asked, naming the job.
        """

    def most_usd(self, line: BatchRequestLine, bound: TokenBound) -> float | None:
        """Return the most that one request can cost, in USD; None where nothing bounds it.

        Args:
            line: the request.
            bound: the most tokens of it and of its answer.
        """
        return most_usd(PricedModel(self.provider, line.model), bound, lane="batch")

    @abstractmethod
    async def upload(self, chunk: Chunk, intent: Intent) -> str | None:
        """Send the requests, and return the handle of them; nothing runs yet.

        None for a provider, or a chunk, whose requests go with the create.

        Raises:
            InputError: for a request that the endpoint cannot be asked, naming the job.
        """

    @abstractmethod
    async def create(
        self,
        chunk: Chunk,
        handle: str | None,
        intent: Intent,
        may_send: Callable[[], bool] = always,
    ) -> str:
        """Make the remote batch, and return its id. It is sent once, whatever comes.

        Args:
            chunk: what is sent.
            handle: that `upload` returned.
            intent: written down before.
            may_send: asked once all is ready, right before it is sent.

        Raises:
            SubmissionError: says in `acceptance` whether the provider took it all the same. Of the
                code `NOT_SENT` where it may not be sent.
        """

    @abstractmethod
    async def poll(self, remote_id: str) -> RemoteStatus:
        """Return how a remote batch stands; a failure of the poll is none of the batch."""

    @abstractmethod
    def collect(
        self,
        status: RemoteStatus,
        custom_ids: CustomIds,
        endpoint: str,
        *,
        private: PrivateTexts = no_private_texts,
    ) -> AsyncIterator[BatchAnswer]:
        """Yield what became of the requests of an ended batch, in any order.

        A job of which the provider says nothing is not among them: it is for the caller to miss.

        Args:
            status: of a batch that has ended; those of expired and cancelled ones count too.
            custom_ids: those that it was created with.
            endpoint: that of its chunk.
            private: gives, for an id that was sent, the texts that no error may quote.

        Raises:
            MalformedAnswerError: of the code `UNMATCHED_RESULTS`, after all other answers, if
                there are results that belong to no job.
        """

    @abstractmethod
    async def cancel(self, remote_id: str) -> RemoteStatus:
        """Have a remote batch stop, and return how it stands; one that has ended stays so."""

    @abstractmethod
    async def find_orphan(
        self, intent: Intent, known_ids: Collection[str], *, handle: str | None = None
    ) -> Orphan:
        """Look for the batch of an intent whose create was not seen to end.

        Args:
            intent: written down before the create.
            known_ids: of the remote batches that are known already.
            handle: that `upload` returned, where it is known.
        """

    @abstractmethod
    async def delete_files(self, handles: Iterable[str]) -> None:
        """Delete files at the provider: `RemoteStatus.inputs`, or `outputs` once collected.

        Those that are gone already are none of its business.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Close all connections."""


def check_endpoint(client: BatchClient, endpoint: str) -> None:
    """Refuse an endpoint that a provider has no batches for.

    Raises:
        ConfigurationError: naming those it has.
    """
    if endpoint not in client.endpoints:
        raise ConfigurationError(
            f"{type(client).__name__} has no batches for {endpoint!r}; it has some for "
            f"{', '.join(client.endpoints)}."
        )


def check_may_send(may_send: Callable[[], bool]) -> None:
    """Refuse to send what may not be sent any more.

    Raises:
        SubmissionError: that says so.
    """
    if not may_send():
        raise SubmissionError("It was not to be sent any more.", "refused", code=NOT_SENT)


async def read_results(spool: Spool, reader: ResultReader) -> AsyncIterator[BatchAnswer]:
    """Yield the answers in a results file; other tasks get their turn meanwhile."""
    for number, line in enumerate(spool.lines(), start=1):
        if number % _LINES_AT_A_STRETCH == 0:
            await asyncio.sleep(0)
        answer = reader.read(line)
        if answer is not None:
            yield answer


async def cancel_once(
    cancel: Callable[[], Awaitable[object]], poll: Callable[[], Awaitable[RemoteStatus]]
) -> RemoteStatus:
    """Have a remote batch stop, and return how it stands; one that has ended refuses, and may.

    Raises:
        ProviderError: if it goes on all the same.
    """
    try:
        await cancel()
    except ProviderError:
        status = await poll()
        if status.state == "in_progress":
            raise
        return status
    return await poll()


async def walk_pages(
    read: Callable[[str | None], Awaitable[RemotePage]], written_at: float
) -> AsyncIterator[RemoteStatus]:
    """Yield the remote batches that may be of an intent, the newest first.

    Our clock may have been ahead by any time when the intent was written, and nothing is left out
    for that: the walk ends with the page that has a batch of weeks ago, by the provider's clock
    as well. Of a provider that does not tell the time, it goes through the whole list.

    Args:
        read: returns the page that a cursor names; the first one for None.
        written_at: of the intent, in unix seconds of our clock.
    """
    cursor: str | None = None
    while True:
        page = await read(cursor)
        created_after = -math.inf
        if page.told_at is not None:
            created_after = min(written_at, page.told_at) - _LOOKED_BACK_SECONDS
        for status in page.batches:
            if status.created_at is None or status.created_at >= created_after:
                yield status
        oldest = page.batches[-1].created_at if page.batches else None
        if page.next is None or page.next == cursor:
            return
        if oldest is not None and oldest < created_after:
            return
        cursor = page.next
