"""Calls that take a fixed time, through batch-llm: how near to the ideal wall time?"""

import asyncio
import sys

from self_measure import Meter

from batch_llm import (
    LLMCallStrategy,
    LLMWorkItem,
    MetricsObserver,
    ParallelBatchProcessor,
    ProcessorConfig,
    RetryState,
    TokenUsage,
)


class Slow(LLMCallStrategy[str]):
    """Answers after a fixed time."""

    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[str, TokenUsage]:
        """Sleep, then return a constant."""
        await asyncio.sleep(LATENCY_SECONDS)
        return "ok", {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


async def main() -> None:
    """Measure one run."""
    strategy, observer = Slow(), MetricsObserver()
    config = ProcessorConfig(max_workers=WORKERS)
    async with ParallelBatchProcessor[str, str, None](config=config, observers=[observer]) as p:
        for number in range(ITEMS):
            await p.add_work(LLMWorkItem(f"item-{number}", strategy, "prompt"))
        meter = Meter()
        result = await p.process_all()
        meter.report(ITEMS)
    assert result.succeeded == ITEMS


WORKERS, ROUNDS, LATENCY_SECONDS = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
ITEMS = WORKERS * ROUNDS
asyncio.run(main())
