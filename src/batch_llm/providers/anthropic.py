"""Anthropic's Message Batches."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import quote, urlsplit

from ..exceptions import ConfigurationError, InputError, ProviderError
from ..llm_strategies.anthropic_endpoint import ANTHROPIC_MESSAGES
from ..llm_strategies.endpoint import find_endpoint
from ..wire.anthropic_batch import (
    MESSAGES,
    decode_batch,
    decode_page,
    encode_create,
    encode_request,
    line_decoder,
    sent_id_of,
)
from ..wire.anthropic_errors import error_from_response
from ..wire.batch_item import no_private_texts
from ..wire.batch_results import ResultReader
from ..wire.custom_ids import CustomIds, carries_nonce
from ..wire.embedding import EmbeddingText
from .base import (
    BatchClient,
    always,
    cancel_once,
    check_endpoint,
    check_may_send,
    read_results,
    walk_pages,
)
from .chunk import ChunkLimits
from .connection import Connection, submission_error, told_at
from .orphan import Found, NotFound, Unprovable
from .retries import Retries
from .spool import spooled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping

    from ..base.request import LLMRequest
    from ..llm_strategies.http.transport import Reply
    from ..wire.batch_item import BatchAnswer, BatchRequestLine, PrivateTexts
    from ..wire.remote_status import RemotePage, RemoteStatus
    from .chunk import Chunk, Intent
    from .orphan import Orphan

_API: Final = replace(ANTHROPIC_MESSAGES, path="")
_BATCHES: Final = "/v1/messages/batches"
_PAGE: Final = 1_000
_FIRST_BYTES: Final = 64 * 1024


class AnthropicBatchClient(BatchClient):
    """Speaks to Anthropic's Message Batches, which have no files and no metadata.

    The ids that are sent carry the nonce of the intent: an orphan that has ended is known by its
    results, and one that goes on cannot be told from another batch of as many requests.

    Args:
        base_url: where the API is, without "/v1". By default `ANTHROPIC_BASE_URL`, else Anthropic.
        api_key: by default `ANTHROPIC_API_KEY`, but only for Anthropic itself or
            `ANTHROPIC_BASE_URL`.
        headers: further headers, such as another `anthropic-version`.
        retries: of what may be sent twice.

    Raises:
        MissingKeyError: if Anthropic itself is called and there is no key.
        ConfigurationError: for an address or a header that cannot be used.
    """

    provider: ClassVar[str] = "anthropic"
    endpoints: ClassVar[tuple[str, ...]] = (MESSAGES,)
    limits: ClassVar[ChunkLimits] = ChunkLimits(100_000, 256 * 1000**2)

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        retries: Retries | None = None,
    ) -> None:
        endpoint = find_endpoint(_API, base_url, api_key, headers or {})
        self.has_usual_address = endpoint.is_usual
        self._connection = Connection(endpoint, error_from_response)
        self._retries = retries or Retries()
        self._sent_ids: dict[str, str] = {}  # by remote id: the first one of its results

    def endpoint_for(self, request: LLMRequest | EmbeddingText) -> str:
        """Return "/v1/messages".

        Raises:
            InputError: for a text of which a vector is wanted.
        """
        if isinstance(request, EmbeddingText):
            raise InputError("Anthropic makes no vectors of texts.")
        return MESSAGES

    def custom_ids(self, job_ids: Iterable[str], nonce: str) -> CustomIds:
        """Return `NONCE-NUMBER` for each job: Anthropic takes few ids, and keeps no other mark."""
        return CustomIds(job_ids, nonce)

    def encode(self, line: BatchRequestLine, custom_ids: CustomIds, endpoint: str) -> bytes:
        """Return one of the requests of a create."""
        check_endpoint(self, endpoint)
        return encode_request(line, custom_ids) + b","

    async def upload(self, chunk: Chunk, intent: Intent) -> None:
        """Return None: the requests go with the create."""

    async def create(
        self,
        chunk: Chunk,
        handle: str | None,
        intent: Intent,
        may_send: Callable[[], bool] = always,
    ) -> str:
        """Make a batch.

        Raises:
            SubmissionError: says in `acceptance` whether the provider took it all the same.
            ConfigurationError: for ids without the nonce of the intent: no orphan could be found.
            InputError: for a request that cannot be asked, naming the job.
        """
        check_endpoint(self, chunk.endpoint)
        if chunk.custom_ids.nonce != intent.nonce:
            raise ConfigurationError(
                "The custom ids of this chunk do not carry the nonce of its intent. Make them "
                "with custom_ids(job_ids, intent.nonce)."
            )
        with await spooled(encode_create(chunk.lines, chunk.custom_ids)) as spool:
            check_may_send(may_send)
            try:
                reply = await self._connection.request(
                    "POST",
                    self._connection.url(_BATCHES),
                    content=spool.pieces(),
                    headers={"Content-Length": str(spool.size)},
                )
                return decode_batch(reply.body).id
            except ProviderError as error:
                raise submission_error(error) from error

    async def poll(self, remote_id: str) -> RemoteStatus:
        """Return how a batch stands."""

        async def once() -> RemoteStatus:
            return decode_batch((await self._get(f"{_BATCHES}/{quote(remote_id)}")).body)

        return await self._retries.run(once)

    async def collect(
        self,
        status: RemoteStatus,
        custom_ids: CustomIds,
        endpoint: str,
        *,
        private: PrivateTexts = no_private_texts,
    ) -> AsyncIterator[BatchAnswer]:
        """Yield what stands in the results."""
        check_endpoint(self, endpoint)
        reader = ResultReader(line_decoder(private), custom_ids)
        for results_url in status.outputs:
            url = self._results_at(results_url, status.id)
            with await self._retries.run(partial(self._connection.download, url)) as spool:
                async for answer in read_results(spool, reader):
                    yield answer
        reader.check(status.id)

    async def cancel(self, remote_id: str) -> RemoteStatus:
        """Have a batch stop; what is done by then is kept."""
        url = self._connection.url(f"{_BATCHES}/{quote(remote_id)}/cancel")
        told = partial(self._retries.run, partial(self._connection.request, "POST", url))
        return await cancel_once(told, partial(self.poll, remote_id))

    async def find_orphan(
        self, intent: Intent, known_ids: Collection[str], *, handle: str | None = None
    ) -> Orphan:
        """Look at the results of each unknown batch of as many requests for the nonce."""
        unproved: list[str] = []
        async for status in walk_pages(self._page, intent.written_at):
            if status.id in known_ids or status.counts.total != intent.requests:
                continue
            is_ours = await self._is_ours(status, intent)
            if is_ours:
                return Found(status.id)
            if is_ours is None:
                unproved.append(status.id)
        if not unproved:
            return NotFound()
        return Unprovable(
            f"Anthropic keeps no mark of ours on a batch, and {len(unproved)} of {intent.requests} "
            f"requests may be the one that was sent: its results will tell when it has ended.",
            tuple(unproved),
        )

    async def delete_files(self, handles: Iterable[str]) -> None:
        """Do nothing: this API has no files for batches."""

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connection.aclose()

    async def _get(self, path: str) -> Reply:
        return await self._connection.request("GET", self._connection.url(path))

    async def _page(self, cursor: str | None) -> RemotePage:
        async def once() -> RemotePage:
            after = "" if cursor is None else f"&after_id={quote(cursor)}"
            reply = await self._get(f"{_BATCHES}?limit={_PAGE}{after}")
            return replace(decode_page(reply.body), told_at=told_at(reply))

        return await self._retries.run(once)

    async def _is_ours(self, status: RemoteStatus, intent: Intent) -> bool | None:
        """Return whether a batch was sent for the intent; None where it cannot be told."""
        if status.id in self._sent_ids:  # a search is repeated, and goes weeks back
            return carries_nonce(self._sent_ids[status.id], intent.nonce)
        if not status.outputs:
            return None
        url = self._results_at(status.outputs[0], status.id)
        size = _FIRST_BYTES
        while True:
            with await self._retries.run(
                partial(self._connection.download, url, most_bytes=size)
            ) as spool:
                first = next((line for line in spool.lines() if not line.isspace()), b"")
                is_all = spool.size < size
            if first.endswith(b"\n") or is_all:
                sent_id = sent_id_of(first)
                if sent_id is None:
                    return None
                self._sent_ids[status.id] = sent_id
                return carries_nonce(sent_id, intent.nonce)
            size *= 16  # one answer may be long

    def _results_at(self, results_url: str, remote_id: str) -> str:
        """Return the address of results: as given, but only where the key belongs anyway."""
        given, own = urlsplit(results_url), urlsplit(self._connection.endpoint.url)
        if (given.scheme, given.netloc) == (own.scheme, own.netloc):
            return results_url
        # A gateway hands on the provider's address, and has its own key.
        return self._connection.url(f"{_BATCHES}/{quote(remote_id)}/results")
