"""A small server on this machine's loopback that answers as OpenAI's Chat Completions do."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class ChatServer(ThreadingHTTPServer):
    """Answers every request; one with a schema gets the least value that fits it."""

    daemon_threads = True
    request_queue_size = 256  # the usual backlog of 5 resets some of many workers

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, Any]] = []

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, ChatServer)
        size = int(self.headers["content-length"])
        request = json.loads(self.rfile.read(size))
        self.server.requests.append(request)
        known = self.path == "/v1/chat/completions"
        body = json.dumps(_completion(request) if known else {"error": {"message": "no such page"}})
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Keep the output of a test its own."""


def _completion(request: Mapping[str, Any]) -> dict[str, Any]:
    asked = json.dumps(request["messages"])
    text = _answer_to(request)
    counts = {"prompt_tokens": len(asked) // 4, "completion_tokens": len(text) // 4 + 1}
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {**counts, "total_tokens": sum(counts.values())},
    }


def _answer_to(request: Mapping[str, Any]) -> str:
    wanted = request.get("response_format")
    if wanted is None:
        return f"An answer of {request['model']}."
    schema = wanted["json_schema"]["schema"]
    return json.dumps(least_value(schema, schema.get("$defs", {})))


def least_value(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Any:
    """Return a value that fits a schema as pydantic writes them."""
    if "$ref" in schema:
        return least_value(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return least_value(schema["anyOf"][0], definitions)
    if schema.get("type") == "object":
        fields = schema.get("properties", {})
        return {name: least_value(field, definitions) for name, field in fields.items()}
    return {"string": "text", "integer": 1, "number": 1.5, "boolean": True, "array": []}.get(
        schema.get("type", "")
    )


@contextmanager
def chat_server() -> Iterator[ChatServer]:
    """Serve while the block runs."""
    with ChatServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
