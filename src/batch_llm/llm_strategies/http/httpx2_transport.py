"""HTTP by httpx2, which is always installed."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...exceptions import ConfigurationError
from .loop_pools import LoopPools
from .transport import HTTPTransport, Reply, connection_failed, timed_out

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

    import httpx2

# httpx2 walks through all connections of a client for every request: measured, 1,000 at once
# cost 7 ms of CPU each through one client, and 1 ms through many small ones.
REQUESTS_PER_CLIENT = 16


class Httpx2Transport(HTTPTransport):
    """Sends with httpx2. Proxies and certificates are taken from the environment."""

    def __init__(self) -> None:
        self._pools: LoopPools[_Pool] = LoopPools()
        self._failures: tuple[type[Exception], ...] = ()

    async def open(self) -> None:
        """Open the pool."""
        self._opened()

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float
    ) -> Reply:
        """Send `body` and return the whole answer; see `HTTPTransport.post`."""
        pool = self._pools.get() or self._opened()
        try:
            # httpx2 bounds each step by itself: a body that trickles in would never end.
            with pool.lease() as client:
                async with asyncio.timeout(timeout_seconds):
                    response = await client.post(url, content=body, headers=headers)
        except TimeoutError as error:
            raise timed_out(url, timeout_seconds) from error
        except self._failures as error:
            raise connection_failed(url, error) from error
        return Reply(response.status_code, response.headers, response.content)

    async def aclose(self) -> None:
        """Close the pool of the running loop."""
        if (pool := self._pools.take()) is not None:
            await pool.aclose()
        self._pools.take_dead()

    def _opened(self) -> _Pool:
        pool = self._pools.get()
        if pool is None:
            import httpx2

            self._failures = (httpx2.HTTPError, OSError)
            pool = self._pools.add(_Pool(httpx2.create_ssl_context()))
            # Nothing can be awaited on a closed loop: its sockets close as its pool is forgotten.
            self._pools.take_dead()
        return pool


@dataclass(slots=True)
class _Lane:
    """A client, and how many requests it has in flight."""

    client: httpx2.AsyncClient
    in_flight: int = 0


class _Pool:
    """As many clients as the requests in flight need, of one event loop."""

    def __init__(self, certificates: ssl.SSLContext) -> None:
        self._certificates = certificates
        self._lanes: list[_Lane] = []
        self._free: list[_Lane] = []

    @contextmanager
    def lease(self) -> Iterator[httpx2.AsyncClient]:
        """Lend a client for one request."""
        lane = self._free[-1] if self._free else self._add_lane()
        lane.in_flight += 1
        if lane.in_flight == REQUESTS_PER_CLIENT:
            self._free.pop()
        try:
            yield lane.client
        finally:
            if lane.in_flight == REQUESTS_PER_CLIENT:
                self._free.append(lane)
            lane.in_flight -= 1

    async def aclose(self) -> None:
        """Close all clients."""
        for lane in self._lanes:
            await lane.client.aclose()

    def _add_lane(self) -> _Lane:
        lane = _Lane(open_client(self._certificates))
        self._lanes.append(lane)
        self._free.append(lane)
        return lane


def open_client(certificates: ssl.SSLContext) -> httpx2.AsyncClient:
    """Return a client that keeps no cookies, and waits as long as its caller does.

    Raises:
        ConfigurationError: for a proxy in the environment that cannot be used.
    """
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    import httpx2

    try:
        return httpx2.AsyncClient(
            verify=certificates,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # sent by no request
            timeout=None,  # bounded as a whole in `Httpx2Transport.post`
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
        )
    except (ImportError, ValueError, httpx2.InvalidURL) as error:
        raise ConfigurationError(
            "The proxy named in the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY) cannot be "
            "used by httpx2. It takes http:// and https://, and socks5:// where the package "
            "socksio is installed."
        ) from error
