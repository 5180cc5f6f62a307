"""Programs as users of earlier versions have written them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm import (
    BaseMiddleware,
    BaseObserver,
    FixedDelayStrategy,
    LLMWorkItem,
    ParallelBatchProcessor,
    ProcessorConfig,
    RateLimitConfig,
    RetryConfig,
    WorkItemResult,
)
from batch_llm.llm_strategies import LLMCallStrategy
from batch_llm.testing import MockAgent, mock_strategy


class Reverses(LLMCallStrategy[str]):
    """Written without `super().__init__()`, and with `state` and no default."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self.prepared = self.executed = self.cleaned = 0

    async def prepare(self) -> None:
        await asyncio.sleep(0.1)
        self.prepared += 1

    async def cleanup(self) -> None:
        self.cleaned += 1

    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any) -> Any:  # type: ignore[override]
        self.executed += 1
        return f"{self.name}{prompt[::-1]}", {"input_tokens": 10, "output_tokens": 5}


@pytest.mark.parametrize("workers", [1, 5, 20, 50])
async def test_a_hundred_items_share_one_strategy(workers: int) -> None:
    strategy = Reverses()
    config = ProcessorConfig(max_workers=workers, timeout_per_item=10.0)
    async with ParallelBatchProcessor[str, str, None](config=config) as processor:
        for number in range(100):
            await processor.add_work(
                LLMWorkItem(item_id=f"item_{number}", strategy=strategy, prompt=f"Test {number}")
            )
        result = await processor.process_all()
    assert (result.total_items, result.succeeded, result.failed) == (100, 100, 0)
    assert (strategy.prepared, strategy.executed, strategy.cleaned) == (1, 100, 100)
    assert result.total_input_tokens == 1_000
    assert {r.item_id: r.output for r in result.results}["item_42"] == "24 tseT"


async def test_strategies_are_prepared_each_once_whatever_the_mix() -> None:
    strategies = [Reverses(name) for name in "ABC"]
    async with ParallelBatchProcessor[str, str, None](max_workers=5) as processor:
        for strategy in strategies:
            for number in range(10):
                await processor.add_work(
                    LLMWorkItem(item_id=f"{strategy.name}{number}", strategy=strategy, prompt="ab")
                )
        result = await processor.process_all()
    assert result.succeeded == 30
    assert [strategy.prepared for strategy in strategies] == [1, 1, 1]


async def test_cleanup_runs_though_prepare_failed_and_says_why() -> None:
    class NoConnection(Reverses):
        async def prepare(self) -> None:
            raise RuntimeError("no connection")

    strategy = NoConnection()
    config = ProcessorConfig(retry=RetryConfig(max_attempts=2, initial_wait=0.01))
    async with ParallelBatchProcessor[str, str, None](config=config) as processor:
        await processor.add_work(LLMWorkItem(item_id="a", strategy=strategy, prompt="x"))
        result = await processor.process_all()
    assert result.results[0].error == "RuntimeError: no connection"
    assert (strategy.executed, strategy.cleaned) == (0, 1)


async def test_an_agent_with_failures_rate_limits_and_timeouts() -> None:
    agent = MockAgent(
        lambda prompt: prompt.upper(), latency=0.01, rate_limit_on_call=3, timeout_on_call=5
    )
    config = ProcessorConfig(
        max_workers=4,
        retry=RetryConfig(max_attempts=3, initial_wait=0.1),
        rate_limit=RateLimitConfig(cooldown_seconds=0.5, slow_start_items=2),
    )
    async with ParallelBatchProcessor[str, str, None](config=config) as processor:
        for number in range(10):
            await processor.add_work(LLMWorkItem(f"i{number}", mock_strategy(agent), "hello"))
        result = await processor.process_all()
        stats = await processor.get_stats()
    assert result.succeeded == 10
    assert {r.output for r in result.results} == {"HELLO"}
    assert stats["rate_limit_count"] == 1
    assert stats["duration"] > 0
    assert result.total_items / stats["duration"] > 0
    assert agent.call_count == 12


async def test_everything_at_once() -> None:
    log: list[str] = []

    class Logs(BaseMiddleware[str, str, dict[str, int]]):
        async def before_process(self, work_item: Any) -> Any:
            log.append(f"before {work_item.item_id}")
            return work_item

    class Counts(BaseObserver):
        async def on_event(self, event: Any, data: Any) -> None:
            log.append(event.value)

    async def save(result: WorkItemResult[str, dict[str, int]]) -> None:
        log.append(f"saved {result.item_id} of row {result.context['row']}")

    def report(completed: int, total: int, current_item_id: str) -> None:
        log.append(f"{completed}/{total} {current_item_id}")

    processor = ParallelBatchProcessor[str, str, dict[str, int]](
        max_workers=1,
        post_processor=save,
        timeout_per_item=30.0,
        rate_limit_strategy=FixedDelayStrategy(cooldown=1.0, delay_between_requests=0.1),
        middlewares=[Logs()],
        observers=[Counts()],
        progress_callback=report,
    )
    async with processor:
        await processor.add_work(LLMWorkItem("a", Reverses(), "xy", {"row": 7}))
        result = await processor.process_all()
    assert result.results[0].context == {"row": 7}
    assert [line for line in log if line != "1/1 a"] == [
        "batch_started",
        "worker_started",
        "before a",
        "item_started",
        "saved a of row 7",
        "item_completed",
        "worker_stopped",
        "batch_completed",
    ]
    assert log.count("1/1 a") == 1
