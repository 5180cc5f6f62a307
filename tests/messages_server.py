"""A small server on this machine's loopback that answers as Anthropic's Messages do."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from tests.chat_server import least_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class MessagesServer(ThreadingHTTPServer):
    """Answers every request; one with a schema gets the least value that fits it.

    A system prompt that is to be cached is written the first time and read from then on.
    """

    daemon_threads = True
    request_queue_size = 256  # the usual backlog of 5 resets some of many workers

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, Any]] = []
        self.cached: set[str] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, MessagesServer)
        size = int(self.headers["content-length"])
        request = json.loads(self.rfile.read(size))
        self.server.requests.append(request)
        known = self.path == "/v1/messages"
        missing = {"type": "error", "error": {"type": "not_found_error", "message": "no such page"}}
        body = json.dumps(_message(request, self.server.cached) if known else missing)
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body.encode())))
        self.send_header("request-id", "req_1")
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Keep the output of a test its own."""


def _message(request: Mapping[str, Any], cached: set[str]) -> dict[str, Any]:
    text = _answer_to(request)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": request["model"],
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {**_input_tokens(request, cached), "output_tokens": len(text) // 4 + 1},
    }


def _input_tokens(request: Mapping[str, Any], cached: set[str]) -> dict[str, int]:
    system, asked = json.dumps(request.get("system", "")), json.dumps(request["messages"])
    if "cache_control" not in system:
        return {"input_tokens": len(system + asked) // 4}
    is_there = system in cached
    cached.add(system)
    tokens = len(system) // 4
    return {
        "input_tokens": len(asked) // 4,
        "cache_creation_input_tokens": 0 if is_there else tokens,
        "cache_read_input_tokens": tokens if is_there else 0,
    }


def _answer_to(request: Mapping[str, Any]) -> str:
    wanted = request.get("output_config", {}).get("format")
    if wanted is None:
        return f"An answer of {request['model']}."
    schema = wanted["schema"]
    return json.dumps(least_value(schema, schema.get("$defs", {})))


@contextmanager
def messages_server() -> Iterator[MessagesServer]:
    """Serve while the block runs."""
    with MessagesServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
