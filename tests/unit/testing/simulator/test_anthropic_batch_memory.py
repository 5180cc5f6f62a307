"""What a batch of Anthropic's keeps in memory."""

from __future__ import annotations

import asyncio
import json
import sys

import msgspec

from batch_llm.testing.simulator import SimulatorSettings
from batch_llm.testing.simulator.exchange import Request, Response
from batch_llm.testing.simulator.front import Front

HEADERS = {"x-api-key": "any", "anthropic-version": "2023-06-01"}
BATCHES = "/anthropic/v1/messages/batches"


async def test_a_batch_that_has_ended_keeps_no_request() -> None:
    front = Front(SimulatorSettings())
    line = {"model": "claude-sonnet-5", "max_tokens": 9, "messages": [_turn("hello")]}
    body = json.dumps({"requests": [{"custom_id": "a", "params": line}]}).encode()
    created = msgspec.json.decode((await _ask(front, "POST", BATCHES, body)).body)
    assert sys.getrefcount(body) > 2
    path = f"{BATCHES}/{created['id']}"
    while b'"ended"' not in (await _ask(front, "GET", path)).body:
        front.clock.advance(600)
        await asyncio.sleep(0)
    assert sys.getrefcount(body) == 2  # the name here, and the argument
    assert b'"succeeded"' in (await _ask(front, "GET", f"{path}/results")).body
    await front.aclose()


def _turn(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


async def _ask(front: Front, method: str, path: str, body: bytes = b"") -> Response:
    return await front.answer(Request(method, path, HEADERS, body))
