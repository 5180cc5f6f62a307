"""Sends prompts through batch-llm: `BASE_URL KEY SECONDS SETTINGS`, the last as JSON.

Settings: fields of `ProcessorConfig`; and `items` (None has no end), `hides_headers` (what replies
tell of limits is taken away), `big_every` (one prompt in so many is a big one).
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from batch_llm import (
    LLMWorkItem,
    OpenAICompatibleStrategy,
    ParallelBatchProcessor,
    ProcessorConfig,
)
from batch_llm.llm_strategies.http import HTTPTransport, Reply, make_transport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SMALL_TOKENS, BIG_TOKENS = 100, 2_000
BYTES_OF_TOKEN = 4


class Silent(HTTPTransport):
    """Hands on replies without what they tell of limits."""

    def __init__(self) -> None:
        self._inner = make_transport("auto")

    async def open(self) -> None:
        await self._inner.open()

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float
    ) -> Reply:
        reply = await self._inner.post(url, headers, body, timeout_seconds)
        kept = {
            name.lower(): value
            for name, value in reply.headers.items()
            if not name.lower().startswith("x-ratelimit")
        }
        return Reply(reply.status, kept, reply.body)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Timed(OpenAICompatibleStrategy):
    """Notes how long an item waited from the moment it was fetched until its call began."""

    fetched: dict[str, float]
    longest_wait_seconds = 0.0

    async def execute(self, prompt: str, *arguments: Any, **named: Any) -> Any:
        waited = time.monotonic() - self.fetched.pop(prompt, time.monotonic())
        self.longest_wait_seconds = max(self.longest_wait_seconds, waited)
        return await super().execute(prompt, *arguments, **named)


def strategy(base_url: str, key: str, transport: HTTPTransport, tokens: int) -> Timed:
    """Return a strategy for prompts of one size; the answer is as long as the prompt."""
    made = Timed(
        "gpt-4.1-mini",
        base_url=base_url,
        api_key=key,
        transport=transport,
        max_output_tokens=2 * tokens,
    )
    made.fetched = {}
    return made


def work(small: Timed, big: Timed, count: int | None, big_every: int | None) -> Iterator[Any]:
    """Yield items as they are asked for."""
    number = 0
    while count is None or number < count:
        is_big = big_every is not None and number % big_every == 0
        prompt = f"Question {number}?"
        if big_every is not None:
            prompt = prompt.ljust((BIG_TOKENS if is_big else SMALL_TOKENS) * BYTES_OF_TOKEN, ".")
        chosen = big if is_big else small
        chosen.fetched[prompt] = time.monotonic()
        yield LLMWorkItem(str(number), chosen, prompt)
        number += 1


async def main(base_url: str, key: str, seconds: float, settings: dict[str, Any]) -> None:
    """Send until the time is over; print what the client saw."""
    count, big_every = settings.pop("items", None), settings.pop("big_every", None)
    transport = Silent() if settings.pop("hides_headers", False) else make_transport("auto")
    small = strategy(base_url, key, transport, SMALL_TOKENS)
    big = strategy(base_url, key, transport, BIG_TOKENS)
    failed = 0
    try:
        async with asyncio.timeout(seconds):
            async with ParallelBatchProcessor(config=ProcessorConfig(**settings)) as processor:
                async for result in processor.stream(work(small, big, count, big_every)):
                    failed += not result.success
    except TimeoutError:
        pass
    finally:
        await transport.aclose()
    figures = {
        "failed": failed,
        "small_wait_seconds": small.longest_wait_seconds,
        "big_wait_seconds": big.longest_wait_seconds,
    }
    print(json.dumps(figures))


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), json.loads(sys.argv[4])))
