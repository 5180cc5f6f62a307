"""A stream of Anthropic's that reports an error, event by event."""

from __future__ import annotations

import json

import msgspec

from batch_llm.testing.simulator import SimulatorSettings
from batch_llm.testing.simulator.exchange import Request
from batch_llm.testing.simulator.front import Front


async def test_a_ping_comes_before_the_error() -> None:
    front = Front(SimulatorSettings())
    turns = [{"role": "user", "content": "hello"}]
    body = {"model": "claude-sonnet-5", "max_tokens": 9, "messages": turns, "stream": True}
    headers = {
        "x-api-key": "any",
        "anthropic-version": "2023-06-01",
        "x-sim-fault": "error_in_200",
    }
    asked = Request("POST", "/anthropic/v1/messages", headers, json.dumps(body).encode())
    told = await front.answer(asked)
    assert (told.status, told.content_type) == (200, "text/event-stream")
    assert told.pieces is not None
    assert b"".join(told.pieces) == told.body
    ping, error = [_event(piece) for piece in told.pieces]
    assert ping == ("ping", {"type": "ping"})
    assert error == (
        "error",
        {
            "type": "error",
            "error": {"type": "overloaded_error", "message": "Overloaded"},
            "request_id": told.headers["request-id"],
        },
    )
    await front.aclose()


def _event(piece: bytes) -> tuple[str, object]:
    name, data, *end = piece.decode().split("\n")
    assert end == ["", ""]
    return name.removeprefix("event: "), msgspec.json.decode(data.removeprefix("data: "))
