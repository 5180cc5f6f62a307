"""What every HTTP transport must do, on real sockets."""

from __future__ import annotations

import asyncio
import gc
import gzip
import warnings
import zlib
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from tests.loopback import Answer, loopback, unused_port

from batch_llm.exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    MissingExtraError,
    ProviderTimeoutError,
)
from batch_llm.llm_strategies import http
from batch_llm.llm_strategies.http import (
    AiohttpTransport,
    HTTPTransport,
    Httpx2Transport,
    aiohttp_transport,
    make_transport,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

HEADERS = {"Authorization": "Bearer key-of-the-test", "Content-Type": "application/json"}
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(params=[AiohttpTransport, Httpx2Transport])
def kind(request: pytest.FixtureRequest) -> type[HTTPTransport]:
    found: type[HTTPTransport] = request.param
    return found


@pytest.fixture
async def transport(kind: type[HTTPTransport]) -> AsyncIterator[HTTPTransport]:
    transport = kind()
    yield transport
    await transport.aclose()


async def test_sends_what_it_was_given_and_returns_the_answer(transport: HTTPTransport) -> None:
    answer = Answer(404, {"X-Request-ID": "r1", "Retry-After": "3"}, b"not found")
    async with loopback(answer) as server:
        reply = await transport.post(f"{server.url}/v1/x?y=1", HEADERS, b'{"a": 1}', 5)
    (received,) = server.requests
    assert received.path == "/v1/x?y=1"
    assert received.body == b'{"a": 1}'
    assert received.headers["authorization"] == "Bearer key-of-the-test"
    assert received.headers["content-type"] == "application/json"
    assert (reply.status, reply.body) == (404, b"not found")
    headers = {name.lower(): value for name, value in reply.headers.items()}
    assert (headers["x-request-id"], headers["retry-after"]) == ("r1", "3")


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
async def test_undoes_the_content_encoding(
    transport: HTTPTransport, encoding: str, compress: Callable[[bytes], bytes]
) -> None:
    answer = Answer(headers={"Content-Encoding": encoding}, body=compress(b'{"text": "hi"}'))
    async with loopback(answer) as server:
        reply = await transport.post(server.url, HEADERS, b"{}", 5)
    assert reply.body == b'{"text": "hi"}'


async def test_a_large_body_goes_and_comes_whole(transport: HTTPTransport) -> None:
    body = b"0123456789abcdef" * 200_000
    async with loopback(Answer(body=body)) as server:
        reply = await transport.post(server.url, HEADERS, body, 30)
    (received,) = server.requests
    assert received.body == body
    assert received.headers["content-length"] == str(len(body))
    assert received.headers["content-type"] == "application/json"
    assert reply.body == body


async def test_a_broken_encoding_is_a_failed_connection(transport: HTTPTransport) -> None:
    answer = Answer(headers={"Content-Encoding": "gzip"}, body=b"this is no gzip")
    async with loopback(answer) as server:
        with pytest.raises(ConnectionFailedError):
            await transport.post(server.url, HEADERS, b"{}", 5)


async def test_any_content_type_is_returned_as_it_is(transport: HTTPTransport) -> None:
    answer = Answer(headers={"Content-Type": "text/html; charset=wrong"}, body=b"<p>\xff</p>")
    async with loopback(answer) as server:
        reply = await transport.post(server.url, HEADERS, b"{}", 5)
    assert reply.body == b"<p>\xff</p>"


async def test_keeps_the_connection_for_the_next_request(transport: HTTPTransport) -> None:
    async with loopback() as server:
        for _ in range(3):
            await transport.post(server.url, HEADERS, b"{}", 5)
    assert server.connections == 1


async def test_many_requests_at_once_each_have_a_connection(transport: HTTPTransport) -> None:
    async with loopback(Answer(then="stall", raw=b"")) as server:
        tasks = [
            asyncio.create_task(transport.post(server.url, HEADERS, b"{}", 5)) for _ in range(150)
        ]
        await server.received(len(tasks))
        assert server.connections == len(tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_connection_the_server_closed_is_replaced(transport: HTTPTransport) -> None:
    async with loopback(Answer(then="close"), Answer(body=b"second")) as server:
        await transport.post(server.url, HEADERS, b"{}", 5)
        await server.closed.wait()
        try:
            reply = await transport.post(server.url, HEADERS, b"{}", 5)
        except ConnectionFailedError:  # the news of the end may come late: one retry, no more
            reply = await transport.post(server.url, HEADERS, b"{}", 5)
    assert reply.body == b"second"


async def test_no_server_is_a_failed_connection(transport: HTTPTransport) -> None:
    port = unused_port()
    with pytest.raises(ConnectionFailedError, match=f"127.0.0.1:{port}") as raised:
        await transport.post(f"http://127.0.0.1:{port}/v1", HEADERS, b"{}", 5)
    assert raised.value.__cause__ is not None
    assert not raised.value.was_sent


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize(
    "start",
    [{"raw": b""}, {"body": b"x" * 100, "send_bytes": 10}],
    ids=["before the answer", "in the middle of the body"],
)
async def test_a_connection_that_breaks(
    transport: HTTPTransport, start: dict[str, Any], then: str
) -> None:
    async with loopback(Answer(**start, then=then)) as server:
        with pytest.raises(ConnectionFailedError) as raised:
            await transport.post(server.url, HEADERS, b"{}", 5)
    assert "key-of-the-test" not in str(raised.value)
    assert len(server.requests) == 1, "a POST that may have been billed is not sent again"
    assert raised.value.was_sent


async def test_an_answer_that_is_no_http(transport: HTTPTransport) -> None:
    async with loopback(Answer(raw=b"SSH-2.0-OpenSSH_9.6\r\n\r\n", then="close")) as server:
        with pytest.raises(ConnectionFailedError):
            await transport.post(server.url, HEADERS, b"{}", 5)


@pytest.mark.parametrize(
    "answer",
    [Answer(raw=b"", then="stall"), Answer(body=b"x" * 100, send_bytes=10, then="stall")],
    ids=["before the answer", "in the middle of the body"],
)
async def test_a_slow_answer_is_a_timeout(transport: HTTPTransport, answer: Answer) -> None:
    async with loopback(answer) as server:
        with pytest.raises(ProviderTimeoutError, match=r"0\.05 s"):
            await transport.post(server.url, HEADERS, b"{}", 0.05)


async def test_a_body_that_trickles_in_is_a_timeout(transport: HTTPTransport) -> None:
    endless = Answer(headers={"Content-Length": "1000000"}, body=b"", then="trickle")
    async with loopback(endless) as server:
        with pytest.raises(ProviderTimeoutError):
            await transport.post(server.url, HEADERS, b"{}", 0.05)


async def test_a_cancelled_request_leaves_nothing_behind(kind: type[HTTPTransport]) -> None:
    before = asyncio.all_tasks()
    transport = kind()
    async with loopback(Answer(raw=b"", then="stall")) as server:
        task = asyncio.create_task(transport.post(server.url, HEADERS, b"{}", 60))
        await server.received(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.closed.wait()  # the client hung up: the provider stops working for nobody
        await transport.aclose()
    assert asyncio.all_tasks() == before
    del transport, task
    gc.collect()  # an unclosed session or socket warns here, and warnings are errors


async def test_a_timeout_around_the_call_is_the_callers(transport: HTTPTransport) -> None:
    async with loopback(Answer(raw=b"", then="stall")) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await transport.post(server.url, HEADERS, b"{}", 60)


async def test_redirects_are_not_followed(transport: HTTPTransport) -> None:
    async with loopback(Answer(307, {"Location": "/elsewhere"})) as server:
        reply = await transport.post(server.url, HEADERS, b"{}", 5)
    assert reply.status == 307
    assert len(server.requests) == 1


async def test_cookies_are_not_kept(transport: HTTPTransport) -> None:
    async with loopback(Answer(headers={"Set-Cookie": "tracked=yes; Path=/"})) as server:
        await transport.post(server.url, HEADERS, b"{}", 5)
        await transport.post(server.url, HEADERS, b"{}", 5)
    assert "cookie" not in server.requests[1].headers


async def test_opens_again_after_it_was_closed(transport: HTTPTransport) -> None:
    async with loopback() as server:
        await transport.open()
        await transport.post(server.url, HEADERS, b"{}", 5)
        await transport.aclose()
        await transport.aclose()
        await transport.open()
        await transport.post(server.url, HEADERS, b"{}", 5)
        await transport.aclose()
    assert server.connections == 2


def test_works_on_one_event_loop_after_another(kind: type[HTTPTransport]) -> None:
    transport = kind()

    async def run() -> int:
        async with loopback() as server:
            status = (await transport.post(server.url, HEADERS, b"{}", 5)).status
            await transport.aclose()
            return status

    assert [asyncio.run(run()), asyncio.run(run())] == [200, 200]


def test_loops_side_by_side_have_a_pool_each(kind: type[HTTPTransport]) -> None:
    transport = kind()

    class Loop:
        def __init__(self) -> None:
            self.runner = asyncio.Runner()
            self.stack = AsyncExitStack()
            self.server = self.runner.run(self.stack.enter_async_context(loopback()))

        def post(self) -> int:
            return self.runner.run(transport.post(self.server.url, HEADERS, b"{}", 5)).status

        def close(self) -> None:
            self.runner.run(transport.aclose())

    here, there = Loop(), Loop()
    assert [here.post(), there.post(), here.post()] == [200] * 3
    here.close()
    assert there.post() == 200
    assert (here.server.connections, there.server.connections) == (1, 1), "none is opened anew"
    assert here.post() == 200
    for loop in (here, there):
        loop.close()
        loop.runner.run(loop.stack.aclose())
        loop.runner.close()


# The interpreter says of the socket that no one closed it, whatever a library does.
@pytest.mark.filterwarnings("ignore:unclosed (transport|<socket):ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_pool_of_a_dead_event_loop_is_not_used_and_let_go(
    kind: type[HTTPTransport], caplog: pytest.LogCaptureFixture
) -> None:
    transport = kind()

    async def run(transport: HTTPTransport, *, close: bool) -> int:
        async with loopback() as server:
            status = (await transport.post(server.url, HEADERS, b"{}", 5)).status
            if close:
                await transport.aclose()
            return status

    assert asyncio.run(run(transport, close=False)) == 200
    assert asyncio.run(run(transport, close=False)) == 200
    assert asyncio.run(run(transport, close=True)) == 200
    with warnings.catch_warnings(action="ignore"):
        del transport
        gc.collect()
    assert not [record for record in caplog.records if "Unclosed" in record.getMessage()]


async def test_proxies_of_the_environment_are_used(
    kind: type[HTTPTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with loopback() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//user:pass@"))
        transport = kind()
        await transport.post("http://models.example/v1", HEADERS, b"{}", 5)
        await transport.aclose()
    (received,) = proxy.requests
    assert received.path == "http://models.example/v1"
    assert received.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"
    assert received.headers["authorization"] == "Bearer key-of-the-test"


async def test_no_proxy_is_honoured(
    kind: type[HTTPTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with loopback() as proxy, loopback() as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        transport = kind()
        await transport.post(server.url, HEADERS, b"{}", 5)
        await transport.aclose()
    assert len(server.requests) == 1
    assert not proxy.requests


async def test_a_proxy_that_cannot_be_used_is_refused(
    kind: type[HTTPTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "gopher://user:pass@proxy.example:70")
    transport = kind()
    with pytest.raises(ConfigurationError) as raised:
        await transport.post("http://models.example/v1", HEADERS, b"{}", 5)
    assert "pass" not in str(raised.value).replace("bypass", "")
    await transport.aclose()


def test_auto_takes_aiohttp_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_transport("auto"), AiohttpTransport)
    with _without_aiohttp(monkeypatch):
        assert isinstance(make_transport("auto"), Httpx2Transport)
        with pytest.raises(MissingExtraError, match=r"batch-llm\[fast\]"):
            make_transport("aiohttp")
    assert isinstance(make_transport("httpx2"), Httpx2Transport)
    with pytest.raises(ConfigurationError, match="'requests'"):
        make_transport("requests")  # type: ignore[arg-type]  # what a user might write


@contextmanager
def _without_aiohttp(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(http, "find_spec", lambda _: None)
        patch.setattr(aiohttp_transport, "find_spec", lambda _: None)
        yield
