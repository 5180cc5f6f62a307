"""Streams no-op calls: N items, 50 workers, metrics on, and "none", "sqlite" or "jsonl" as ledger.

`rerun` measures a second run on the same ledger, which replays all of them.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from self_measure import Meter

from batch_llm import (
    LLMCallStrategy,
    LLMWorkItem,
    MetricsObserver,
    ParallelBatchProcessor,
    RetryState,
    TokenUsage,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoOp(LLMCallStrategy[str]):
    """Returns at once, and has an identity."""

    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[str, TokenUsage]:
        """Return a constant."""
        return "ok", {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}

    def fingerprint(self) -> str:
        """Return the same in every process."""
        return "no-op"


def items(count: int) -> Iterator[LLMWorkItem]:
    """Yield items, none of which is kept."""
    strategy = NoOp()
    for number in range(count):
        yield LLMWorkItem(f"item-{number}", strategy, f"prompt {number}")


async def run(count: int, ledger: Path | None) -> None:
    """Stream all items once."""
    done = 0
    async with ParallelBatchProcessor[str, str, None](
        max_workers=50, observers=[MetricsObserver()], ledger=ledger
    ) as processor:
        async for result in processor.stream(items(count)):
            done += result.success
    assert done == count


def main(count: int, kind: str, *more: str) -> None:
    """Measure one run."""
    suffix = {"none": None, "sqlite": ".db", "jsonl": ".jsonl"}[kind]
    with tempfile.TemporaryDirectory() as folder:
        ledger = None if suffix is None else Path(folder) / f"run{suffix}"
        if "rerun" in more:
            asyncio.run(run(count, ledger))
        meter = Meter()
        asyncio.run(run(count, ledger))
        meter.report(count)


main(int(sys.argv[1]), *sys.argv[2:])
