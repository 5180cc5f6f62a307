"""What is logged, and what never is."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from batch_llm import (
    LLMRequest,
    LLMWorkItem,
    OutputValidationError,
    ParallelBatchProcessor,
    ProcessorConfig,
    RequestStrategy,
    ServerError,
)

from ...standins import NO_WAIT, Model, limited

PROMPT = "the-secret-prompt"
ANSWER = "the-secret-answer"
KEY = "sk-the-secret-key"


def detailed(**more: Any) -> ParallelBatchProcessor[Any, Any, Any]:
    config = ProcessorConfig(
        max_workers=2, retry=NO_WAIT, enable_detailed_logging=True, progress_interval=1
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
    """Fails in every way there is, with nothing secret of its own in the errors."""

    def __init__(self) -> None:
        super().__init__(
            [
                limited(),
                limited(1.0),
                OutputValidationError("does not fit"),
                asyncio.CancelledError(),
                ANSWER,
            ]
        )
        self.api_key = KEY

    def __repr__(self) -> str:
        return f"Echoes({KEY})"

    async def on_error(self, exception: Exception, attempt: int, state: Any = None) -> None:
        state.set("prompt", PROMPT)
        raise ZeroDivisionError

    async def cleanup(self) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("prompt", [PROMPT, LLMRequest(PROMPT, system=PROMPT)])
async def test_no_prompt_answer_or_key_is_logged_whatever_fails(
    prompt: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.DEBUG):
        async with detailed(post_processor=fails, progress_callback=fails) as processor:
            batch = await processor.process_all([LLMWorkItem("a", Echoes(), prompt, PROMPT)])
    assert batch.results[0].output == ANSWER
    assert caplog.records
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
