"""What is logged, and what never is."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from batch_llm import (
    DefaultErrorClassifier,
    ErrorInfo,
    LLMRequest,
    LLMWorkItem,
    OutputValidationError,
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorConfig,
    ProcessorObserver,
    RateLimitStrategy,
    RequestStrategy,
    RetryConfig,
    ServerError,
)

from ...standins import NO_WAIT, Model, Step, limited

PROMPT = "the-secret-prompt"
ANSWER = "the-secret-answer"
KEY = "sk-the-secret-key"


def detailed(**more: Any) -> ParallelBatchProcessor[Any, Any, Any]:
    config = ProcessorConfig(
        max_workers=2,
        retry=RetryConfig(max_attempts=9, initial_wait=0.0),
        enable_detailed_logging=True,
        progress_interval=1,
    )
    return ParallelBatchProcessor(config=config, rate_limit_cooldown=1.0, **more)


async def test_detailed_logging_tells_of_each_attempt_and_its_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    model = Model([ServerError("down", status_code=503), "out"])
    with caplog.at_level(logging.DEBUG, "batch_llm"):
        async with detailed() as processor:
            await processor.process_all([LLMWorkItem("item-7", model, "p")])
    told = [record.message for record in caplog.records if "item-7" in record.message]
    assert any("attempt 1" in line for line in told)
    assert any("attempt 1 failed" in line and "server_error" in line for line in told)
    assert any("attempt 2" in line for line in told)


async def test_without_it_attempts_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    model = Model([ServerError("down", status_code=503), "out"])
    with caplog.at_level(logging.DEBUG, "batch_llm"):
        async with ParallelBatchProcessor(config=ProcessorConfig(retry=NO_WAIT)) as processor:
            await processor.process_all([LLMWorkItem("item-7", model, "p")])
    assert not any("attempt" in record.message for record in caplog.records)


class Echoes(Model, RequestStrategy[Any]):
    """Fails in every way there is, and its own faults quote all they know."""

    def __init__(self) -> None:
        super().__init__(
            [
                limited(),
                limited(1.0),
                OutputValidationError(f"does not fit: {ANSWER}"),
                ConnectionError(f"could not send {PROMPT} with {KEY}"),
                asyncio.CancelledError(),
                ANSWER,
            ]
        )
        self.api_key = KEY

    def __repr__(self) -> str:
        return f"Echoes({KEY})"

    async def on_error(self, exception: Exception, attempt: int, state: Any = None) -> None:
        raise ValueError(f"cannot use {exception} of {PROMPT}") from exception

    async def cleanup(self) -> None:
        raise ValueError(f"cannot forget {ANSWER}")

    async def aclose(self) -> None:
        raise ValueError(f"cannot close {KEY}")


class Quotes(DefaultErrorClassifier, RateLimitStrategy, ProcessorObserver):
    """Classifier, pacing and observer in one; each quotes what it sees, and fails."""

    def classify(self, exception: Exception) -> ErrorInfo:
        if isinstance(exception, OutputValidationError):
            raise ValueError(f"what is {exception}?")
        return super().classify(exception)

    async def on_rate_limit(self, worker_id: int, consecutive_limits: int) -> float:
        raise ValueError(PROMPT)

    def should_apply_slow_start(self, items_since_resume: int) -> tuple[bool, float]:
        raise ValueError(PROMPT)

    async def on_event(self, event: ProcessingEvent, data: Any) -> None:
        raise ValueError(f"{KEY} {data}")


@pytest.mark.parametrize("prompt", [PROMPT, LLMRequest(PROMPT, system=PROMPT)])
async def test_no_prompt_answer_or_key_is_logged_whatever_fails(
    prompt: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def quotes(*seen: object) -> None:
        raise ValueError(f"cannot use {seen} {ANSWER}")

    with caplog.at_level(logging.DEBUG):
        async with detailed(
            post_processor=quotes,
            progress_callback=quotes,
            middlewares=[Step(after=quotes)],
            observers=[Quotes()],
            error_classifier=Quotes(),
            rate_limit_strategy=Quotes(),
        ) as processor:
            batch = await processor.process_all([LLMWorkItem("a", Echoes(), prompt, PROMPT)])
    assert batch.results[0].output == ANSWER
    for step in ("on_error", "cleanup", "close", "post-processor", "progress", "after_process"):
        assert any(step in record.message for record in caplog.records), step
    for step in ("on_rate_limit", "should_apply_slow_start", "Observer", "taken as unknown"):
        assert any(step in record.message for record in caplog.records), step
    for secret in (PROMPT, ANSWER, KEY):
        assert secret not in caplog.text


async def test_no_prompt_or_answer_is_in_the_errors_of_the_engine() -> None:
    class Long(Model):
        async def execute(
            self, prompt: str, attempt: int, timeout: float, state: Any = None
        ) -> Any:
            if attempt == 1:
                await asyncio.sleep(1_000)
            return ANSWER

    config = ProcessorConfig(timeout_per_item=5.0, retry=NO_WAIT)
    async with ParallelBatchProcessor[Any, Any, Any](config=config) as processor:
        (result,) = await processor.process_all([LLMWorkItem("a", Long(), PROMPT)])
    assert not result.success
    for text in (result.error or "", repr(result.exception), str(result.exception)):
        assert PROMPT not in text
        assert ANSWER not in text


async def test_a_result_does_not_show_its_exception_in_its_repr() -> None:
    model = Model(TypeError(f"could not use {KEY}" + " " * 300 + KEY))
    async with detailed() as processor:
        (result,) = await processor.process_all([LLMWorkItem("a", model, PROMPT)])
    assert PROMPT not in repr(result)
    assert repr(result).count(KEY) <= 1, "the message, cut; not the exception besides"


async def test_everything_is_logged_under_one_name(caplog: pytest.LogCaptureFixture) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.DEBUG):
        async with detailed(post_processor=fails, progress_callback=fails) as processor:
            await processor.process_all([LLMWorkItem("a", Echoes(), PROMPT)])
    names = {record.name for record in caplog.records if record.name != "asyncio"}
    assert all(name == "batch_llm" or name.startswith("batch_llm.") for name in names)
