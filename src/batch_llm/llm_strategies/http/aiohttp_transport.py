"""HTTP by aiohttp, which costs a fraction of the CPU of other clients."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING

from ...exceptions import MissingExtraError
from .loop_pools import LoopPools
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
        self._pools: LoopPools[_Pool] = LoopPools()
        self._failures: tuple[type[Exception], ...] = ()

    async def open(self) -> None:
        """Open the pool."""
        await self._opened()

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float
    ) -> Reply:
        """Send `body` and return the whole answer; see `HTTPTransport.post`."""
        pool = self._pools.get() or await self._opened()
        if url not in pool.proxies:
            pool.proxies[url] = proxy_for(url)
        try:
            async with pool.session.post(
                url,
                # Above this, aiohttp warns of one long write; a file it sends piece by piece.
                data=body if len(body) <= ONE_WRITE_BYTES else BytesIO(body),
                headers=headers,
                allow_redirects=False,
                proxy=pool.proxies[url],
                timeout=_timeout(timeout_seconds),
            ) as response:
                return Reply(response.status, response.headers, await response.read())
        except TimeoutError as error:
            raise timed_out(url, timeout_seconds) from error
        except self._failures as error:
            raise connection_failed(url, error) from error

    async def aclose(self) -> None:
        """Close the pool of the running loop."""
        if (pool := self._pools.take()) is not None:
            await pool.session.close()
        await self._discard_dead()

    async def _opened(self) -> _Pool:
        pool = self._pools.get()
        if pool is None:
            # Kept before the first wait: calls that race open one pool between them.
            pool = self._pools.add(_Pool(self._open()))
            await self._discard_dead()
        return pool

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        self._failures = (aiohttp.ClientError, OSError)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def _discard_dead(self) -> None:
        for pool in self._pools.take_dead():
            # On a closed loop there is nothing to wait for. What cannot be cancelled on it any
            # more, such as the look-up of an address, says that the loop is closed.
            with suppress(RuntimeError):
                await pool.session.close()
            # A session that is left without a connector warns of nothing.
            pool.session.detach()


@dataclass(slots=True)
class _Pool:
    """A session of one event loop, and the proxy for each address.

    aiohttp's own reading of the environment costs a thread for every request.
    """

    session: aiohttp.ClientSession
    proxies: dict[str, str | None] = field(default_factory=dict)


@lru_cache(maxsize=64)
def _timeout(seconds: float) -> aiohttp.ClientTimeout:
    import aiohttp

    return aiohttp.ClientTimeout(total=seconds)
