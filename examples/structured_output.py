"""Answers that are objects: a pydantic model says what they look like, and all of them do.

A small model in this process reads customers' words. It needs no key:

    pip install 'batch-llm[local]'

Run it: python examples/structured_output.py
"""

from __future__ import annotations

import asyncio
from typing import Literal

from pydantic import BaseModel

from batch_llm import process_prompts, strategy_by_name

REVIEWS = {
    "kettle": "Boils in a minute and has not leaked once. I bought a second one for my mother.",
    "headset": "The left side went dead after two days, and nobody answers my mails.",
    "lamp": "Bright, cheap, and it arrived a day early.",
    "chair": "Two screws were missing and the seat is already torn. I want my money back.",
}


class Verdict(BaseModel):
    """What is asked about each review."""

    sentiment: Literal["positive", "negative"]


async def main() -> None:
    """Read all reviews; each output is a `Verdict`, checked before it gets here."""
    # A real provider: put "openai:gpt-5-mini" in the place of "local".
    strategy = strategy_by_name(
        "local",
        system="You judge product reviews.",
        output_schema=Verdict,
        temperature=0,
        max_output_tokens=20,
    )
    prompts = [
        (name, f"Is this review positive or negative?\n\n{text}") for name, text in REVIEWS.items()
    ]
    batch = await process_prompts(prompts, strategy, max_workers=2)
    for result in batch:
        verdict = result.output.sentiment if result.output else result.error
        print(f"{result.item_id:<8} {verdict:<9} {REVIEWS[result.item_id]}")
    print(f"{batch.succeeded} of {batch.total_items} answers are a {Verdict.__name__}.")


if __name__ == "__main__":
    asyncio.run(main())
