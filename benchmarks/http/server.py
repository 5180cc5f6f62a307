"""A server that answers every POST with the same chat completion after 20 ms.

It reads no more of a request than it must, so that it is never the limit.
"""

from __future__ import annotations

import asyncio
import json
import re

LATENCY_SECONDS = 0.02
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


def _response() -> bytes:
    answer = {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 1_760_000_000,
        "model": "benchmark",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "A short answer.", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 5,
            "total_tokens": 17,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        },
    }
    body = json.dumps(answer).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


RESPONSE = _response()


class _Answerer(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._take_request():
            self._loop.call_later(LATENCY_SECONDS, self._answer)

    def _take_request(self) -> bool:
        head, found, rest = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(rest) < int(length[1]):
            return False
        self._received = rest[int(length[1]) :]
        return True

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(RESPONSE)


async def serve() -> None:
    """Serve until the process is ended; print the port."""
    server = await asyncio.get_running_loop().create_server(_Answerer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
