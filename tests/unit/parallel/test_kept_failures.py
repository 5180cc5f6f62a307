"""What a failure keeps, and what it does not."""

from __future__ import annotations

import asyncio
import copy
import pickle
from typing import Any

import pytest

import batch_llm
from batch_llm import (
    BatchResult,
    LLMRequest,
    LLMWorkItem,
    MissingExtraError,
    ParallelBatchProcessor,
    ProcessorConfig,
    RateLimitedError,
    RetryConfig,
    SourceError,
)

from ...standins import Model, items


class Fails(Model):
    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        secret_answer = f"an answer to {prompt}"
        assert secret_answer
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error


async def failure(**config: Any) -> BaseException:
    settings = ProcessorConfig(retry=RetryConfig(max_attempts=1), **config)
    async with ParallelBatchProcessor[Any, Any, None](config=settings) as processor:
        (result,) = await processor.process_all(items(1, Fails()))
    assert result.exception is not None
    return result.exception


async def test_a_kept_exception_holds_no_frames_and_says_where_it_was_raised() -> None:
    error = await failure()
    assert error.__traceback__ is None
    assert error.__cause__ is not None
    assert error.__cause__.__traceback__ is None
    assert any("execute" in note for note in error.__notes__)


async def test_detailed_logging_keeps_the_traceback() -> None:
    error = await failure(enable_detailed_logging=True)
    assert error.__traceback__ is not None


async def test_a_limit_that_lets_none_through_ends_after_the_budget() -> None:
    model = Model(RateLimitedError("never", retry_after=1.0))
    async with ParallelBatchProcessor[Any, Any, None](max_workers=4) as processor:
        batch = await processor.process_all(items(4, model))
    assert [result.attempts for result in batch] == [21] * 4
    assert {result.error_category for result in batch} == {"rate_limit"}


async def test_come_back_at_once_is_no_busy_loop() -> None:
    model = Model(RateLimitedError("again", retry_after=0.0))
    async with ParallelBatchProcessor[Any, Any, None](max_workers=1) as processor:
        await processor.process_all(items(1, model))
        stats = await processor.get_stats()
    assert stats["duration"] > 60


def test_a_processor_serves_one_event_loop_after_another() -> None:
    model = Model([RateLimitedError("wait", retry_after=0.001), "first", "second"])
    config = ProcessorConfig(max_requests_per_minute=100_000)
    processor = ParallelBatchProcessor[Any, Any, None](config=config)
    for _ in range(2):
        batch = asyncio.run(processor.process_all(items(1, model)))
        assert batch.succeeded == 1


def test_what_is_raised_and_kept_can_be_copied() -> None:
    missing = MissingExtraError("The local model", "local")
    assert str(pickle.loads(pickle.dumps(missing))) == str(missing)
    broken = SourceError("broken", BatchResult([]))
    assert copy.deepcopy(broken).result == BatchResult([])


def test_a_request_with_a_schema_equals_its_twin_and_can_be_pickled() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    request = LLMRequest("hi", output_schema=schema)
    assert request == LLMRequest("hi", output_schema=dict(schema))
    assert pickle.loads(pickle.dumps(request)) == request
    assert len({request, LLMRequest("hi", output_schema=dict(schema))}) == 1


@pytest.mark.parametrize("prompt", [None, 5, ["a"], {"a": 1}, b"bytes"])
def test_a_prompt_that_is_no_text_is_refused_with_the_items_name(prompt: Any) -> None:
    with pytest.raises(ValueError, match="'x'"):
        LLMWorkItem("x", Model(), prompt)


def test_rooms_are_attributes_of_the_package() -> None:
    assert batch_llm.core.RetryConfig is RetryConfig
    assert batch_llm.testing.MockAgent
