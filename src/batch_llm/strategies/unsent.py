"""Whether a failed request ever left this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST_CHAIN: Final = 20  # causes can form a ring

# By name, since the libraries are not imported: httpx and httpx2, aiohttp, Python. Each is raised
# while a connection is made, and by nothing that comes later.
_WHILE_CONNECTING: Final = frozenset(
    {
        "ClientConnectorError",
        "ConnectError",
        "ConnectTimeout",
        "ConnectionRefusedError",
        "InvalidURL",
        "PoolTimeout",
        "UnsupportedProtocol",
        "gaierror",
    }
)


def was_never_sent(error: BaseException) -> bool:
    """Return whether an error, of any HTTP library, says that no connection was made.

    Causes are read, contexts are not: what merely came before need not be of the same request.
    """
    return any(
        kind.__name__ in _WHILE_CONNECTING
        for link in causes_of(error)
        for kind in type(link).__mro__
    )


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those it was raised from, the newest first."""
    link: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if link is None:
            return
        yield link
        link = link.__cause__
