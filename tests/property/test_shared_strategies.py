"""Processors come and go; the strategy they share is open whenever it is called."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from batch_llm import LLMCallStrategy, ParallelBatchProcessor, ProcessorConfig, RetryConfig

from ..standins import items
from ..virtual import run

SECONDS = st.sampled_from([0.0, 0.0, 0.5, 1.0, 1.0, 2.5])


class Connection(LLMCallStrategy[str]):
    """Open from the end of `prepare()` to the start of `aclose()`; one of these at a time."""

    def __init__(self, opening: float, closing: float, seconds: float) -> None:
        self.opening, self.closing, self.seconds = opening, closing, seconds
        self.state = "closed"
        self.faults: list[str] = []
        self.openings = 0

    async def prepare(self) -> None:
        self._expect("closed", "prepare")
        self.state = "opening"
        try:
            await asyncio.sleep(self.opening)
        except asyncio.CancelledError:
            self.state = "closed"
            raise
        self.state = "open"
        self.openings += 1

    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        self._expect("open", "execute")
        await asyncio.sleep(self.seconds)
        self._expect("open", "the end of execute")
        return prompt, {}

    async def aclose(self) -> None:
        if self.state not in ("open", "closed"):
            self.faults.append(f"aclose while {self.state}")
        self.state = "closing"
        await asyncio.sleep(self.closing)
        self.state = "closed"

    def _expect(self, state: str, step: str) -> None:
        if self.state != state:
            self.faults.append(f"{step} while {self.state}")


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    opening=SECONDS,
    closing=SECONDS,
    seconds=SECONDS,
    users=st.lists(
        st.tuples(
            st.one_of(st.sampled_from([0.0, 1.0, 2.0, 3.0]), st.floats(0, 6)),
            st.integers(0, 6),
            st.integers(1, 3),
            st.sampled_from(["end", "end", "cancel", "cleanup"]),
            st.floats(0, 4),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_a_shared_strategy_is_open_whenever_it_is_called(
    opening: float, closing: float, seconds: float, users: list[tuple[float, int, int, str, float]]
) -> None:
    model = Connection(opening, closing, seconds)
    ended: list[tuple[str, int]] = []
    config = ProcessorConfig(max_workers=2, retry=RetryConfig(max_attempts=1))

    async def use(begin: float, turns: int, count: int, end: str, after: float) -> None:
        await asyncio.sleep(begin)
        for _ in range(turns):
            await asyncio.sleep(0)
        async with ParallelBatchProcessor[str, str, None](config=config) as processor:
            running = asyncio.create_task(processor.process_all(items(count, model)))
            if end != "end":
                await asyncio.sleep(after)
                if end == "cancel":
                    running.cancel()
                else:
                    await processor.cleanup()
            await asyncio.wait([running])
            ended.append((end, processor.results.failed - processor.results.cancelled))
            if end == "end":
                assert running.result().succeeded == count

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for user in users:
                group.create_task(use(*user))

    run(main)
    assert model.faults == []
    assert model.state == "closed"
    assert [failed for _, failed in ended] == [0] * len(users)
