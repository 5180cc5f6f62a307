"""Calls that take a fixed time, through async-batch-llm: how near to the ideal wall time?"""

import asyncio
import sys

from async_batch_llm import (
    LLMCallStrategy,
    LLMWorkItem,
    ParallelBatchProcessor,
    ProcessorConfig,
)
from async_batch_llm.observers import MetricsObserver
from self_measure import Meter


class Slow(LLMCallStrategy):
    """Answers after a fixed time."""

    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: object = None
    ) -> tuple[str, dict[str, int]]:
        """Sleep, then return a constant."""
        await asyncio.sleep(LATENCY_SECONDS)
        return "ok", {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


async def main() -> None:
    """Measure one run."""
    strategy, observer = Slow(), MetricsObserver()
    config = ProcessorConfig(max_workers=WORKERS)
    async with ParallelBatchProcessor(config=config, observers=[observer]) as p:
        for number in range(ITEMS):
            await p.add_work(LLMWorkItem(f"item-{number}", strategy, "prompt"))
        meter = Meter()
        result = await p.process_all()
        meter.report(ITEMS)
    assert result.succeeded == ITEMS


WORKERS, ROUNDS, LATENCY_SECONDS = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
ITEMS = WORKERS * ROUNDS
asyncio.run(main())
