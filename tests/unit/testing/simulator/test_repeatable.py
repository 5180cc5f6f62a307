"""Two runs with one seed go alike, whatever the order in which requests come."""

from __future__ import annotations

import random
from typing import Any

import anyio
import httpx2

from batch_llm.testing.simulator import Latency, Simulator, mixed_faults

SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "integer"}, "label": {"enum": ["a", "b", "c"]}},
    "required": ["score", "label"],
    "additionalProperties": False,
}
PROMPTS = [f"question {number}" for number in range(150)]


async def _run(seed: int, order: list[str]) -> dict[str, Any]:
    """Ask each prompt twice, all at once; return what became of each, as the books have it."""
    latency = Latency(kind="lognormal", seconds=1.0)
    said: dict[str, Any] = {}
    async with Simulator(
        seed=seed, speed=1_000, faults=mixed_faults(0.3), latency=latency
    ) as simulator:
        async with httpx2.AsyncClient(timeout=30) as client, anyio.create_task_group() as tasks:
            for prompt in order:
                tasks.start_soon(_ask, client, simulator.openai_base_url, prompt, said)
        for record in simulator.books.records:
            said.setdefault(record.prompt, []).append((record.fate, record.status, record.usage))
    return said


async def _ask(client: httpx2.AsyncClient, base_url: str, prompt: str, said: Any) -> None:
    body = {
        "model": "gpt-4.1",
        "messages": [{"role": "user", "content": prompt}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "x", "schema": SCHEMA, "strict": True},
        },
    }
    for attempt in (1, 2):
        try:
            answer = await client.post(
                f"{base_url}/chat/completions", json=body, headers={"Authorization": "Bearer k"}
            )
            said[f"{prompt}: {attempt}"] = (answer.status_code, _text(answer))
        except httpx2.TransportError:
            said[f"{prompt}: {attempt}"] = "broken"


def _text(answer: httpx2.Response) -> Any:
    try:
        return answer.json()["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError):
        return answer.text[:6]  # further on stands an id, and ids go by order


async def test_two_runs_of_one_seed_are_equal() -> None:
    first = await _run(3, PROMPTS)
    second = await _run(3, random.Random(1).sample(PROMPTS, len(PROMPTS)))
    assert first == second


async def test_another_seed_gives_another_run() -> None:
    assert await _run(3, PROMPTS) != await _run(4, PROMPTS)
