"""Strategies that leave each attempt to others."""

from __future__ import annotations

from typing import Any

from batch_llm import (
    AuthenticationError,
    ConnectionFailedError,
    EscalatingStrategy,
    OutputValidationError,
    ParallelBatchProcessor,
    ProcessorConfig,
    StrategyPool,
)

from ...standins import NO_WAIT, Model, items, limited


class Keyed(Model):
    """A model with a quota of its own."""

    def __init__(self, scope: str, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.quota_scope = scope


async def run(strategy: Any, count: int = 6, workers: int = 1, **settings: Any) -> Any:
    config = ProcessorConfig(max_workers=workers, retry=NO_WAIT, **settings)
    async with ParallelBatchProcessor(config=config) as processor:
        return await processor.process_all(items(count, strategy))


async def test_an_answer_that_does_not_fit_goes_to_the_stronger_model() -> None:
    cheap, strong = Model(OutputValidationError("no")), Model("out")
    result = await run(EscalatingStrategy([cheap, strong]), 3)
    assert result.succeeded == 3
    assert (cheap.calls, strong.calls) == (3, 3)
    assert [each.attempts for each in result] == [2, 2, 2]
    assert cheap.preparations == strong.preparations == 1
    assert cheap.cleanups == strong.cleanups == 3
    assert cheap.closings == strong.closings == 1


async def test_a_broken_connection_does_not() -> None:
    cheap, strong = Model([ConnectionFailedError("no"), "out"]), Model("dear")
    result = await run(EscalatingStrategy([cheap, strong]), 1)
    assert result.results[0].output == "out"
    assert strong.calls == 0


async def test_a_pool_shares_the_work() -> None:
    first, second = Keyed("a", "out", seconds=1.0), Keyed("b", "out", seconds=1.0)
    result = await run(StrategyPool([first, second]), 20, workers=4)
    assert result.succeeded == 20
    assert (first.calls, second.calls) == (10, 10)


async def test_a_pool_goes_on_without_a_key_that_is_refused() -> None:
    bad = Keyed("a", AuthenticationError("no such key", status_code=401))
    good = Keyed("b", "out")
    result = await run(StrategyPool([bad, good]), 10)
    assert result.succeeded == 10
    assert bad.calls == 1


async def test_a_pool_goes_on_without_a_server_that_is_down() -> None:
    down, up = Keyed("a", ConnectionFailedError("refused")), Keyed("b", "out")
    result = await run(StrategyPool([down, up]), 60)
    assert result.succeeded == 60
    assert down.calls < 20


async def test_a_pool_goes_on_with_the_key_that_is_not_limited() -> None:
    limited_once = Keyed("a", [limited(retry_after=1000), "late"])
    free = Keyed("b", "out")
    result = await run(StrategyPool([limited_once, free]), 10)
    assert result.succeeded == 10
    assert free.calls == 10


async def test_where_all_keys_are_refused_the_items_fail_at_once() -> None:
    refused = AuthenticationError("no such key", status_code=401)
    first, second = Keyed("a", refused), Keyed("b", refused)
    result = await run(StrategyPool([first, second]), 5)
    assert result.failed == 5
    assert (first.calls, second.calls) == (1, 1)


async def test_a_pool_of_escalations() -> None:
    cheap = [Keyed(f"cheap {n}", OutputValidationError("no")) for n in range(2)]
    strong = [Keyed(f"strong {n}", "out") for n in range(2)]
    pool = StrategyPool([EscalatingStrategy([c, s]) for c, s in zip(cheap, strong, strict=True)])
    result = await run(pool, 4)
    assert result.succeeded == 4
    assert sum(each.calls for each in cheap) == sum(each.calls for each in strong) == 4


async def test_items_in_the_line_of_a_paused_key_go_on_with_another() -> None:
    paused = Keyed("a", [limited(retry_after=1000), "late"], seconds=1.0)
    busy = Keyed("b", "out", seconds=1.0)
    config = ProcessorConfig(
        max_workers=40, retry=NO_WAIT, max_tokens_per_minute=1_000_000, run_deadline_seconds=100
    )
    async with ParallelBatchProcessor(config=config) as processor:
        result = await processor.process_all(items(200, StrategyPool([paused, busy])))
    assert result.succeeded == 200


async def test_leaving_a_line_loses_no_permit() -> None:
    first, second = Keyed("a", "out", seconds=1.0), Keyed("b", "out", seconds=1.0)
    first.answer = [*["out"] * 10, limited(retry_after=20), "out"]
    second.answer = [*["out"] * 10, limited(retry_after=40), "out"]
    config = ProcessorConfig(max_workers="auto", retry=NO_WAIT)
    async with ParallelBatchProcessor(config=config) as processor:
        result = await processor.process_all(items(300, StrategyPool([first, second])))
        assert processor._gate is not None
        scopes = processor._gate._scopes.values()
        finders = [scope._concurrency for scope in scopes]
        assert [finder.in_flight for finder in finders if finder is not None] == [0, 0]
    assert result.succeeded == 300


class Cut(Model):
    """A model whose plain texts stop at the token limit, as built-in strategies tell it."""

    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        answer = await super().execute(prompt, attempt, timeout, state)
        state.set("finish_reason", "length")
        return answer


class Whole(Model):
    """A model whose texts come to their end."""

    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        answer = await super().execute(prompt, attempt, timeout, state)
        state.set("finish_reason", "stop")
        return answer


async def test_a_text_that_was_cut_goes_to_the_next_model() -> None:
    short, long = Cut("Effective but", usage={"input_tokens": 1}), Whole("Effective but to whom?")
    result = await run(EscalatingStrategy([short, long]), 2)
    assert [each.output for each in result] == ["Effective but to whom?"] * 2
    assert (short.calls, long.calls) == (2, 2)
    assert result.results[0].token_usage["input_tokens"] == 1


async def test_a_text_that_the_last_model_cuts_too_is_returned_as_it_is() -> None:
    result = await run(EscalatingStrategy([Cut("a"), Cut("ab")]), 1)
    assert result.results[0].output == "ab"
    assert result.results[0].is_truncated


async def test_without_another_model_a_cut_text_is_a_success() -> None:
    result = await run(Cut("a"), 1)
    assert result.results[0].is_truncated
    assert result.results[0].attempts == 1
