"""The one thing a strategy needs of HTTP, a POST, and the libraries that do it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, TypeAlias

from ...exceptions import ConfigurationError
from .aiohttp_transport import AiohttpTransport
from .httpx2_transport import Httpx2Transport
from .transport import HTTPTransport, Reply

__all__ = [
    "AiohttpTransport",
    "HTTPTransport",
    "Httpx2Transport",
    "Reply",
    "TransportChoice",
    "make_transport",
]

TransportChoice: TypeAlias = Literal["auto", "httpx2", "aiohttp"]
"""Which library sends; "auto" takes aiohttp where it is installed, since it costs far less CPU."""


def make_transport(choice: TransportChoice) -> HTTPTransport:
    """Return a transport of its own connection pool.

    Raises:
        MissingExtraError: for "aiohttp" where it is not installed.
        ConfigurationError: for a choice that is none.
    """
    if choice == "auto":
        choice = "aiohttp" if find_spec("aiohttp") else "httpx2"
    if choice == "aiohttp":
        return AiohttpTransport()
    if choice == "httpx2":
        return Httpx2Transport()
    raise ConfigurationError(
        f"transport is 'auto', 'httpx2', 'aiohttp' or an HTTPTransport, not {choice!r}."
    )
