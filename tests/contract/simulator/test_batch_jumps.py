"""A clock that is moved takes batches with it: they are where they should be when it has moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest
from tests.contract.simulator import anthropic_sdk, gemini_sdk, openai_batches, openai_sdk

if TYPE_CHECKING:
    from batch_llm.testing.simulator import Simulator

# google-genai subclasses aiohttp's session, which aiohttp warns of.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

LINES = 2_000
HALF_AN_HOUR = 1_800


@pytest.fixture(autouse=True)
def slow_clock(simulator: Simulator) -> None:
    simulator.set_speed(1)
    simulator.set_batch_times({"running": {"seconds": 600.0}})


def test_openai(simulator: Simulator) -> None:
    with openai_sdk.client_of(simulator) as client:
        lines = [openai_batches.line(number) for number in range(LINES)]
        batch = openai_batches.submit(client, openai_batches.jsonl(lines))
        simulator.advance(120)
        batch = client.batches.retrieve(batch.id)
        assert batch.status == "in_progress"
        assert batch.request_counts is not None
        assert 0 < batch.request_counts.completed < LINES
        simulator.advance(HALF_AN_HOUR)
        assert client.batches.retrieve(batch.id).status == "completed"


def test_anthropic(simulator: Simulator) -> None:
    params = {
        "model": "claude-haiku-4-5",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "x"}],
    }
    with anthropic_sdk.client_of(simulator) as client:
        requests = [{"custom_id": f"r{n}", "params": params} for n in range(LINES)]
        batch = client.messages.batches.create(requests=requests)  # type: ignore[arg-type]
        simulator.advance(HALF_AN_HOUR)
        assert client.messages.batches.retrieve(batch.id).processing_status == "ended"


def test_gemini(simulator: Simulator) -> None:
    contents = [{"contents": [{"role": "user", "parts": [{"text": f"x {n}"}]}]} for n in range(99)]
    client = gemini_sdk.client_of(simulator)
    try:
        batch = client.batches.create(model="gemini-2.5-flash", src=contents)
        simulator.advance(HALF_AN_HOUR)
        state = client.batches.get(name=batch.name).state
        assert state.name == "JOB_STATE_SUCCEEDED"
    finally:
        client.close()


def test_by_http(simulator: Simulator) -> None:
    with openai_sdk.client_of(simulator) as client:
        lines = [openai_batches.line(number) for number in range(LINES)]
        batch = openai_batches.submit(client, openai_batches.jsonl(lines))
        url = f"{simulator.base_url}/_sim/clock"
        assert httpx2.post(url, json={"advance_seconds": HALF_AN_HOUR}).is_success
        assert client.batches.retrieve(batch.id).status == "completed"
