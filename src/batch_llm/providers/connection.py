"""HTTP to one provider: requests, uploads and downloads, and errors in this package's terms."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Literal, Protocol

from ..exceptions import (
    ConnectionFailedError,
    InvalidRequestError,
    MalformedAnswerError,
    ProviderError,
    SubmissionError,
)
from ..llm_strategies.http.httpx2_transport import open_client
from ..llm_strategies.http.transport import Reply, connection_failed, timed_out
from ..wire.json_body import encode_body
from .spool import Spool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import httpx2

    from ..llm_strategies.endpoint import Endpoint

# Of each step of a request: to connect, to send a piece, to wait for the next one.
_STEP_SECONDS: Final = 60.0
_CONNECT_SECONDS: Final = 15.0
_REASON_BYTES: Final = 64 * 1024
# So a provider says that it did not begin; any other 5xx may come from a gateway before one that
# did.
_OVERLOADED: Final = 529


class RefusalReader(Protocol):
    """Reads the error that an HTTP answer outside 2xx stands for."""

    def __call__(
        self, status: int, headers: Mapping[str, str], body: bytes, *, private: tuple[str, ...]
    ) -> ProviderError:
        """Return the error."""
        ...


class Connection:
    """Sends requests of any method to one provider, each once.

    It opens on first use, and again on first use after `aclose` or on another event loop.

    Args:
        endpoint: where the API is; its `url` is the address that paths are added to.
        refusal: reads the provider's errors.
    """

    def __init__(self, endpoint: Endpoint, refusal: RefusalReader) -> None:
        self.endpoint = endpoint
        self._refusal = refusal
        self._client: httpx2.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def url(self, path: str) -> str:
        """Return the address of `path`, which begins with a slash."""
        return f"{self.endpoint.url}{path}"

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Mapping[str, object] | None = None,
        content: AsyncIterator[bytes] | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        with_key: bool = True,
    ) -> Reply:
        """Send one request, and return the whole 2xx answer.

        Args:
            method: of HTTP.
            url: an absolute address.
            json: a body.
            content: another body; with an iterator, `headers` hold its Content-Length.
            headers: laid over those of every request.
            with_key: False where the address itself says who is calling.

        Raises:
            ProviderError: of the kind that fits. A `ConnectionFailedError` says in `was_sent`
                whether the provider can have seen the request.
        """
        body = encode_body(json) if json is not None else content
        async with self._answer(method, url, body, headers, with_key) as response:
            return Reply(response.status_code, response.headers, await response.aread())

    async def download(self, url: str, *, most_bytes: int | None = None) -> Spool:
        """Return the body of the answer to a GET, or its first `most_bytes` and a few more."""
        spool = Spool()
        try:
            async with self._answer("GET", url, None, None, True) as response:
                async for piece in response.aiter_bytes():
                    spool.write(piece)
                    if most_bytes is not None and spool.size >= most_bytes:
                        break
        # Broad: whatever comes, cancellation included, the file is not left behind.
        except BaseException:
            spool.__exit__(None, None, None)
            raise
        return spool

    async def aclose(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()

    @asynccontextmanager
    async def _answer(
        self,
        method: str,
        url: str,
        content: AsyncIterator[bytes] | bytes | None,
        headers: Mapping[str, str] | None,
        with_key: bool,
    ) -> AsyncIterator[httpx2.Response]:
        client = await self._opened()
        import httpx2

        own = self.endpoint.headers if with_key else {}
        try:
            async with client.stream(
                method,
                url,
                content=content,
                headers={**own, **(headers or {})},
                timeout=httpx2.Timeout(_STEP_SECONDS, connect=_CONNECT_SECONDS),
            ) as response:
                if not 200 <= response.status_code < 300:
                    raise await self._refused(response)
                yield response
        except httpx2.ConnectTimeout as error:
            raise connection_failed(url, error) from error
        except httpx2.TimeoutException as error:
            raise timed_out(url, _STEP_SECONDS) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise connection_failed(url, error) from error

    async def _refused(self, response: httpx2.Response) -> ProviderError:
        body = b""
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > _REASON_BYTES:
                break
        secrets = self.endpoint.secrets
        return self._refusal(response.status_code, response.headers, body, private=secrets)

    async def _opened(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            try:
                made = await asyncio.to_thread(_new_client)
            except OSError as error:  # of certificates that cannot be read
                raise connection_failed(self.endpoint.url, error) from error
            # Another request may have been faster; a client that has sent nothing holds nothing.
            if self._client is None or self._loop is not loop:
                self._client, self._loop = made, loop
        return self._client


def _new_client() -> httpx2.AsyncClient:
    """Return a client; to import httpx2 and to read certificates takes tenths of a second."""
    import httpx2

    return open_client(httpx2.create_ssl_context())


def submission_error(error: ProviderError) -> SubmissionError:
    """Return what a failed create says: whether the provider took the batch all the same.

    Args:
        error: of the create. One of a 2xx answer that cannot be read has no status.
    """
    told = SubmissionError(
        f"The batch could not be created. {error}",
        _acceptance(error),
        status_code=error.status_code,
        code=error.code,
        retry_after=error.retry_after,
        request_id=error.request_id,
    )
    told.__cause__ = error
    return told


def _acceptance(error: ProviderError) -> Literal["refused", "accepted", "unknown"]:
    if isinstance(error, MalformedAnswerError):
        return "accepted"
    if isinstance(error, ConnectionFailedError):
        return "unknown" if error.was_sent else "refused"
    status = error.status_code
    # 408 comes after the request was sent, in part or as a whole; 409 may mean the one before.
    if status is None or status in (408, 409):
        return "unknown"
    return "refused" if 300 <= status < 500 or status == _OVERLOADED else "unknown"


def told_at(reply: Reply) -> float | None:
    """Return when the provider answered, by its own clock, in unix seconds; None if untold."""
    try:
        moment = parsedate_to_datetime(reply.headers.get("Date", ""))
    except ValueError:
        return None
    return moment.timestamp()


def is_gone(error: ProviderError) -> bool:
    """Return whether an error says that there is no such thing (any more)."""
    return isinstance(error, InvalidRequestError) and error.status_code == 404
