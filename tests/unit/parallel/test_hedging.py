"""A second call where the first one takes long."""

from __future__ import annotations

import asyncio
from typing import Any

from batch_llm import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    HedgeConfig,
    ParallelBatchProcessor,
    ProcessorConfig,
)

from ...standins import NO_WAIT, Model, items, limited, now


class Slow(Model):
    """A model some of whose calls take long, by their number."""

    def __init__(self, slow: dict[int, float], error: Exception | None = None) -> None:
        super().__init__()
        self._slow, self._error = slow, error
        self.cut_off = 0

    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        number = len(self.starts)
        self.starts.append(now())
        try:
            await asyncio.sleep(self._slow.get(number, 1.0))
        except asyncio.CancelledError:
            self.cut_off += 1
            raise
        if self._error is not None and number in self._slow:
            raise self._error
        return f"call {number}", {"input_tokens": 1}


async def run(model: Model, count: int, **hedge: Any) -> Any:
    config = ProcessorConfig(max_workers=1, retry=NO_WAIT, hedge=HedgeConfig(**hedge))
    async with ParallelBatchProcessor(config=config) as processor:
        return await processor.process_all(items(count, model))


async def test_the_faster_of_two_calls_counts() -> None:
    model = Slow({30: 50.0})
    result = await run(model, 31, after_seconds=5)
    assert result.results[-1].output == "call 31"
    assert result.results[-1].duration_seconds == 6
    assert model.cut_off == 1
    assert result.results[-1].attempts == 2
    assert result.results[-1].unanswered_calls == 1
    assert result.results[-1].token_usage["input_tokens"] == 1


async def test_the_first_call_may_still_win() -> None:
    model = Slow({30: 5.5})
    result = await run(model, 31, after_seconds=5)
    assert result.results[-1].output == "call 30"
    assert model.calls == 32
    assert model.cut_off == 1


async def test_no_more_than_one_call_in_twenty_is_added() -> None:
    model = Slow(dict.fromkeys(range(200), 10.0))
    result = await run(model, 100, after_seconds=5)
    assert result.succeeded == 100
    assert model.calls <= 105


async def test_how_late_is_late_is_learned() -> None:
    model = Slow({45: 50.0})
    result = await run(model, 46)
    assert result.results[-1].output == "call 46"
    assert result.results[-1].duration_seconds < 3


async def test_a_first_call_that_fails_waits_for_the_second() -> None:
    model = Slow({30: 5.5}, ConnectionFailedError("no"))
    result = await run(model, 31, after_seconds=5)
    assert result.results[-1].output == "call 31"
    assert result.results[-1].success


async def test_an_attempts_limit_ends_both() -> None:
    model = Slow({30: 500.0, 31: 500.0})
    config = ProcessorConfig(
        max_workers=1, timeout_per_item=20, retry=NO_WAIT, hedge=HedgeConfig(after_seconds=5)
    )
    async with ParallelBatchProcessor(config=config) as processor:
        result = await processor.process_all(items(31, model))
    assert model.cut_off == 2
    assert result.succeeded == 31


class Doubled(Slow):
    """A model whose second calls fail in a way of their own."""

    def __init__(self, late: int, second: Exception) -> None:
        super().__init__({late: 5.5})
        self._late, self._second = late, second

    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        if len(self.starts) == self._late + 1:
            self.starts.append(now())
            raise self._second
        return await super().execute(prompt, attempt, timeout, state)


async def test_a_rate_limit_of_the_second_call_is_obeyed() -> None:
    model = Doubled(30, limited(retry_after=60))
    config = ProcessorConfig(max_workers=1, hedge=HedgeConfig(after_seconds=5))
    async with ParallelBatchProcessor(config=config) as processor:
        result = await processor.process_all(items(33, model))
        stats = await processor.get_stats()
    assert result.succeeded == 33
    assert result.results[30].output == "call 30"
    assert stats["rate_limit_count"] == 1
    refused = model.starts[31]
    assert min(start for start in model.starts if start > refused) >= refused + 60


async def test_a_refused_key_of_the_second_call_ends_the_calls() -> None:
    model = Doubled(30, AuthenticationError("no such key", status_code=401))
    config = ProcessorConfig(max_workers=1, hedge=HedgeConfig(after_seconds=5))
    async with ParallelBatchProcessor(config=config) as processor:
        result = await processor.process_all(items(40, model))
    assert model.calls == 32
    assert result.succeeded == 31


async def test_no_call_is_left_behind_however_often_it_is_cancelled() -> None:
    class Lingering(Slow):
        async def execute(self, *arguments: Any) -> Any:
            try:
                return await super().execute(*arguments)
            finally:
                self.in_flight += 1
                try:
                    await asyncio.sleep(0.5)
                finally:
                    self.in_flight -= 1

    model = Lingering(dict.fromkeys(range(30, 40), 500.0))
    config = ProcessorConfig(
        max_workers=1, timeout_per_item=20, retry=NO_WAIT, hedge=HedgeConfig(after_seconds=5)
    )
    async with ParallelBatchProcessor(config=config) as processor:
        running = asyncio.create_task(processor.process_all(items(31, model)))
        await asyncio.sleep(30 * 1.5 + 20.2)
        running.cancel()
        await asyncio.sleep(0.1)
        running.cancel()
        await asyncio.wait([running])
    assert model.in_flight == 0


async def test_where_both_answer_both_are_paid_for() -> None:
    class Twice(Slow):
        async def execute(self, *arguments: Any) -> Any:
            try:
                return await super().execute(*arguments)
            except asyncio.CancelledError:
                return "after all", {"input_tokens": 1}

    model = Twice({30: 50.0})
    result = await run(model, 31, after_seconds=5)
    assert result.results[-1].output == "call 31"
    assert result.results[-1].token_usage["input_tokens"] == 2


async def test_a_strategy_without_a_bound_is_hedged_where_nothing_limits_tokens_or_money() -> None:
    class Unbounded(Slow):
        def token_bound(self, prompt: Any) -> Any:
            raise ConfigurationError("nobody knows")

    result = await run(Unbounded({30: 50.0}), 31, after_seconds=5)
    assert result.results[-1].output == "call 31"
