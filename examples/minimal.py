"""The smallest batch: a list of prompts in, one result for each out, in the same order.

Run it: python examples/minimal.py
"""

from __future__ import annotations

import asyncio

from batch_llm import process_prompts
from batch_llm.testing import MockAgent, mock_strategy

QUESTIONS = [f"What is {number} times {number}?" for number in range(1, 13)]


def answer(question: str) -> str:
    """Answer as a model would."""
    number = int(question.split()[2])
    return f"{number} times {number} is {number * number}."


async def main() -> None:
    """Ask all questions, five at a time."""
    # A real provider: make this line `strategy = strategy_by_name("openai:gpt-5-mini")`.
    strategy = mock_strategy(MockAgent(answer, latency=0.05, tokens_per_call=(12, 8)))
    batch = await process_prompts(QUESTIONS, strategy, max_workers=5)
    for result in batch:
        print(f"{result.item_id:>3}  {result.output or result.error}")
    print(
        f"{batch.succeeded} of {batch.total_items} succeeded, with "
        f"{batch.total_input_tokens} tokens in and {batch.total_output_tokens} out."
    )


if __name__ == "__main__":
    asyncio.run(main())
