"""A small server on this machine's loopback that answers as Gemini does, caches included."""

from __future__ import annotations

import datetime
import itertools
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "gemini-2.5-flash"
USAGE = {
    "promptTokenCount": 100,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 5,
    "cachedContentTokenCount": 80,
    "totalTokenCount": 125,
}
TOKENS = {
    "input_tokens": 100,
    "output_tokens": 25,
    "total_tokens": 125,
    "cached_input_tokens": 80,
    "reasoning_tokens": 5,
}
GONE = {
    "code": 403,
    "message": "CachedContent not found (or permission denied)",
    "status": "PERMISSION_DENIED",
}


def answer(text: str = "Eight and six.", reason: str = "STOP") -> dict[str, Any]:
    return {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": text}]},
                "finishReason": reason,
                "safetyRatings": [
                    {"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}
                ],
            }
        ],
        "usageMetadata": USAGE,
        "responseId": "r-1",
    }


class FakeGemini:
    """Answers as Gemini does. Handlers run in threads of the server, one lock for all."""

    def __init__(self) -> None:
        self.address = ""
        self.lock = threading.Lock()
        self.requests: list[tuple[str, str, Any]] = []
        self.headers: dict[str, str] = {}
        self.answer: Any = answer()
        self.failures: list[tuple[int, Any, dict[str, str]]] = []
        self.caches: dict[str, dict[str, Any]] = {}
        self.least_characters = 0
        self.page_size = 2
        self._ids = itertools.count(1)

    def sent(self, method: str, path: str) -> list[Any]:
        """Return the bodies of all requests to `path`, oldest first."""
        return [body for m, p, body in self.requests if m == method and p.startswith(path)]

    def handle(self, method: str, target: str, body: Any) -> tuple[int, Any, dict[str, str]]:
        url = urlsplit(target)
        path = url.path.partition("/v1")[2].partition("/")[2]  # whatever the version
        with self.lock:
            self.requests.append((method, path, body))
            if self.failures:
                return self.failures.pop(0)
            if path.endswith(":generateContent"):
                return self._generate(body)
            return self._caching(method, path, parse_qs(url.query), body)

    def _generate(self, body: Any) -> tuple[int, Any, dict[str, str]]:
        name = body.get("cachedContent")
        if name is not None and name not in self.caches:
            return self._refused(GONE)
        return 200, self.answer, {}

    def _caching(
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> tuple[int, Any, dict[str, str]]:
        if method == "GET":
            return 200, self._page(int(query.get("pageToken", ["0"])[0])), {}
        if method == "POST":
            return self._create(body)
        if path not in self.caches:
            return self._refused(GONE)
        if method == "DELETE":
            del self.caches[path]
            return 200, {}, {}
        self.caches[path]["expireTime"] = expiry(body["ttl"])
        return 200, self.caches[path], {}

    def _page(self, start: int) -> dict[str, Any]:
        caches = list(self.caches.values())
        page: dict[str, Any] = {"cachedContents": caches[start : start + self.page_size]}
        if start + self.page_size < len(caches):
            page["nextPageToken"] = str(start + self.page_size)
        return page

    def _create(self, body: Any) -> tuple[int, Any, dict[str, str]]:
        if len(json.dumps(body.get("contents", ""))) < self.least_characters:
            message = "Cached content is too small. total_token_count=9, min_total_token_count=1024"
            return self._refused({"code": 400, "message": message, "status": "INVALID_ARGUMENT"})
        if len(body["displayName"]) > 128:
            return self._refused({"code": 400, "message": "display_name is too long"})
        name = f"cachedContents/c{next(self._ids)}"
        self.caches[name] = {
            "name": name,
            "model": body["model"],
            "displayName": body["displayName"],
            "expireTime": expiry(body["ttl"]),
        }
        return 200, self.caches[name], {}

    @staticmethod
    def _refused(error: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        return error["code"], {"error": error}, {}


def expiry(ttl: str) -> str:
    life = datetime.timedelta(seconds=float(ttl.removesuffix("s")))
    return (datetime.datetime.now(datetime.UTC) + life).isoformat()


@contextmanager
def serving() -> Iterator[FakeGemini]:
    """Run a server for the block; its address is in `FakeGemini.address`."""
    fake = FakeGemini()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            size = int(self.headers.get("content-length") or 0)
            text = self.rfile.read(size)
            fake.headers = {name.lower(): value for name, value in self.headers.items()}
            status, reply, headers = fake.handle(
                self.command, self.path, json.loads(text) if text else None
            )
            is_page = isinstance(reply, bytes)
            payload = reply if is_page else json.dumps(reply).encode()
            media_type = "text/html" if is_page else "application/json"
            self.send_response(status)
            for name, value in {"content-type": media_type, **headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing: each request is in `FakeGemini.requests`."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256  # a backlog of 5 resets some of fifty workers

    server = Server(("127.0.0.1", 0), Handler)
    fake.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
