"""Try a pipeline on bad days, without a key; the provider's books say how it went.

Run it: python examples/against_the_simulator.py
"""

from __future__ import annotations

import asyncio

from batch_llm import (
    AnthropicStrategy,
    LLMWorkItem,
    ParallelBatchProcessor,
    ProcessorConfig,
    RateLimitConfig,
    RetryConfig,
)
from batch_llm.testing.simulator import Fault, FaultKind, Limit, Simulator

ITEMS = 200


async def main() -> None:
    """Send all questions to a provider that limits, fails and loses answers."""
    limits = [Limit(requests_per_minute=3_000, burst_seconds=1)]
    async with Simulator(seed=11, limits=limits) as simulator:
        simulator.add_fault(Fault(kind=FaultKind.STATUS, status=529, rate=0.1))
        simulator.add_fault(Fault(kind=FaultKind.DROPPED, rate=0.03))

        # A real provider: AnthropicStrategy("claude-haiku-4-5"), with ANTHROPIC_API_KEY set.
        strategy = AnthropicStrategy(
            "claude-haiku-4-5", base_url=simulator.anthropic_base_url, api_key="any"
        )
        config = ProcessorConfig(
            max_workers=20,
            retry=RetryConfig(max_attempts=8, initial_wait=0.05),
            rate_limit=RateLimitConfig(cooldown_seconds=0.1, slow_start_items=0),
        )
        async with ParallelBatchProcessor[str, str, None](config=config) as processor:
            for number in range(ITEMS):
                await processor.add_work(LLMWorkItem(f"q{number}", strategy, f"Question {number}?"))
            result = await processor.process_all()

        books = simulator.books
        sums = books.totals()
        paid_twice = books.repeated()

    print(f"{result.succeeded} of {result.total_items} succeeded")
    print(f"The provider was called {sums.requests} times: it answered {sums.answered},")
    print(f"refused {sums.limited}, failed {sums.failed}, and lost {sums.lost} answers on the way.")
    print(f"It billed {sums.usd:.4f} USD; {len(paid_twice)} questions were paid for twice.")


asyncio.run(main())
