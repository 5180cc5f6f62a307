"""A run that may be killed at any instant; `test_kills.py` starts it again and again.

Arguments: the address of OpenAI's API, the ledger, the file of what was seen, items, and the cap
in USD. Each result is appended to the file, as one line, when the stream yields it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

from batch_llm import (
    LLMWorkItem,
    OpenAICompatibleStrategy,
    ParallelBatchProcessor,
    ProcessorConfig,
    RetryConfig,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "gpt-4.1-nano"


def items(strategy: OpenAICompatibleStrategy, count: int) -> Iterator[LLMWorkItem]:
    """Yield items of many lengths."""
    for number in range(count):
        prompt = f"Question {number}. " + "Think. " * (number % 40)
        yield LLMWorkItem(f"item-{number}", strategy, prompt)


async def main(base_url: str, ledger: str, seen: str, count: int, cap_usd: float) -> None:
    """Run all items, telling of each as it is seen."""
    strategy = OpenAICompatibleStrategy(
        MODEL,
        base_url=base_url,
        api_key="any",
        max_output_tokens=400,
        priced_as=f"openai:{MODEL}",
    )
    config = ProcessorConfig(
        max_workers=20, retry=RetryConfig(max_attempts=8, initial_wait=0.01), timeout_per_item=5
    )
    file = os.open(seen, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    async with ParallelBatchProcessor(
        config=config, ledger=ledger, max_cost_usd=cap_usd
    ) as processor:
        async for result in processor.stream(items(strategy, count)):
            word = result.origin if result.success else f"failed:{result.error_category}"
            os.write(file, f"{result.item_id} {word}\n".encode())


if __name__ == "__main__":
    _, address, ledger_path, seen_path, item_count, cap = sys.argv
    asyncio.run(main(address, ledger_path, seen_path, int(item_count), float(cap)))
