"""Two minutes of calls of unequal sizes under a limit of tokens a minute."""

from __future__ import annotations

import asyncio
import random

import pytest

from batch_llm import FixedDelayStrategy, ProcessorConfig, TokenBound
from batch_llm.engine.events import Events
from batch_llm.engine.gate import Gate, new_gate

from ....standins import now

LIMIT = 60_000
WORKERS = 60


async def work(gate: Gate, chance: random.Random, counted: list[tuple[float, int]]) -> None:
    """Make calls for two minutes; the provider counts each at some moment while it runs."""
    while True:
        reserved = chance.choice((30, 100, 100, 300, 1_200))
        used = int(reserved * chance.uniform(0.5, 1.0))
        bound = TokenBound(reserved // 2, reserved - reserved // 2)
        if (turn := gate.admit("a", bound)) is not None:
            await turn
        seconds = chance.uniform(0.2, 2.0)
        before = chance.uniform(0.0, seconds)
        await asyncio.sleep(before)
        counted.append((now(), used))
        await asyncio.sleep(seconds - before)
        gate.leave("a", seconds)
        gate.settle(
            "a",
            bound,
            {"input_tokens": used // 2, "output_tokens": used - used // 2, "total_tokens": used},
        )


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_minute_exceeds_the_limit_and_nearly_all_of_it_is_used(seed: int) -> None:
    config = ProcessorConfig(max_workers=WORKERS, max_tokens_per_minute=LIMIT)
    gate = new_gate(config, FixedDelayStrategy(), Events([]))
    counted: list[tuple[float, int]] = []
    chance = random.Random(seed)
    tasks = [asyncio.create_task(work(gate, chance, counted)) for _ in range(WORKERS)]
    await asyncio.sleep(120)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert sum(used for _, used in counted) >= 0.98 * 2 * LIMIT
    for first, _ in counted:
        assert sum(used for when, used in counted if first <= when < first + 60) <= LIMIT
    second = [sum(used for when, used in counted if at <= when < at + 1) for at in range(120)]
    assert max(second) < 0.1 * LIMIT, "a minute's worth does not go out at once"
