"""No-op calls through async-batch-llm: N items, 50 workers, metrics on."""

import asyncio
import logging
import sys

from async_batch_llm import (
    LLMCallStrategy,
    LLMWorkItem,
    ParallelBatchProcessor,
    ProcessorConfig,
)
from async_batch_llm.observers import MetricsObserver
from self_measure import Meter


class NoOp(LLMCallStrategy):
    """Returns at once."""

    async def execute(self, prompt, attempt, timeout, state=None):
        """Return a constant."""
        if SUSPEND:
            await asyncio.sleep(0)
        return "ok", {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


async def main() -> None:
    """Measure one run, from the first item made to the results in hand."""
    strategy, observer = NoOp(), MetricsObserver()
    config = ProcessorConfig(max_workers=50)
    meter = Meter()
    async with ParallelBatchProcessor(config=config, observers=[observer]) as p:
        for number in range(ITEMS):
            await p.add_work(LLMWorkItem(f"item-{number}", strategy, "prompt"))
        result = await p.process_all()
    meter.report(ITEMS)
    assert result.succeeded == ITEMS


logging.disable(logging.CRITICAL)
ITEMS = int(sys.argv[1])
SUSPEND = "suspend" in sys.argv
asyncio.run(main())
