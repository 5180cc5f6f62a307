"""What `max_workers="auto"` finds of a server it knows nothing about, by the simulator's books.

Real time: some minutes. The replies' headers that tell limits are taken away, so that nothing but
refusals and latencies can lead.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Literal

from batch_llm import (
    LLMWorkItem,
    OpenAICompatibleStrategy,
    ParallelBatchProcessor,
    ProcessorConfig,
    RetryConfig,
)
from batch_llm.llm_strategies.http import HTTPTransport, Reply, make_transport
from batch_llm.testing.simulator import Capacity, Latency, Limit, Simulator

from .measure import table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

Workers = int | Literal["auto"]

RPM: Final = 3_000
SLOTS: Final = 32
SECONDS: Final = 0.5
LEARN_SECONDS: Final = 60
STEADY_SECONDS: Final = 40
FOLLOW_SECONDS: Final = 30


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


def refusing() -> None:
    """A server of 3,000 requests a minute, told by 429s alone; then half of it."""
    full = Limit(requests_per_minute=RPM, burst_seconds=1.0)
    half = Limit(requests_per_minute=RPM / 2, burst_seconds=1.0)
    rows = []
    pools: list[tuple[str, Workers]] = [("auto", "auto"), ("fixed 20", 20), ("fixed 200", 200)]
    for name, workers in pools:
        parts = asyncio.run(_measured(workers, full, half))
        rows.append([f"batch-llm, {name}", *_cells(parts, (RPM / 60, RPM / 120))])
    head = ["", "answers/s after 60 s", "of the limit", "refused"]
    head += ["after half and 30 s", "of the limit", "refused"]
    table(f"unknown limit of {RPM:,} a minute, 429s without headers", head, rows)


def queueing() -> None:
    """A server like vLLM: it refuses nothing, and answers later; then half of its slots."""
    full = Limit(capacity=Capacity(slots=SLOTS))
    half = Limit(capacity=Capacity(slots=SLOTS // 2))
    best = SLOTS / (SECONDS * 2)
    rows = []
    pools: list[tuple[str, Workers]] = [("auto", "auto"), ("fixed 32", SLOTS), ("fixed 5", 5)]
    for name, workers in pools:
        parts = asyncio.run(_measured(workers, full, half))
        rows.append([f"batch-llm, {name}", *_cells(parts, (best, best / 2))])
    head = ["", "answers/s after 60 s", "of the best", "refused"]
    head += ["after half and 30 s", "of the best", "refused"]
    table(f"unknown capacity of {SLOTS} slots, no 429s", head, rows)


async def _measured(workers: Workers, before: Limit, after: Limit) -> list[tuple[float, float]]:
    """Return answers a second and the share refused: in the steady time, and after the change."""
    latency = Latency(kind="lognormal", seconds=SECONDS * 0.92, sigma=0.4)
    with Simulator(latency=latency, limits=[before], books="sums") as simulator:
        running = asyncio.create_task(_send(simulator.openai_base_url, workers))
        parts = []
        for learn, measure in ((LEARN_SECONDS, STEADY_SECONDS), (FOLLOW_SECONDS, FOLLOW_SECONDS)):
            await asyncio.sleep(learn)
            began = simulator.books.totals()
            await asyncio.sleep(measure)
            ended = simulator.books.totals()
            answered = ended.answered - began.answered
            refused = ended.limited - began.limited
            parts.append((answered / measure, refused / max(1, answered + refused)))
            simulator.set_limits([after])
        running.cancel()
        await asyncio.wait([running])
    return parts


async def _send(base_url: str, workers: Workers) -> None:
    strategy = OpenAICompatibleStrategy("m", base_url=base_url, api_key="any", transport=Silent())
    config = ProcessorConfig(max_workers=workers, retry=RetryConfig(max_rate_limit_retries=10_000))
    processor = ParallelBatchProcessor[Any, Any, None](config=config)
    async with processor:
        async for _ in processor.stream(_items(strategy)):
            pass


async def _items(strategy: Any) -> AsyncIterator[LLMWorkItem[Any, Any, None]]:
    number = 0
    while True:
        yield LLMWorkItem(f"{number}", strategy, f"Question {number}?")
        number += 1


def _cells(parts: list[tuple[float, float]], ideals: tuple[float, float]) -> list[str]:
    cells = []
    for (rate, refused), ideal in zip(parts, ideals, strict=True):
        cells += [f"{rate:.1f}", f"{rate / ideal:.0%}", f"{refused:.1%}"]
    return cells
