"""HTTP by aiohttp, which costs a fraction of the CPU of other clients."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING

from ...exceptions import MissingExtraError
from .proxies import proxy_for
from .transport import HTTPTransport, Reply, connection_failed, timed_out

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp

ONE_WRITE_BYTES = 2**20


class AiohttpTransport(HTTPTransport):
    """Sends with aiohttp. Proxies are taken from the environment, once for each opened pool.

    Raises:
        MissingExtraError: if aiohttp is not installed.
    """

    def __init__(self) -> None:
        if find_spec("aiohttp") is None:
            raise MissingExtraError("The aiohttp transport", "fast")
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._failures: tuple[type[Exception], ...] = ()
        # aiohttp's own reading of the environment costs a thread for every request.
        self._proxies: dict[str, str | None] = {}

    async def open(self) -> None:
        """Open the pool."""
        self._opened()

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float
    ) -> Reply:
        """Send `body` and return the whole answer; see `HTTPTransport.post`."""
        session = self._opened()
        if url not in self._proxies:
            self._proxies[url] = proxy_for(url)
        try:
            async with session.post(
                url,
                # Above this, aiohttp warns of one long write; a file it sends piece by piece.
                data=body if len(body) <= ONE_WRITE_BYTES else BytesIO(body),
                headers=headers,
                allow_redirects=False,
                proxy=self._proxies[url],
                timeout=_timeout(timeout_seconds),
            ) as response:
                return Reply(response.status, response.headers, await response.read())
        except TimeoutError as error:
            raise timed_out(url, timeout_seconds) from error
        except self._failures as error:
            raise connection_failed(url, error) from error

    async def aclose(self) -> None:
        """Close the pool."""
        session, self._session = self._session, None
        self._proxies.clear()
        if session is not None and self._loop is asyncio.get_running_loop():
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        if self._session is None or self._loop is not loop:
            self._session = self._open()
            self._loop = loop
        return self._session

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        self._failures = (aiohttp.ClientError, OSError)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )


@lru_cache(maxsize=64)
def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    import aiohttp

    return aiohttp.ClientTimeout(total=seconds)
