"""The seam between a strategy and an HTTP library."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...exceptions import ConnectionFailedError, ProviderTimeoutError
from ...strategies.unsent import was_never_sent

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Reply:
    """A whole HTTP answer.

    Attributes:
        status: HTTP status, of any kind: an error status is no failure of the transport.
        headers: the answer's headers.
        body: the whole body, its Content-Encoding undone.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class HTTPTransport(ABC):
    """Sends POST requests over a pool of connections, which is not limited in number.

    The pool opens on first use, and again on first use after `aclose`. Each event loop has its own,
    since a connection serves one loop only; loops may use one transport at the same time.
    """

    @abstractmethod
    async def open(self) -> None:
        """Open the pool now rather than with the first request."""

    @abstractmethod
    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float
    ) -> Reply:
        """Send `body` and return the whole answer. Redirects are not followed.

        Args:
            url: an absolute http or https URL.
            headers: the request's headers; the same object for all requests is fastest.
            body: the request's body.
            timeout_seconds: from the start of the call to the last byte of the answer.

        Raises:
            ConnectionFailedError: if no connection could be made, or it broke before the end.
            ProviderTimeoutError: if the whole answer was not there in time.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Close the pool of the running event loop; its requests in flight fail.

        Pools of loops that are closed go too. Pools of other loops stay: their loops close them.
        """


def connection_failed(url: str, error: Exception) -> ConnectionFailedError:
    """Return the error for a connection to `url` that could not be made, or broke."""
    # Only the kind of error: the text of a library's error may quote URLs with credentials.
    return ConnectionFailedError(
        f"The connection to {host_of(url)} failed ({_root_of(error)}). "
        f"Check the address and the network, or try again.",
        was_sent=not was_never_sent(error),
    )


def timed_out(url: str, timeout_seconds: float) -> ProviderTimeoutError:
    """Return the error for an answer of `url` that was not whole in time."""
    return ProviderTimeoutError(f"No whole answer of {host_of(url)} in {timeout_seconds:g} s.")


def host_of(url: str) -> str:
    """Return "host:port" of a URL, or "host" where it names no port; never its credentials."""
    return urlsplit(url).netloc.rpartition("@")[2]


def _root_of(error: BaseException) -> str:
    """Return the kind of the error at the root of a chain, where the system's reason is."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return f"{type(error).__name__}: {cause.strerror}"
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__
