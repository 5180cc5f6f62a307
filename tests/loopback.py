"""An HTTP server on this machine's loopback whose every answer a test writes out."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping


@dataclass
class Received:
    """A request, as it came over the socket; header names in small letters."""

    path: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Answer:
    """What the server does with one request.

    Sends the head and the first `send_bytes` of the body (None: all), or else `raw` as it is, then
    does what `then` says: "keep" the connection, "close" it in order, "reset" it, "stall" with it
    open, or "trickle" one byte after another.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"
    raw: bytes | None = None
    send_bytes: int | None = None
    then: str = "keep"

    def encoded(self) -> bytes:
        if self.raw is not None:
            return self.raw
        headers = {"Content-Length": str(len(self.body)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} Answer", *(f"{k}: {v}" for k, v in headers.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.body[: self.send_bytes]


class LoopbackServer:
    """Answers with `answers` in turn, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers) or [Answer()]
        self.requests: list[Received] = []
        self.connections = 0
        self._arrivals: asyncio.Queue[None] = asyncio.Queue()
        self.closed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, backlog=512)
        self.port = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def received(self, count: int) -> None:
        """Wait until `count` further requests have come."""
        for _ in range(count):
            await self._arrivals.get()

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._converse(reader, writer, self.connections)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the test is over: not what is tested
        finally:
            self._tasks.discard(task)
            writer.close()
            self.closed.set()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> None:
        while True:
            self.requests.append(await _read(reader, connection))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            writer.write(answer.encoded())
            await writer.drain()
            self._arrivals.put_nowait(None)
            if answer.then == "stall":
                await reader.read()  # until the client hangs up
            while answer.then == "trickle" and not writer.is_closing():
                writer.write(b"x")
                await asyncio.sleep(0.002)
            if answer.then == "reset":
                _reset(writer)
            if answer.then != "keep":
                return


async def _read(reader: asyncio.StreamReader, connection: int) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.split("\r\n")
    headers = dict(_header(line) for line in lines if line)
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(first.split(" ")[1], headers, body, connection)


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.lower(), value.strip()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Have the connection end with a RST instead of a FIN."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@asynccontextmanager
async def loopback(*answers: Answer) -> AsyncIterator[LoopbackServer]:
    """Serve `answers` while the block runs."""
    server = LoopbackServer(*answers)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def unused_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
