"""Which batches a fault of batches hits."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from batch_llm.testing.simulator import Fault, FaultKind, ModelCall, SimulatorSettings
from batch_llm.testing.simulator.chance import Chance
from batch_llm.testing.simulator.exchange import Request
from batch_llm.testing.simulator.faults import FaultPlan
from batch_llm.testing.simulator.front import Front

CALL = ModelCall("openai", "chat.completions", "gpt-5", "mine", [("user", "hello")])


@pytest.mark.parametrize(
    ("scope", "fits"),
    [
        ({}, True),
        ({"key": "mine"}, True),
        ({"key": "other"}, False),
        ({"model": "gpt-5"}, True),
        ({"model": "gpt-4o"}, False),
        ({"provider": "openai"}, True),
        ({"provider": "gemini"}, False),
        ({"operation": "batches.create"}, True),
        ({"operation": "chat.completions"}, False),
        ({"key": "mine", "model": "gpt-4o"}, False),
        ({"key": "other", "model": "gpt-5"}, False),
    ],
)
def test_a_fault_hits_the_batches_of_its_scope(scope: dict[str, Any], fits: bool) -> None:
    plan = FaultPlan(Chance(1))
    fault = Fault.model_validate({"kind": FaultKind.BATCH_FAILED, **scope})
    plan.add(fault)
    assert plan.for_batch(CALL, {}, b"") == [fault] * fits
    assert [happened for _, _, happened in plan.in_force()] == [fits]


def test_a_script_counts_the_batches_of_its_key_alone() -> None:
    plan = FaultPlan(Chance(1))
    fault = Fault(kind=FaultKind.BATCH_FAILED, key="other", calls=(1,))
    plan.add(fault)
    assert plan.for_batch(CALL, {}, b"") == []
    other = ModelCall("openai", "chat.completions", "gpt-5", "other", [("user", "hello")])
    assert plan.for_batch(other, {}, b"") == [fault]


@pytest.mark.parametrize("hit", ["mine", "other"])
async def test_a_batch_of_another_key_ends_well(hit: str) -> None:
    fault = Fault(kind=FaultKind.BATCH_EXPIRED, share=0, key=hit)
    front = Front(SimulatorSettings(faults=(fault,)))
    names = {
        key: (await _ask(front, "POST", key, body=_lines()))["id"] for key in ("mine", "other")
    }
    expired = {key: await _expired(front, key, name) for key, name in names.items()}
    assert expired == {"mine": int(hit == "mine"), "other": int(hit == "other")}
    await front.aclose()


async def _expired(front: Front, key: str, name: str) -> int:
    """Let time pass until a batch ends; return how many of its lines expired."""
    for _ in range(1_000):
        batch = await _ask(front, "GET", key, "/" + name)
        if batch["processing_status"] == "ended":
            return int(batch["request_counts"]["expired"])
        front.clock.advance(3_600)
        await asyncio.sleep(0)
    raise AssertionError("the batch never ended")


def _lines() -> bytes:
    turns = [{"role": "user", "content": "hello"}]
    params = {"model": "claude-sonnet-5", "max_tokens": 9, "messages": turns}
    return json.dumps({"requests": [{"custom_id": "a", "params": params}]}).encode()


async def _ask(front: Front, method: str, key: str, path: str = "", body: bytes = b"") -> Any:
    headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
    address = "/anthropic/v1/messages/batches" + path
    return json.loads((await front.answer(Request(method, address, headers, body))).body)
