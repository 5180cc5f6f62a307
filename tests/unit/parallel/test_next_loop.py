"""One processor on one event loop after another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from batch_llm import ParallelBatchProcessor, ProcessorConfig, RetryConfig

from ...standins import Model, items, limited
from ...virtual import LoopsInTurn

if TYPE_CHECKING:
    import pytest


def starts_of(
    config: ProcessorConfig, model: Model, runs: int, monkeypatch: pytest.MonkeyPatch
) -> list[float]:
    """Return when calls started, each run being one item on a loop of its own."""
    clock = "batch_llm.engine.gate.gate.monotonic"
    monkeypatch.setattr(clock, lambda: asyncio.get_running_loop().time())
    loops = LoopsInTurn()
    processor = ParallelBatchProcessor[Any, Any, None](config=config)

    async def main() -> None:
        assert (await processor.process_all(items(1, model))).total_items == 1

    for _ in range(runs):
        loops.run(main)
    loops.run(processor.cleanup)
    return model.starts


def test_a_limit_of_a_minute_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ProcessorConfig(max_requests_per_minute=6)
    times = starts_of(config, Model(), 12, monkeypatch)
    assert len(times) == 12
    assert all(after - first >= 60 for first, after in zip(times, times[6:], strict=False))


def test_a_time_to_wait_that_the_provider_named_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ProcessorConfig(retry=RetryConfig(max_rate_limit_retries=0))
    first, second = starts_of(config, Model([limited(30.0), "out"]), 2, monkeypatch)
    assert second - first == 30.0
