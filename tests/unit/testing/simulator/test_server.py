"""What happens to an answer on its way, seen from a bare socket."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from batch_llm.exceptions import ConfigurationError
from batch_llm.testing.simulator import Fault, FaultKind
from batch_llm.testing.simulator.clock import Clock
from batch_llm.testing.simulator.exchange import (
    Request,
    Response,
    event,
    json_response,
    stream_response,
)
from batch_llm.testing.simulator.server import HTTPServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BODY = {"text": "x" * 200}
PIECES = [event({"piece": number}) for number in range(10)]


class Behind:
    """Answers all requests with one response, and hears what was sent of it."""

    def __init__(self, response: Response) -> None:
        self.clock = Clock(1_000)
        self.response = response
        self.requests: list[Request] = []
        self.settled: list[tuple[int, bool]] = []
        self.heard = asyncio.Event()

    async def answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self.response

    def settle(self, response: Response, status: int, whole: bool) -> None:
        assert response is self.response
        self.settled.append((status, whole))
        self.heard.set()


@asynccontextmanager
async def served(response: Response) -> AsyncIterator[tuple[Behind, HTTPServer]]:
    behind = Behind(response)
    server = HTTPServer(behind)
    await server.start()
    try:
        yield behind, server
    finally:
        await server.aclose()


async def _ask(server: HTTPServer, head: str = "GET /a HTTP/1.1", body: bytes = b"") -> bytes:
    """Send one request, and return all that comes until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        lines = f"{head}\r\nHost: sim:1\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(lines.encode() + body)
        received = b""
        while data := await reader.read(65_536):
            received += data
        return received
    finally:
        writer.close()


def _split(received: bytes) -> tuple[str, bytes]:
    head, _, body = received.partition(b"\r\n\r\n")
    return head.decode().lower(), body


async def test_a_request_arrives_whole() -> None:
    async with served(json_response({})) as (behind, server):
        await _ask(server, "POST /a%20b/c?limit=2&after=x%26y&empty= HTTP/1.1", b"\x00body")
        request = behind.requests[0]
        assert (request.method, request.path, request.body) == ("POST", "/a b/c", b"\x00body")
        assert request.query == {"limit": "2", "after": "x&y", "empty": ""}
        assert request.headers["host"] == request.headers["HOST"] == "sim:1"
        assert request.origin == "http://sim:1"


async def test_bytes_that_are_no_text_are_question_marks() -> None:
    async with served(json_response({})) as (behind, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = b"GET /a%FF?b=%FF HTTP/1.1\r\nHost: sim\r\n"
        head += b"Authorization: Bearer \xff\r\nX: \xc3\xa9\r\n\r\n"
        writer.write(head)
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        request = behind.requests[0]
        assert (request.headers["authorization"], request.headers["x"]) == ("Bearer ?", "?")
        texts = [request.path, *request.query.values()]
        assert all(text.encode() for text in texts), "JSON can hold them"


async def test_a_body_of_many_megabytes_arrives_whole() -> None:
    body = bytes(range(256)) * 40_000
    async with served(json_response({})) as (behind, server):
        await _ask(server, "POST /a HTTP/1.1", body)
        assert behind.requests[0].body == body


async def test_an_answer_goes_out_as_it_is() -> None:
    response = json_response(BODY, status=418, headers={"X-Mine": "1"})
    async with served(response) as (behind, server):
        head, body = _split(await _ask(server))
        assert head.startswith("http/1.1 418")
        assert "x-mine: 1" in head
        assert "content-type: application/json" in head
        assert body == response.body
        assert behind.settled == [(418, True)]


async def test_a_stream_goes_out_in_pieces() -> None:
    async with served(stream_response(PIECES)) as (behind, server):
        head, body = _split(await _ask(server))
        assert "transfer-encoding: chunked" in head
        assert "content-type: text/event-stream" in head
        for piece in PIECES:
            assert f"{len(piece):x}".encode() + b"\r\n" + piece + b"\r\n" in body
        assert behind.settled == [(200, True)]


@pytest.mark.parametrize("kind", [FaultKind.RESET_BEFORE, FaultKind.DROPPED, FaultKind.HANG])
async def test_a_reset_comes_before_any_answer(kind: FaultKind) -> None:
    response = json_response(BODY)
    response.fault = Fault(kind=kind, seconds=1)
    async with served(response) as (behind, server):
        with pytest.raises(ConnectionResetError):
            await _ask(server)
        assert behind.settled == [(0, False)]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_reset_in_the_middle_of_the_body(streamed: bool) -> None:
    response = stream_response(PIECES) if streamed else json_response(BODY)
    response.fault = Fault(kind=FaultKind.RESET_IN_BODY)
    async with served(response) as (behind, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        received = b""
        with pytest.raises(ConnectionResetError):
            writer.write(b"GET /a HTTP/1.1\r\nHost: sim\r\n\r\n")
            while True:
                data = await reader.read(65_536)
                assert data, "an orderly end is no reset"
                received += data
        writer.close()
        await behind.heard.wait()
        assert behind.settled == [(200, False)]
        # What was sent may be lost with the connection; never is all of it there.
        assert response.body[-20:] not in received


async def test_a_slow_body_comes_whole_and_takes_its_time() -> None:
    response = json_response(BODY)
    response.fault = Fault(kind=FaultKind.SLOW_BODY, seconds=60)
    async with served(response) as (behind, server):
        start = behind.clock.now()
        _, body = _split(await _ask(server))
        assert body == response.body
        assert behind.clock.now() - start >= 60
        assert behind.settled == [(200, True)]


async def test_a_truncated_answer_ends_in_order() -> None:
    response = json_response(BODY)
    response.fault = Fault(kind=FaultKind.TRUNCATED_JSON)
    async with served(response) as (behind, server):
        head, body = _split(await _ask(server))
        assert head.startswith("http/1.1 200")
        assert body == response.body[: len(response.body) // 2]
        assert f"content-length: {len(body)}" in head
        assert behind.settled == [(200, False)]


async def test_a_truncated_stream_ends_in_order() -> None:
    response = stream_response(PIECES)
    response.fault = Fault(kind=FaultKind.TRUNCATED_JSON)
    async with served(response) as (behind, server):
        _, body = _split(await _ask(server))
        assert PIECES[4] in body
        assert PIECES[5] not in body
        assert body.endswith(b"0\r\n\r\n")
        assert behind.settled == [(200, False)]


@pytest.mark.parametrize(
    ("kind", "content_type", "start"),
    [
        (FaultKind.INVALID_JSON, "application/json", b"upstream"),
        (FaultKind.WRONG_CONTENT_TYPE, "text/html", b"<html>"),
    ],
)
async def test_a_body_that_is_no_answer(kind: FaultKind, content_type: str, start: bytes) -> None:
    response = json_response(BODY)
    response.fault = Fault(kind=kind)
    async with served(response) as (behind, server):
        head, body = _split(await _ask(server))
        assert head.startswith("http/1.1 200")
        assert f"content-type: {content_type}" in head
        assert body.startswith(start)
        assert behind.settled == [(200, False)]


async def test_refused_connections_for_a_while() -> None:
    response = json_response(BODY)
    async with served(response) as (_, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /a HTTP/1.1\r\nHost: sim\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        response.fault = Fault(kind=FaultKind.REFUSED, seconds=100)
        with pytest.raises(ConnectionResetError):
            await _ask(server)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)
        await reader.read()  # it ends: who was connected is thrown out too
        writer.close()
        response.fault = None
        assert (await _ask_when_back(server)).startswith(b"HTTP/1.1 200")


async def test_nobody_is_forgotten_when_it_goes_down() -> None:
    plain, down = json_response(BODY), json_response(BODY)
    down.fault = Fault(kind=FaultKind.REFUSED, seconds=1)

    class Mixed(Behind):
        async def answer(self, request: Request) -> Response:
            return down if request.path == "/down" else plain

        def settle(self, response: Response, status: int, whole: bool) -> None:
            return

    server = HTTPServer(Mixed(plain))
    await server.start()
    try:
        for _ in range(15):
            paths = ["/a"] * 10 + ["/down"] + ["/a"] * 10
            asked = (_ask(server, f"GET {path} HTTP/1.1") for path in paths)
            async with asyncio.timeout(20):  # whoever is forgotten waits for ever
                ends = await asyncio.gather(*asked, return_exceptions=True)
            assert all(isinstance(end, (bytes, ConnectionError)) for end in ends)
            await server.end_outage()
    finally:
        await server.aclose()


async def test_an_outage_passes_with_the_clock_and_can_be_ended() -> None:
    response = json_response(BODY)
    response.fault = Fault(kind=FaultKind.REFUSED, seconds=1e9)
    async with served(response) as (behind, server):
        for end in (lambda: behind.clock.advance(1e9), None):
            response.fault = Fault(kind=FaultKind.REFUSED, seconds=1e9)
            with pytest.raises(ConnectionResetError):
                await _ask(server)
            with pytest.raises(ConnectionRefusedError):
                await _ask(server)
            response.fault = None
            if end is None:
                await server.end_outage()
                assert (await _ask(server)).startswith(b"HTTP/1.1 200")
            else:
                end()
                assert (await _ask_when_back(server)).startswith(b"HTTP/1.1 200")


async def test_it_comes_back_though_its_port_was_taken_meanwhile() -> None:
    response = json_response(BODY)
    response.fault = Fault(kind=FaultKind.REFUSED, seconds=1e9)
    async with served(response) as (behind, server):
        with pytest.raises(ConnectionResetError):
            await _ask(server)
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", server.port))
            other.listen()
            behind.clock.advance(1e9)
            await asyncio.sleep(0.1)  # it tries, in vain
            with pytest.raises(ConfigurationError, match="Cannot listen"):
                await server.end_outage()
        response.fault = None
        await server.end_outage()
        assert (await _ask(server)).startswith(b"HTTP/1.1 200")


async def test_an_outage_that_ends_while_it_begins() -> None:
    response = json_response(BODY)
    async with served(response) as (_, server):
        for _ in range(30):
            response.fault = Fault(kind=FaultKind.REFUSED, seconds=1e9)
            asking = asyncio.gather(*(_ask(server) for _ in range(3)), return_exceptions=True)
            for _ in range(20):
                await asyncio.sleep(0)
                await server.end_outage()
            await asking
            response.fault = None
            await server.end_outage()
            assert (await _ask(server)).startswith(b"HTTP/1.1 200")


async def _ask_when_back(server: HTTPServer) -> bytes:
    while True:
        try:
            return await _ask(server)
        except ConnectionRefusedError:
            await asyncio.sleep(0.01)


async def test_a_client_that_did_not_wait_hears_nothing() -> None:
    class Slow(Behind):
        async def answer(self, request: Request) -> Response:
            self.asked.set()
            await self.left.wait()
            return self.response

    behind = Slow(json_response(BODY))
    behind.asked, behind.left = asyncio.Event(), asyncio.Event()  # type: ignore[attr-defined]
    server = HTTPServer(behind)
    await server.start()
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /a HTTP/1.1\r\nHost: sim\r\n\r\n")
        await behind.asked.wait()  # type: ignore[attr-defined]
        writer.transport.abort()
        while any(connection.transport for connection in server._web.connections):  # type: ignore[union-attr]
            await asyncio.sleep(0.001)
        behind.left.set()  # type: ignore[attr-defined]
        await behind.heard.wait()
        assert behind.settled == [(200, False)]
    finally:
        await server.aclose()


async def test_a_client_that_leaves_does_not_end_the_work() -> None:
    response = stream_response(PIECES * 100)
    response.piece_seconds = 1.0
    async with served(response) as (behind, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /a HTTP/1.1\r\nHost: sim\r\n\r\n")
        await reader.read(10)
        writer.transport.abort()
        await behind.heard.wait()
        assert behind.settled == [(200, False)]


async def test_a_port_that_is_taken_is_said() -> None:
    async with served(json_response({})) as (behind, server):
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{server.port}.*another port"):
            await HTTPServer(behind, port=server.port).start()
