"""The socket: HTTP by aiohttp, and all that can happen to an answer on its way."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import zlib
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import parse_qsl, unquote

import httpx2

from ...exceptions import MissingExtraError
from .exchange import Request, Response
from .faults import FaultKind
from .listener import Listener
from .pieces import cut

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiohttp import web

    from .clock import Clock
    from .faults import Fault

# What the extra brings: half of it would fail later, with a poorer message.
_PACKAGES: Final = ("aiohttp", "genai_prices", "python_multipart")
_WINDOW_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_FAREWELL_SECONDS: Final = 0.01  # 0 would be for ever
_SLOW_PIECES: Final = 20
_NOT_JSON: Final = (
    b"upstream connect error or disconnect/reset before headers. reset reason: overflow"
)
_PAGE: Final = b"<html><head><title>Service</title></head><body>One moment please.</body></html>"
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class Behind(Protocol):
    """What stands behind the socket."""

    @property
    def clock(self) -> Clock:
        """Simulated time."""
        ...

    async def answer(self, request: Request) -> Response:
        """Return the response to a request, whose path is the whole path."""
        ...

    def settle(self, response: Response, status: int, whole: bool) -> None:
        """Hear what was sent of a response.

        Args:
            response: what `answer` gave.
            status: that was sent; 0 for none.
            whole: whether all of it left as it was meant.
        """
        ...


class HTTPServer:
    """Listens on one address, and sends what stands behind it.

    Args:
        behind: answers requests.
        host: address to listen on.
        port: 0 takes a free one.

    Raises:
        MissingExtraError: if what the extra `simulator` brings is not installed.
    """

    def __init__(self, behind: Behind, host: str = "127.0.0.1", port: int = 0) -> None:
        if any(find_spec(package) is None for package in _PACKAGES):
            raise MissingExtraError("The simulator", "simulator")
        self._behind = behind
        self._host = host
        self._port = port
        self._web: web.Server | None = None
        self._listener: Listener | None = None

    @property
    def port(self) -> int:
        """The port; 0 before the start, where none was chosen."""
        return self._port if self._listener is None else self._listener.port

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigurationError: if the address cannot be taken.
        """
        from aiohttp import web

        self._web = web.Server(
            self._handle,
            access_log=None,
            keepalive_timeout=3_600,
            auto_decompress=False,  # what cannot be unpacked is refused in the provider's words
        )
        self._listener = Listener(self._web, self._host, self._port)
        await self._listener.start()

    async def aclose(self) -> None:
        """Stop listening, and drop the connections that are open."""
        if self._listener is not None:
            await self._listener.aclose()
        if self._web is not None:
            await self._web.shutdown(timeout=_FAREWELL_SECONDS)

    async def go_down(self, seconds: float, asking: web.BaseRequest) -> None:
        """Be down for simulated seconds: no connection is taken, and none stays but that asking.

        Returns once it is down; nothing happens where it is down already.
        """
        assert self._listener is not None
        await self._listener.go_down(
            lambda: self._behind.clock.sleep(seconds), lambda: self._throw_out_all_but(asking)
        )

    async def end_outage(self) -> None:
        """Listen again at once, where the server is down.

        Raises:
            ConfigurationError: if the address was taken by another program.
        """
        if self._listener is not None:
            await self._listener.end_outage()

    def _throw_out_all_but(self, asking: web.BaseRequest) -> None:
        assert self._web is not None
        for connection in self._web.connections:
            if connection is not asking.protocol:
                connection.force_close()

    # --- one request -----------------------------------------------------------------------

    async def _handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        request = await _read(incoming)
        response = await self._behind.answer(request)
        sending = _Sending(incoming, response, self, self._behind)
        try:
            return await sending.send()
        finally:
            sending.settle(whole=False)


async def _read(incoming: web.BaseRequest) -> Request:
    """Return the whole request; its size has no limit but the memory's."""
    path, _, query = incoming.raw_path.partition("?")
    body, unreadable = await _read_body(incoming)
    return Request(
        incoming.method,
        _clean(unquote(path)),
        _clean_headers(incoming.headers),
        body,
        dict(parse_qsl(_clean(query), keep_blank_values=True)) if query else {},
        origin=f"{incoming.scheme}://{_clean(incoming.host)}",
        unreadable=unreadable,
    )


async def _read_body(incoming: web.BaseRequest) -> tuple[bytes, str | None]:
    """Return the body, unpacked; and why it cannot be read, or None."""
    if not incoming.body_exists:
        return b"", None
    try:
        body = await incoming.content.read()
    except Exception as error:  # aiohttp's own kinds, and a connection that broke: nobody hears
        return b"", f"The body did not arrive whole: {error}"
    encoding = incoming.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding == "identity" or not body:
        return body, None
    window_bits = _WINDOW_BITS.get(encoding)
    if window_bits is None:
        return b"", f"The Content-Encoding {_clean(encoding)!r} is not known."
    try:
        return zlib.decompress(body, window_bits), None
    except zlib.error as error:
        return b"", f"The body is not what its Content-Encoding says: {error}"


def _clean(text: str) -> str:
    """Return text that JSON can hold: bytes that were no UTF-8 are question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _clean_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    if all(value.isascii() for value in headers.values()):
        return headers
    plain = [
        (name, value.encode("ascii", "replace").decode("ascii")) for name, value in headers.items()
    ]
    return httpx2.Headers(plain)


class _Sending:
    """One response on its way."""

    def __init__(
        self, incoming: web.BaseRequest, response: Response, server: HTTPServer, behind: Behind
    ) -> None:
        self._incoming = incoming
        self._response = response
        self._server = server
        self._behind = behind
        self._clock = behind.clock
        self._status = 0
        self._settled = False

    def settle(self, *, whole: bool) -> None:
        """Say what was sent, once: before the last byte leaves, since who reads it asks then."""
        if not self._settled:
            self._settled = True
            self._behind.settle(self._response, self._status, whole)

    async def send(self) -> web.StreamResponse:
        response, fault = self._response, self._response.fault
        if fault is None:
            if response.pieces is not None:
                return await self._stream(response.pieces, response.piece_seconds)
            return self._plain()
        return await self._send_faulty(fault)

    async def _send_faulty(self, fault: Fault) -> web.StreamResponse:
        response, kind = self._response, fault.kind
        if kind is FaultKind.REFUSED:
            await self._server.go_down(fault.seconds, self._incoming)
        if kind is FaultKind.HANG:
            await self._clock.sleep(fault.seconds)
        if kind is FaultKind.SLOW_BODY:
            pieces = response.pieces or _slow_pieces(response.body)
            return await self._stream(
                pieces, fault.seconds / (len(pieces) - 1 or 1), len(response.body)
            )
        if kind is FaultKind.RESET_IN_BODY and response.body:
            await self._send_half()
        if kind is FaultKind.TRUNCATED_JSON:
            return await self._truncated()
        if kind is FaultKind.INVALID_JSON:
            return self._spoiled(_NOT_JSON, response.content_type)
        if kind is FaultKind.WRONG_CONTENT_TYPE:
            return self._spoiled(_PAGE, "text/html")
        return self._reset()

    def _plain(self) -> web.StreamResponse:
        from aiohttp import web

        response = self._response
        self._status = response.status
        transport = self._incoming.transport
        # A client that did not wait hears nothing.
        self.settle(whole=transport is not None and not transport.is_closing())
        return web.Response(
            body=response.body,
            status=response.status,
            headers={**response.headers, "Content-Type": response.content_type},
        )

    def _new_stream(self, length: int | None) -> web.StreamResponse:
        from aiohttp import web

        response = self._response
        stream = web.StreamResponse(
            status=response.status,
            headers={**response.headers, "Content-Type": response.content_type},
        )
        stream.content_length = length
        return stream

    async def _open(self, stream: web.StreamResponse) -> None:
        await stream.prepare(self._incoming)
        self._status = self._response.status

    async def _stream(
        self,
        pieces: Sequence[bytes],
        seconds: float,
        length: int | None = None,
        *,
        whole: bool = True,
    ) -> web.StreamResponse:
        stream = self._new_stream(None if self._response.pieces is not None else length)
        with contextlib.suppress(ConnectionError):  # the client went away: the books say so
            await self._open(stream)
            for number, piece in enumerate(pieces):
                if seconds and number:
                    await self._clock.sleep(seconds)
                self._response.pieces_sent = number + 1
                if number == len(pieces) - 1:
                    self.settle(whole=whole)
                await stream.write(piece)
            await stream.write_eof()
        return stream

    async def _send_half(self) -> None:
        body, pieces = self._response.body, self._response.pieces
        half = pieces[: len(pieces) // 2] if pieces is not None else [body[: len(body) // 2]]
        stream = self._new_stream(None if pieces is not None else len(body))
        with contextlib.suppress(ConnectionError):
            await self._open(stream)
            for number, piece in enumerate(half):
                self._response.pieces_sent = number + 1
                await stream.write(piece)
        # The pieces must leave before the reset, which throws away what waits.
        await asyncio.sleep(0)

    async def _truncated(self) -> web.StreamResponse:
        pieces = self._response.pieces
        if pieces is None:
            body = self._response.body
            return self._spoiled(body[: len(body) // 2], self._response.content_type)
        return await self._stream(pieces[: len(pieces) // 2], 0, whole=False)

    def _spoiled(self, body: bytes, content_type: str) -> web.StreamResponse:
        from aiohttp import web

        # An error stays one, whatever becomes of its body.
        self._status = self._response.status
        self.settle(whole=False)
        headers = {**self._response.headers, "Content-Type": content_type}
        return web.Response(body=body, status=self._status, headers=headers)

    def _reset(self) -> web.StreamResponse:
        """Drop the connection with a reset, not with an orderly end."""
        from aiohttp import web

        transport = self._incoming.transport
        if transport is not None:
            raw = transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()
        return web.Response()


def _slow_pieces(body: bytes) -> list[bytes]:
    return cut(body, max(1, -(-len(body) // _SLOW_PIECES))) or [b""]
