"""Gemini's Batch API."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, cast
from urllib.parse import quote

from ..exceptions import (
    ConnectionFailedError,
    InvalidRequestError,
    MalformedAnswerError,
    ProviderError,
)
from ..llm_strategies.endpoint import ProviderAPI, find_endpoint
from ..llm_strategies.gemini.client import KEY_VARIABLES
from ..wire.batch_item import no_private_texts
from ..wire.batch_results import ResultReader
from ..wire.custom_ids import CustomIds
from ..wire.embedding import EmbeddingText
from ..wire.gemini_batch import (
    GEMINI_ENDPOINTS,
    NAME_PREFIX,
    decode_operation,
    decode_page,
    encode_create,
    encode_inline,
    encode_line,
    encode_lines,
    inline_results,
    line_decoder,
)
from ..wire.gemini_errors import error_from_response
from ..wire.http_errors import json_or_none
from ..wire.json_body import encode_body
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
    from ..wire.gemini_batch import GeminiEndpoint
    from ..wire.remote_status import RemotePage, RemoteStatus
    from .chunk import Chunk, Intent
    from .orphan import Orphan
    from .spool import Spool

_API: Final = ProviderAPI(
    provider="Gemini",
    base_url="https://generativelanguage.googleapis.com",
    path="",
    example="http://127.0.0.1:8000",
    base_url_variable="GOOGLE_GEMINI_BASE_URL",
    key_variable="GEMINI_API_KEY",
    key_header="x-goog-api-key",
    key_prefix="",
)
_VERSION: Final = "v1beta"
_ACTIONS: Final[dict[GeminiEndpoint, str]] = {
    "generateContent": "batchGenerateContent",
    "embedContent": "asyncBatchEmbedContent",
}
_PAGE: Final = 100
_PIECE_BYTES: Final = 8 * 1024**2
_FILE_TYPE: Final = "application/jsonl"
INLINE_BYTES: Final = 19 * 1000**2
"""A create brings so many bytes of requests along: Google takes less than 20 MB."""
_BYTES_AROUND_A_LINE: Final = 32


class GeminiBatchClient(BatchClient):
    """Speaks to Gemini's Batch API: inline while the requests are few, and else by a file.

    An orphan is found by the batch's display name.

    Args:
        base_url: where the API is, without a version. By default `GOOGLE_GEMINI_BASE_URL`, else
            Google itself.
        api_key: by default `GOOGLE_API_KEY`, else `GEMINI_API_KEY`, but only for Google itself
            or `GOOGLE_GEMINI_BASE_URL`.
        headers: further headers.
        inline_bytes: chunks of so many bytes, or fewer, go with the create.
        retries: of what may be sent twice.

    Raises:
        MissingKeyError: if Google itself is called and there is no key.
        ConfigurationError: for an address or a header that cannot be used.
    """

    provider: ClassVar[str] = "gemini"
    endpoints: ClassVar[tuple[str, ...]] = GEMINI_ENDPOINTS
    # Google names no number of requests: this one keeps a batch's results at hand.
    limits: ClassVar[ChunkLimits] = ChunkLimits(100_000, 2 * 1000**3)
    gives_partial_results: ClassVar[bool] = False

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        inline_bytes: int = INLINE_BYTES,
        retries: Retries | None = None,
    ) -> None:
        if api_key is None and not base_url:
            api_key = next((key for name in KEY_VARIABLES if (key := os.environ.get(name))), None)
        endpoint = find_endpoint(_API, base_url, api_key, headers or {})
        self.has_usual_address = endpoint.is_usual
        self._connection = Connection(endpoint, error_from_response)
        self._inline_bytes = inline_bytes
        self._retries = retries or Retries()

    def endpoint_for(self, request: LLMRequest | EmbeddingText) -> str:
        """Return "embedContent" for a text, and "generateContent" for a request."""
        return "embedContent" if isinstance(request, EmbeddingText) else "generateContent"

    def custom_ids(self, job_ids: Iterable[str], nonce: str) -> CustomIds:
        """Return the jobs' own ids: Gemini's keys are any text."""
        return CustomIds(job_ids)

    def encode(self, line: BatchRequestLine, custom_ids: CustomIds, endpoint: str) -> bytes:
        """Return a line of an input file."""
        return encode_line(line, custom_ids, self._known(endpoint))

    async def upload(self, chunk: Chunk, intent: Intent) -> str | None:
        """Upload an input file, and return its name; None where the create brings them along."""
        lines = encode_lines(chunk.lines, chunk.custom_ids, self._known(chunk.endpoint))
        with await spooled(lines) as spool:
            inline_bytes = spool.size + _BYTES_AROUND_A_LINE * len(chunk.custom_ids)
            if inline_bytes <= self._inline_bytes:
                return None
            return await self._retries.run(lambda: self._upload(spool, intent))

    async def create(
        self,
        chunk: Chunk,
        handle: str | None,
        intent: Intent,
        may_send: Callable[[], bool] = always,
    ) -> str:
        """Make a batch whose display name holds the nonce."""
        endpoint = self._known(chunk.endpoint)
        model = quote(chunk.model.removeprefix("models/"))
        url = self._url(f"/models/{model}:{_ACTIONS[endpoint]}")
        if handle is not None:
            check_may_send(may_send)
            whole = encode_body(encode_create(handle, intent.nonce))
            return await self._create(url, whole, {})
        pieces = encode_inline(chunk.lines, chunk.custom_ids, endpoint, intent.nonce)
        with await spooled(pieces) as spool:
            check_may_send(may_send)
            length = {"Content-Length": str(spool.size)}
            return await self._create(url, spool.pieces(), length)

    async def poll(self, remote_id: str) -> RemoteStatus:
        """Return how a batch stands."""

        async def once() -> RemoteStatus:
            return decode_operation((await self._get(f"/{quote(remote_id)}")).body)

        return await self._retries.run(once)

    async def collect(
        self,
        status: RemoteStatus,
        custom_ids: CustomIds,
        endpoint: str,
        *,
        private: PrivateTexts = no_private_texts,
    ) -> AsyncIterator[BatchAnswer]:
        """Yield what stands in the results file, or came with the batch."""
        reader = ResultReader(line_decoder(self._known(endpoint), private), custom_ids)
        for output in status.outputs:
            path = f"/{quote(output)}"
            url = self._url(path if output == status.id else f"{path}:download?alt=media")
            with await self._fetched(url, output, status.id) as spool:
                if output != status.id:
                    async for answer in read_results(spool, reader):
                        yield answer
                    continue
                for result in inline_results(spool.whole()):
                    inlined = reader.read(result)
                    if inlined is not None:
                        yield inlined
        reader.check(status.id)

    async def cancel(self, remote_id: str) -> RemoteStatus:
        """Have a batch stop. Google promises no results of a cancelled one."""
        url = self._url(f"/{quote(remote_id)}:cancel")
        told = partial(self._retries.run, partial(self._connection.request, "POST", url))
        return await cancel_once(told, partial(self.poll, remote_id))

    async def find_orphan(
        self, intent: Intent, known_ids: Collection[str], *, handle: str | None = None
    ) -> Orphan:
        """Look through the list for the display name, or for the uploaded file."""
        batches = walk_pages(self._page, intent.written_at)
        return await found_by_name(batches, intent, known_ids, handle)

    async def delete_files(self, handles: Iterable[str]) -> None:
        """Delete files by their names; of inline results, the batch that holds them."""
        for name in handles:
            url = self._url(f"/{quote(name)}")
            try:
                await self._retries.run(partial(self._connection.request, "DELETE", url))
            except ProviderError as error:
                # To Google a file that is not there is one that this key may not see.
                if not is_gone(error) and error.code != "PERMISSION_DENIED":
                    raise

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connection.aclose()

    async def _fetched(self, url: str, output: str, remote_id: str) -> Spool:
        try:
            return await self._retries.run(partial(self._connection.download, url))
        except ProviderError as error:
            if error.code != "PERMISSION_DENIED":
                raise
            # A file that is gone is refused like one of another key. That the batch may be read
            # shows that the key is good.
            await self.poll(remote_id)
            raise InvalidRequestError(
                f"Google keeps files for two days, and {output} is gone, or another key's: {error}",
                status_code=404,
            ) from error

    def _known(self, endpoint: str) -> GeminiEndpoint:
        check_endpoint(self, endpoint)
        return cast("GeminiEndpoint", endpoint)

    def _url(self, path: str) -> str:
        return self._connection.url(f"/{_VERSION}{path}")

    async def _get(self, path: str) -> Reply:
        return await self._connection.request("GET", self._url(path))

    async def _page(self, cursor: str | None) -> RemotePage:
        async def once() -> RemotePage:
            token = "" if cursor is None else f"&pageToken={quote(cursor, safe='')}"
            reply = await self._get(f"/batches?pageSize={_PAGE}{token}")
            return replace(decode_page(reply.body), told_at=told_at(reply))

        return await self._retries.run(once)

    async def _create(
        self, url: str, content: AsyncIterator[bytes] | bytes, headers: Mapping[str, str]
    ) -> str:
        try:
            reply = await self._connection.request("POST", url, content=content, headers=headers)
            return decode_operation(reply.body).id
        except ProviderError as error:
            raise submission_error(error) from error

    # --- the upload ------------------------------------------------------------------------

    async def _upload(self, spool: Spool, intent: Intent) -> str:
        """Upload a file under a name of ours: one whose answer was lost is known by it."""
        name = f"files/{NAME_PREFIX}{intent.nonce}"
        try:
            address = await self._start_upload(name, spool.size)
        except ProviderError as error:
            if error.status_code != 409:
                raise
            return await self._uploaded_before(name, spool.size)
        place = 0
        while True:
            end = min(place + _PIECE_BYTES, spool.size)
            reply = await self._send_piece(spool, address, place, end)
            if end == spool.size:
                return _name_of(reply)
            place = end

    async def _start_upload(self, name: str, size: int) -> str:
        file = {"name": name, "display_name": name, "mime_type": _FILE_TYPE, "size_bytes": size}
        reply = await self._connection.request(
            "POST",
            self._connection.url(f"/upload/{_VERSION}/files"),
            json={"file": file},
            headers={
                "X-Goog-Upload-Protocol": "resumable",
                "X-Goog-Upload-Command": "start",
                "X-Goog-Upload-Header-Content-Length": str(size),
                "X-Goog-Upload-Header-Content-Type": _FILE_TYPE,
            },
        )
        address = reply.headers.get("X-Goog-Upload-URL")
        if not address:
            raise MalformedAnswerError("Google began an upload and named no address for it.")
        return address

    async def _send_piece(self, spool: Spool, address: str, start: int, end: int) -> Reply:
        is_last = end == spool.size
        return await self._connection.request(
            "POST",
            address,
            content=spool.pieces(start, end - start),
            headers={
                "Content-Length": str(end - start),
                "X-Goog-Upload-Command": "upload, finalize" if is_last else "upload",
                "X-Goog-Upload-Offset": str(start),
            },
            # The address stands for the key, and need not be of the same server.
            with_key=False,
        )

    async def _uploaded_before(self, name: str, size: int) -> str:
        """Return the name of a file that is there already, where it is ours and whole."""
        file = json_or_none((await self._get(f"/{quote(name)}")).body)
        told = file.get("sizeBytes") if isinstance(file, dict) else None
        if str(told) != str(size):
            raise ConnectionFailedError(f"Google has a file {name} of another size already.")
        return name


def _name_of(reply: Reply) -> str:
    document = json_or_none(reply.body)
    file = document.get("file") if isinstance(document, dict) else None
    name = file.get("name") if isinstance(file, dict) else None
    if not isinstance(name, str):
        raise MalformedAnswerError("Google's answer to the upload of a file holds no name.")
    return name
