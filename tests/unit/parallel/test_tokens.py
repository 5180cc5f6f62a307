"""Tokens: of every attempt, also of those that failed."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from batch_llm import (
    OutputValidationError,
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorConfig,
    ServerError,
    TokenUsage,
)

from ...standins import NO_WAIT, Ear, Model, item, items, limited

BILLED: TokenUsage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}


def processor() -> ParallelBatchProcessor[Any, Any, None]:
    return ParallelBatchProcessor(config=ProcessorConfig(max_workers=1, retry=NO_WAIT))


async def one(model: Model) -> Any:
    async with processor() as running:
        (result,) = await running.process_all([item("a", model)])
        stats = await running.get_stats()
    assert stats["total_input_tokens"] == result.token_usage["input_tokens"]
    assert stats["total_output_tokens"] == result.token_usage["output_tokens"]
    assert stats["total_tokens"] == result.token_usage["total_tokens"]
    return result


async def test_tokens_of_failed_attempts_count_where_a_retry_succeeds() -> None:
    error = OutputValidationError("not JSON", usage=BILLED)
    model = Model([error, error, "out"], usage={"input_tokens": 7, "output_tokens": 1})
    result = await one(model)
    assert result.success
    assert result.token_usage == {"input_tokens": 207, "output_tokens": 21, "total_tokens": 228}


async def test_tokens_of_failed_attempts_count_where_all_fail() -> None:
    result = await one(Model(ServerError("500", status_code=500, usage=BILLED)))
    assert not result.success
    assert result.token_usage == {"input_tokens": 300, "output_tokens": 30, "total_tokens": 330}


class Usage:
    def __init__(self, **counts: Any) -> None:
        self.__dict__.update(counts)


class Result:
    def __init__(self, usage: Any) -> None:
        self._usage = usage

    def usage(self) -> Any:
        return self._usage


def caused(cause: BaseException) -> Exception:
    error = RuntimeError("wrapped")
    error.__cause__ = cause
    return error


def with_attributes(**attributes: Any) -> Exception:
    error = RuntimeError("billed")
    error.__dict__.update(attributes)
    return error


@pytest.mark.parametrize(
    "error",
    [
        caused(with_attributes(result=Result(Usage(request_tokens=100, response_tokens=10)))),
        caused(with_attributes(result=Result(Usage(input_tokens=100, output_tokens=10)))),
        with_attributes(usage=BILLED),
        with_attributes(usage={"prompt_tokens": 100, "completion_tokens": 10}),
        with_attributes(usage=lambda: Usage(input_tokens=100, output_tokens=10)),
        with_attributes(_failed_token_usage=BILLED),
        with_attributes(_failed_token_usage={"input_tokens": 100, "output_tokens": 10}),
        caused(caused(with_attributes(usage=BILLED))),
    ],
)
async def test_usage_is_found_wherever_an_exception_carries_it(error: Exception) -> None:
    result = await one(Model([error, "out"], usage={}))
    assert result.token_usage == BILLED


async def test_an_exception_is_counted_once_though_its_cause_carries_the_usage_too() -> None:
    inner = with_attributes(usage=BILLED)
    outer = with_attributes(usage=BILLED)
    outer.__cause__ = inner
    result = await one(Model([outer, "out"]))
    assert result.token_usage == BILLED


async def test_where_there_is_none_it_is_zero_and_a_debug_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG, "batch_llm"):
        result = await one(Model([ConnectionError("gone"), "out"]))
    assert result.token_usage == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert any(
        record.levelname == "DEBUG" and "ConnectionError" in record.message
        for record in caplog.records
    )


async def test_tokens_of_refused_calls_count_too() -> None:
    result = await one(Model([limited(1.0, usage=BILLED), "out"]))
    assert result.token_usage == BILLED


async def test_cached_tokens_are_added_up_and_shown_only_where_there_are_any() -> None:
    error = ServerError("500", usage={"input_tokens": 10, "cached_input_tokens": 8})
    model = Model([error, "out"], usage={"input_tokens": 10, "cached_input_tokens": 5})
    result = await one(model)
    assert result.token_usage == {
        "input_tokens": 20,
        "output_tokens": 0,
        "total_tokens": 20,
        "cached_input_tokens": 13,
    }


async def test_a_total_of_the_providers_own_is_kept() -> None:
    """Some bill more than input and output: thinking, for one."""
    result = await one(Model(usage={"input_tokens": 5, "output_tokens": 5, "total_tokens": 90}))
    assert result.token_usage["total_tokens"] == 90


async def test_tokens_of_a_cancelled_item_are_not_forgotten() -> None:
    import asyncio

    model = Model(ServerError("500", usage=BILLED), seconds=1.0)
    config = ProcessorConfig(max_workers=1)
    async with ParallelBatchProcessor[Any, Any, None](config=config) as running:
        run = asyncio.create_task(running.process_all(items(1, model)))
        await asyncio.sleep(1.2)
        running.stop()
        (result,) = await run
        stats = await running.get_stats()
    assert result.outcome == "cancelled"
    assert result.token_usage == BILLED
    assert stats["total_tokens"] == 110


async def test_observers_hear_of_the_tokens_of_all_attempts() -> None:
    ear = Ear()
    model = Model([ServerError("500", usage=BILLED), "out"], usage={"input_tokens": 1})
    async with ParallelBatchProcessor(
        config=ProcessorConfig(retry=NO_WAIT), observers=[ear]
    ) as running:
        await running.process_all(items(1, model))
    assert ear.heard(ProcessingEvent.ITEM_COMPLETED)[0]["tokens"] == 111


async def test_results_of_a_run_do_not_share_their_counts() -> None:
    async with processor() as running:
        batch = await running.process_all(items(2, Model(usage=BILLED)))
    batch.results[0].token_usage["input_tokens"] = 0
    assert batch.results[1].token_usage["input_tokens"] == 100
    assert BILLED["input_tokens"] == 100
