"""OpenAI's Batch API, and that of servers which speak it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, cast
from urllib.parse import quote

from ..exceptions import MalformedAnswerError, ProviderError
from ..llm_strategies.endpoint import find_endpoint
from ..llm_strategies.model_habits import takes_temperature
from ..llm_strategies.openai_endpoint import OPENAI_CHAT
from ..wire.batch_item import no_private_texts
from ..wire.batch_results import ResultReader
from ..wire.custom_ids import CustomIds
from ..wire.embedding import EmbeddingText
from ..wire.http_errors import json_or_none
from ..wire.openai_batch import (
    OPENAI_ENDPOINTS,
    decode_batch,
    decode_created,
    decode_page,
    encode_create,
    encode_line,
    encode_lines,
    line_decoder,
)
from ..wire.openai_errors import error_from_response
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
from .connection import Connection, is_gone, submission_error, told_at
from .orphan import found_by_name
from .retries import Retries
from .spool import spooled

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping

    from ..base.request import LLMRequest
    from ..llm_strategies.http.transport import Reply
    from ..wire.batch_item import BatchAnswer, BatchRequestLine, PrivateTexts
    from ..wire.openai_batch import OpenAIEndpoint
    from ..wire.openai_chat import TokenLimitField
    from ..wire.remote_status import RemotePage, RemoteStatus
    from .chunk import Chunk, Intent
    from .orphan import Orphan
    from .spool import Spool

_API: Final = replace(OPENAI_CHAT, path="")
_PAGE: Final = 100


class OpenAIBatchClient(BatchClient):
    """Speaks to OpenAI's Batch API, by files. An orphan is found by the batch's metadata.

    Args:
        base_url: where the API is, such as "http://127.0.0.1:8000/v1". By default
            `OPENAI_BASE_URL`, else OpenAI itself.
        api_key: by default `OPENAI_API_KEY`, but only for OpenAI itself or `OPENAI_BASE_URL`.
        headers: further headers.
        chat_endpoint: where requests to chat models go: "/v1/chat/completions", which every
            server knows, or "/v1/responses".
        token_limit_field: how the server calls the limit of output tokens; by default as
            `OpenAICompatibleStrategy` has it.
        retries: of what may be sent twice.

    Raises:
        MissingKeyError: if OpenAI itself is called and there is no key.
        ConfigurationError: for an address or a header that cannot be used.
    """

    provider: ClassVar[str] = "openai"
    endpoints: ClassVar[tuple[str, ...]] = OPENAI_ENDPOINTS
    limits: ClassVar[ChunkLimits] = ChunkLimits(50_000, 200 * 1000**2)

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        chat_endpoint: OpenAIEndpoint = "/v1/chat/completions",
        token_limit_field: TokenLimitField | None = None,
        retries: Retries | None = None,
    ) -> None:
        check_endpoint(self, chat_endpoint)
        endpoint = find_endpoint(_API, base_url, api_key, headers or {})
        self.has_usual_address = endpoint.is_usual
        self._connection = Connection(endpoint, error_from_response)
        self._chat_endpoint = chat_endpoint
        self.asks_by_responses = chat_endpoint == "/v1/responses"
        self._is_openais = endpoint.is_the_providers
        self._named_limit: TokenLimitField | None = token_limit_field
        self._retries = retries or Retries()

    def endpoint_for(self, request: LLMRequest | EmbeddingText) -> str:
        """Return "/v1/embeddings" for a text, and `chat_endpoint` for a request."""
        return "/v1/embeddings" if isinstance(request, EmbeddingText) else self._chat_endpoint

    def custom_ids(self, job_ids: Iterable[str], nonce: str) -> CustomIds:
        """Return the jobs' own ids: OpenAI takes any text."""
        return CustomIds(job_ids)

    def encode(self, line: BatchRequestLine, custom_ids: CustomIds, endpoint: str) -> bytes:
        """Return a line of the input file."""
        known = self._known(endpoint)
        field = self._token_limit_field(line.model)
        return encode_line(line, custom_ids, known, token_limit_field=field)

    async def upload(self, chunk: Chunk, intent: Intent) -> str:
        """Upload the input file, and return its id."""
        lines = encode_lines(
            chunk.lines,
            chunk.custom_ids,
            self._known(chunk.endpoint),
            token_limit_field=self._token_limit_field(chunk.model),
        )
        with await spooled(lines) as spool:
            return await self._retries.run(lambda: self._upload(spool, intent))

    async def create(
        self,
        chunk: Chunk,
        handle: str | None,
        intent: Intent,
        may_send: Callable[[], bool] = always,
    ) -> str:
        """Make a batch of an uploaded file, with the nonce in its metadata."""
        order = encode_create(handle or "", self._known(chunk.endpoint), intent.nonce)
        check_may_send(may_send)
        try:
            reply = await self._connection.request(
                "POST", self._connection.url("/batches"), json=order
            )
            return decode_created(reply.body)
        except ProviderError as error:
            raise submission_error(error) from error

    async def poll(self, remote_id: str) -> RemoteStatus:
        """Return how a batch stands."""

        async def once() -> RemoteStatus:
            return decode_batch((await self._get(f"/batches/{quote(remote_id)}")).body)

        return await self._retries.run(once)

    async def collect(
        self,
        status: RemoteStatus,
        custom_ids: CustomIds,
        endpoint: str,
        *,
        private: PrivateTexts = no_private_texts,
    ) -> AsyncIterator[BatchAnswer]:
        """Yield what stands in the output file and in the error file."""
        reader = ResultReader(line_decoder(self._known(endpoint), private), custom_ids)
        for file_id in status.outputs:
            url = self._connection.url(f"/files/{quote(file_id)}/content")
            with await self._retries.run(partial(self._connection.download, url)) as spool:
                async for answer in read_results(spool, reader):
                    yield answer
        reader.check(status.id)

    async def cancel(self, remote_id: str) -> RemoteStatus:
        """Have a batch stop; what is done by then is kept."""
        url = self._connection.url(f"/batches/{quote(remote_id)}/cancel")
        told = partial(self._retries.run, partial(self._connection.request, "POST", url))
        return await cancel_once(told, partial(self.poll, remote_id))

    async def find_orphan(
        self, intent: Intent, known_ids: Collection[str], *, handle: str | None = None
    ) -> Orphan:
        """Look through the list for the nonce, or for the uploaded file."""
        batches = walk_pages(self._page, intent.written_at)
        return await found_by_name(batches, intent, known_ids, handle)

    async def delete_files(self, handles: Iterable[str]) -> None:
        """Delete files by their ids."""
        for file_id in handles:
            url = self._connection.url(f"/files/{quote(file_id)}")
            try:
                await self._retries.run(partial(self._connection.request, "DELETE", url))
            except ProviderError as error:
                if not is_gone(error):
                    raise

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connection.aclose()

    def _token_limit_field(self, model: str) -> TokenLimitField:
        if self._named_limit is not None:
            return self._named_limit
        # Other servers may know the older name alone; reasoning models refuse it anywhere.
        if self._is_openais or not takes_temperature(model):
            return "max_completion_tokens"
        return "max_tokens"

    def _known(self, endpoint: str) -> OpenAIEndpoint:
        check_endpoint(self, endpoint)
        return cast("OpenAIEndpoint", endpoint)

    async def _get(self, path: str) -> Reply:
        return await self._connection.request("GET", self._connection.url(path))

    async def _page(self, cursor: str | None) -> RemotePage:
        async def once() -> RemotePage:
            after = "" if cursor is None else f"&after={quote(cursor)}"
            reply = await self._get(f"/batches?limit={_PAGE}{after}")
            return replace(decode_page(reply.body), told_at=told_at(reply))

        return await self._retries.run(once)

    async def _upload(self, spool: Spool, intent: Intent) -> str:
        head, tail, boundary = _form_around_file(intent.nonce)

        async def form() -> AsyncIterator[bytes]:
            yield head
            async for piece in spool.pieces():
                yield piece
            yield tail

        reply = await self._connection.request(
            "POST",
            self._connection.url("/files"),
            content=form(),
            headers={
                "Content-Type": f"multipart/form-data; boundary={boundary}",
                "Content-Length": str(len(head) + spool.size + len(tail)),
            },
        )
        file = json_or_none(reply.body)
        file_id = file.get("id") if isinstance(file, dict) else None
        if not isinstance(file_id, str):
            raise MalformedAnswerError("The answer to the upload of a file holds no id.")
        return file_id


def _form_around_file(nonce: str) -> tuple[bytes, bytes, str]:
    """Return what stands before and behind the file in the form, and the form's boundary."""
    # Lines of JSON begin with a brace: none of them can be the boundary.
    boundary = f"batch-llm-{nonce}"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
        f'filename="{boundary}.jsonl"\r\nContent-Type: application/jsonl\r\n\r\n'
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode(), boundary
