"""What one shared cached strategy saves, and when it saves nothing.

Many prompts about one manual. Gemini can keep the manual in a cache: its tokens then cost a tenth
in every call, but making the cache costs once, and keeping it costs by the hour. So it matters how
many caches there are. The first table counts what four programs really send, with the strategies
of this package on a stand-in for the service. The second one is arithmetic: which work is worth it.

Run it: python examples/shared_cache.py
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from batch_llm import GeminiCachedStrategy, GeminiStrategy, LLMWorkItem, ParallelBatchProcessor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MODEL = "gemini-2.5-flash"
ITEMS = 200
MANUAL = "All there is to know about the coffee machine. " * 680  # some 8,000 tokens
QUESTION = "Question {number}: why does the machine blink? " + "It did so before. " * 20
ANSWER_TOKENS = 50


@dataclass(frozen=True)
class Prices:
    """USD for a million tokens. The figures have the usual shape; put in those of your model.

    Args:
        input_usd: input that is not cached, and what goes into a cache when it is made.
        cached_input_usd: input that is read from a cache.
        output_usd: output.
        storage_usd: a million tokens kept for an hour.
    """

    input_usd: float = 0.30
    cached_input_usd: float = 0.03
    output_usd: float = 2.50
    storage_usd: float = 1.00


@dataclass(frozen=True)
class Work:
    """Tokens of a run.

    Args:
        input_tokens: of all calls, the cached ones included.
        cached_tokens: the part of them that was read from a cache.
        output_tokens: of all calls.
        stored_tokens: of all caches that were made.
        hours: how long each cache is kept.
    """

    input_tokens: float
    cached_tokens: float
    output_tokens: float
    stored_tokens: float
    hours: float = 1.0

    def input_usd(self, prices: Prices) -> float:
        """Return what all input costs, caches included."""
        micro_usd = (
            (self.input_tokens - self.cached_tokens) * prices.input_usd
            + self.cached_tokens * prices.cached_input_usd
            + self.stored_tokens * (prices.input_usd + self.hours * prices.storage_usd)
        )
        return micro_usd / 1e6

    def total_usd(self, prices: Prices) -> float:
        """Return what the run costs."""
        return self.input_usd(prices) + self.output_tokens * prices.output_usd / 1e6


# -- the arithmetic: which work is worth a cache


def plain(items: int, shared: float, own: float, answer: float) -> Work:
    """Return the tokens of `items` prompts that all carry the shared part themselves."""
    return Work(items * (shared + own), 0, items * answer, 0)


def with_one_cache(items: int, shared: float, own: float, answer: float) -> Work:
    """Return the tokens of the same prompts where the shared part is in one cache."""
    return Work(items * (shared + own), items * shared, items * answer, shared)


def saving(items: int, share: float, prices: Prices, *, shared: float = 8000) -> float:
    """Return the part of the input cost that one cache saves; below 0 where it costs more.

    Args:
        items: prompts.
        share: the part of each prompt's tokens that all prompts share, above 0 up to 1.
        prices: what tokens cost.
        shared: tokens that all prompts share.
    """
    own = shared * (1 - share) / share
    cached = with_one_cache(items, shared, own, 0).input_usd(prices)
    return 1 - cached / plain(items, shared, own, 0).input_usd(prices)


def break_even_items(prices: Prices, hours: float = 1.0) -> float:
    """Return how many items pay for the making and keeping of one cache."""
    price = prices.input_usd + hours * prices.storage_usd
    return price / (prices.input_usd - prices.cached_input_usd)


# -- the count: what four programs really send


@dataclass
class StandInGemini:
    """Has the shape of `google.genai.Client`, and counts; four characters are a token."""

    caches: dict[str, SimpleNamespace] = field(default_factory=dict)
    stored_tokens: int = 0

    @property
    def aio(self) -> SimpleNamespace:
        """The SDK's way to its async calls."""
        return SimpleNamespace(models=self, caches=self)

    async def generate_content(self, *, model: str, contents: Any, config: Any) -> SimpleNamespace:
        """Answer one call."""
        await asyncio.sleep(0.001)
        cached = self.caches[config["cached_content"]].tokens if config else 0
        usage = SimpleNamespace(
            prompt_token_count=cached + _tokens(contents),
            cached_content_token_count=cached,
            candidates_token_count=ANSWER_TOKENS,
        )
        return SimpleNamespace(text=f"{model}: it wants water.", usage_metadata=usage)

    async def list(self, *, config: Any) -> AsyncIterator[SimpleNamespace]:
        """Return the caches there are."""
        there = list(self.caches.values())
        await asyncio.sleep(0.001 if config else 0)
        return _each(there)

    async def create(self, *, model: str, config: Any) -> SimpleNamespace:
        """Make a cache."""
        await asyncio.sleep(0.001)
        cache = SimpleNamespace(
            name=f"cachedContents/{len(self.caches)}",
            model=model,
            display_name=config["display_name"],
            expire_time=SimpleNamespace(timestamp=lambda: float("inf")),
            tokens=_tokens(config["contents"]),
        )
        self.stored_tokens += cache.tokens
        return self.caches.setdefault(cache.name, cache)


async def _each(caches: list[SimpleNamespace]) -> AsyncIterator[SimpleNamespace]:
    for cache in caches:
        yield cache


def _tokens(contents: Any) -> int:
    return sum(map(len, [contents] if isinstance(contents, str) else contents)) // 4


def strategies(program: str, client: Any) -> Iterator[GeminiStrategy[str]]:
    """Yield the strategy of each item, as one of the four programs would build it."""
    # A real provider: give `client=google.genai.Client()` in the place of the stand-in.
    one = GeminiCachedStrategy[str](MODEL, client, None, MANUAL)
    for number in range(ITEMS):
        if program == "no cache":
            yield GeminiStrategy(MODEL, client)
        elif program == "one strategy for all items":
            yield one
        else:
            tags = {"item": str(number)} if program.endswith("and a tag each") else None
            yield GeminiCachedStrategy(MODEL, client, None, MANUAL, cache_tags=tags)


async def count(program: str) -> tuple[int, Work]:
    """Run one of the programs; return how many caches it made, and its tokens."""
    client = StandInGemini()
    prefix = MANUAL if program == "no cache" else ""
    items = [
        LLMWorkItem(str(number), strategy, prefix + QUESTION.format(number=number))
        for number, strategy in enumerate(strategies(program, client))
    ]
    async with ParallelBatchProcessor[str, str, None](max_workers=20) as processor:
        batch = await processor.process_all(items)
    assert batch.succeeded == ITEMS, batch.results[0].error
    work = Work(
        batch.total_input_tokens,
        batch.total_cached_tokens,
        batch.total_output_tokens,
        client.stored_tokens,
    )
    return len(client.caches), work


PROGRAMS = (
    "no cache",
    "a strategy an item, and a tag each",
    "a strategy an item",
    "one strategy for all items",
)


async def main() -> None:
    """Print both tables."""
    prices = Prices()
    print(f"{ITEMS} questions about one manual, 20 at a time, caches kept for an hour")
    print(f"{'':36}{'caches':>7}{'tokens in':>12}{'cached':>12}{'USD':>9}")
    for program in PROGRAMS:
        caches, work = await count(program)
        print(
            f"{program:36}{caches:>7}{work.input_tokens:>12,.0f}{work.cached_tokens:>12,.0f}"
            f"{work.total_usd(prices):>9.3f}"
        )
    print()
    print("Part of the input cost that one cache saves (8,000 shared tokens)")
    print(f"{'shared part of each prompt':30}{'10 items':>12}{'100 items':>12}{'1000 items':>12}")
    for share in (0.5, 0.7, 0.8, 0.9, 0.95, 0.99):
        cells = (f"{saving(items, share, prices):>12.0%}" for items in (10, 100, 1000))
        print(f"{share:<30.0%}{''.join(cells)}")
    enough = math.ceil(break_even_items(prices))
    print(f"One cache pays for itself from {enough} items an hour on.")
    print("Answers cost the same either way: the longer they are, the less of the whole is saved.")


if __name__ == "__main__":
    asyncio.run(main())
