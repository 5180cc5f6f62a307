"""The address that the simulator listens on, and outages in which it does not."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING, Final

from ...exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

logger = logging.getLogger("batch_llm.simulator")

_BACKLOG: Final = 4_096
_TURNS_TO_MEET: Final = 10  # of the event loop; a connection is met in three
_SECONDS_TO_TRY_AGAIN: Final = 0.05


class Listener:
    """Takes connections on one address.

    Args:
        meet: makes the protocol of a new connection.
        host: address to listen on.
        port: 0 takes a free one.

    Attributes:
        port: the one that was taken.
    """

    def __init__(self, meet: Callable[[], asyncio.Protocol], host: str, port: int) -> None:
        self._meet = meet
        self._host = host
        self.port = port
        self._server: asyncio.Server | None = None
        self._outage: asyncio.Task[None] | None = None
        # Going down takes some turns of the loop, in which nobody may listen or go down too.
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigurationError: if the address cannot be taken.
        """
        async with self._changing:
            await self._listen()

    async def aclose(self) -> None:
        """Take no more connections."""
        async with self._changing:
            await self._forget_outage()
            if self._server is not None:
                self._server.close()
                self._server = None

    async def go_down(
        self, sleep: Callable[[], Awaitable[None]], throw_out: Callable[[], None]
    ) -> None:
        """Take no connections for a while. Nothing happens where it is down already.

        Args:
            sleep: lasts as long as the outage.
            throw_out: ends the connections that there are, once no others come.
        """
        async with self._changing:
            if self._server is None:
                return
            placeholder = await self._close()
            throw_out()
            self._outage = asyncio.get_running_loop().create_task(self._return(sleep, placeholder))

    async def end_outage(self) -> None:
        """Listen again at once, where it is down.

        Raises:
            ConfigurationError: if the address was taken by another program.
        """
        async with self._changing:
            await self._forget_outage()
            if self._server is None:
                await self._listen()

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                self._meet, self._host, self.port, backlog=_BACKLOG, reuse_address=True
            )
        except OSError as error:
            raise ConfigurationError(
                f"Cannot listen on {self._host}:{self.port}: {error.strerror or error}. "
                f"Choose another port or host; port 0 takes a free one."
            ) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> socket.socket:
        """Stop listening; return a socket that keeps the port from being given to others."""
        server, self._server = self._server, None
        assert server is not None
        loop = asyncio.get_running_loop()
        # A server that is closed forgets those whom it has accepted, and not yet met: it first
        # accepts nobody more, and meets them.
        for listening in server.sockets:
            loop.remove_reader(listening.fileno())
        for _ in range(_TURNS_TO_MEET):
            await asyncio.sleep(0)
        placeholder = socket.socket(server.sockets[0].family)
        placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.close()
        placeholder.bind((self._host, self.port))
        return placeholder

    async def _forget_outage(self) -> None:
        if self._outage is not None:
            self._outage.cancel()
            await asyncio.wait((self._outage,))
            self._outage = None

    async def _return(
        self, sleep: Callable[[], Awaitable[None]], placeholder: socket.socket
    ) -> None:
        with placeholder:
            await sleep()
        is_said = False
        while self._server is None:
            try:
                await self.start()
            except ConfigurationError as error:  # another program has taken the port: it may go
                if not is_said:
                    logger.warning("The outage is over, but: %s", error)
                is_said = True
                await asyncio.sleep(_SECONDS_TO_TRY_AGAIN)
