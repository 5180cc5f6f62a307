"""No-op calls through batch-llm: N items, 50 workers, metrics on. `suspend` awaits once a call."""

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


class NoOp(LLMCallStrategy[str]):
    """Returns at once."""

    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[str, TokenUsage]:
        """Return a constant."""
        if SUSPEND:
            await asyncio.sleep(0)
        return "ok", {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


async def main() -> None:
    """Measure one run, from the first item made to the results in hand."""
    strategy, observer = NoOp(), MetricsObserver()
    config = ProcessorConfig(max_workers=50)
    meter = Meter()
    async with ParallelBatchProcessor[str, str, None](config=config, observers=[observer]) as p:
        for number in range(ITEMS):
            await p.add_work(LLMWorkItem(f"item-{number}", strategy, "prompt"))
        result = await p.process_all()
    meter.report(ITEMS)
    assert result.succeeded == ITEMS


ITEMS = int(sys.argv[1])
SUSPEND = "suspend" in sys.argv
asyncio.run(main())
