"""What no later call can mend: a refused key and an empty account."""

from __future__ import annotations

from typing import Any

import pytest

from batch_llm import (
    AuthenticationError,
    InvalidRequestError,
    ParallelBatchProcessor,
    ProcessorConfig,
    RateLimitedError,
)

from ...standins import Model, items

REFUSED = AuthenticationError("no such key", status_code=401)
EMPTY = RateLimitedError("pay first", status_code=429, code="insufficient_quota")


async def run(model: Model, *more: Model, **settings: Any) -> Any:
    config = ProcessorConfig(max_workers=1, **settings)
    async with ParallelBatchProcessor(config=config) as processor:
        work = [each for other in (model, *more) for each in items(5, other)]
        return await processor.process_all(work)


@pytest.mark.parametrize("error", [REFUSED, EMPTY], ids=["key", "balance"])
async def test_no_further_call_of_the_strategy_is_made(error: Exception) -> None:
    model = Model(error)
    result = await run(model)
    assert model.calls == 1
    assert result.failed == 5
    assert len({each.error for each in result}) == 1
    assert [each.attempts for each in result] == [1, 0, 0, 0, 0]


async def test_other_strategies_go_on() -> None:
    model, other = Model(REFUSED), Model("out")
    result = await run(model, other)
    assert (model.calls, other.calls) == (1, 5)
    assert result.succeeded == 5


async def test_a_run_can_go_on_all_the_same() -> None:
    model = Model(REFUSED)
    await run(model, fail_fast=())
    assert model.calls == 5


async def test_one_of_the_two_can_be_named() -> None:
    key, balance = Model(REFUSED), Model(EMPTY)
    await run(key, balance, fail_fast=("balance",))
    assert (key.calls, balance.calls) == (5, 1)


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError("bad prompt", status_code=400),
        AuthenticationError("what this prompt says is not allowed", status_code=403),
    ],
)
async def test_what_is_wrong_with_one_request_stops_no_other(error: Exception) -> None:
    model = Model(error)
    await run(model)
    assert model.calls == 5


async def test_the_next_run_tries_again() -> None:
    model = Model([REFUSED, "out"])
    async with ParallelBatchProcessor(max_workers=1) as processor:
        first = await processor.process_all(items(3, model))
        second = await processor.process_all(items(3, model))
    assert (first.succeeded, second.succeeded) == (0, 3)
