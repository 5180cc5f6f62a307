"""Results as they come: async, in input order, left early, and from code that is not async.

Run it: python examples/streaming.py
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from batch_llm import process_stream, process_stream_sync
from batch_llm.testing import MockAgent, mock_strategy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_llm import LLMCallStrategy

SECONDS = {"slow": 0.15, "medium": 0.1, "quick": 0.05}


async def answer(prompt: str) -> str:
    """Answer as a model would: some prompts take longer than others."""
    await asyncio.sleep(SECONDS[prompt])
    return f"the {prompt} answer"


def new_strategy() -> LLMCallStrategy[str]:
    """Return what answers."""
    # A real provider: return `strategy_by_name("openai:gpt-5-mini")` here.
    return mock_strategy(MockAgent(answer, latency=0))


async def as_they_come() -> None:
    """Results in the order in which they end; the first one does not wait for the last."""
    print("As they come:")
    async for result in process_stream(list(SECONDS), new_strategy(), max_workers=3):
        print(f"  {result.output}")


async def in_input_order() -> None:
    """The same, in the order of the prompts: a result waits for those before it."""
    print("In input order:")
    async for result in process_stream(list(SECONDS), new_strategy(), max_workers=3, order="input"):
        print(f"  {result.output}")


async def until_found() -> None:
    """Leave early: what is in flight is cancelled at once, and no prompt is read after that."""
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "quick"

    print("Until three are there, from a source without an end:")
    found = 0
    async with aclosing(process_stream(endless(), new_strategy(), max_workers=2)) as results:
        async for result in results:
            found += result.success
            print(f"  {found}: {result.output}")
            if found == 3:
                break
    print(f"  The source was asked for {read} prompts.")


def without_async() -> None:
    """The sync twin, for scripts and notebooks; it works while you deal with a result."""
    print("From code that is not async:")
    for result in process_stream_sync(list(SECONDS), new_strategy(), max_workers=3):
        print(f"  {result.output}")


async def main() -> None:
    """Show the three async ways."""
    await as_they_come()
    await in_input_order()
    await until_found()


if __name__ == "__main__":
    asyncio.run(main())
    without_async()
