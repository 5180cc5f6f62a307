"""Attempts after the first, and the waits between them."""

from __future__ import annotations

from typing import Any

import pytest

from batch_llm import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    DefaultErrorClassifier,
    ErrorInfo,
    InvalidRequestError,
    LLMCallStrategy,
    OutputTruncatedError,
    OutputValidationError,
    ParallelBatchProcessor,
    ProcessorConfig,
    ProviderTimeoutError,
    RefusalError,
    RetryConfig,
    RetryState,
    ServerError,
)

from ...standins import NO_WAIT, Model, item, items, limited, now


def processor_with(
    retry: RetryConfig, workers: int = 1, **more: Any
) -> ParallelBatchProcessor[Any, Any, None]:
    return ParallelBatchProcessor(config=ProcessorConfig(max_workers=workers, retry=retry), **more)


async def test_an_attempt_that_failed_is_made_again_until_one_succeeds() -> None:
    model = Model([ConnectionError("1"), ServerError("2", status_code=503), "out"])
    async with processor_with(RetryConfig(max_attempts=5)) as processor:
        (result,) = await processor.process_all([item("a", model)])
        stats = await processor.get_stats()
    assert result.success
    assert result.output == "out"
    assert result.error is None
    assert result.attempts == 3
    assert model.attempts == [1, 2, 3]
    assert stats["retries"] == 2


@pytest.mark.parametrize("most", [1, 2, 3, 7])
async def test_no_more_than_max_attempts_are_made_and_the_last_error_is_told(most: int) -> None:
    model = Model([ConnectionError(str(number)) for number in range(1, 20)])
    retry = RetryConfig(max_attempts=most, initial_wait=0.0)
    async with processor_with(retry) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert model.attempts == list(range(1, most + 1))
    assert result.error == f"ConnectionError: {most}"
    assert result.attempts == most
    assert result.error_category == "connection_error"


async def test_the_wait_doubles_up_to_the_longest() -> None:
    model = Model(ConnectionError())
    retry = RetryConfig(max_attempts=7, initial_wait=1.0, max_wait=10.0, jitter=False)
    async with processor_with(retry) as processor:
        await processor.process_all([item("a", model)])
    waits = [after - before for before, after in zip(model.starts, model.starts[1:], strict=False)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


async def test_the_wait_grows_by_the_base_given() -> None:
    model = Model(ConnectionError(), seconds=1.0)
    retry = RetryConfig(max_attempts=4, initial_wait=2.0, exponential_base=3.0, jitter=False)
    async with processor_with(retry) as processor:
        await processor.process_all([item("a", model)])
    assert model.starts == [0.0, 3.0, 10.0, 29.0]


async def test_jitter_shortens_each_wait_by_at_most_half_and_keeps_items_out_of_step() -> None:
    model = Model(ConnectionError())
    retry = RetryConfig(max_attempts=2, initial_wait=10.0, jitter=True)
    async with processor_with(retry, workers=200) as processor:
        await processor.process_all(items(200, model))
    seconds = model.starts[200:]
    assert all(5.0 <= second <= 10.0 for second in seconds)
    assert len(set(seconds)) > 150
    assert min(seconds) < 6.0
    assert max(seconds) > 9.0


async def test_jitter_is_on_unless_turned_off() -> None:
    model = Model(ConnectionError())
    async with processor_with(RetryConfig(), workers=50) as processor:
        await processor.process_all(items(50, model))
    assert len({round(start, 6) for start in model.starts[50:100]}) > 30


async def test_a_wait_between_attempts_holds_its_worker_and_no_other() -> None:
    bad, good = Model([ConnectionError(), "out"]), Model(seconds=1.0)
    retry = RetryConfig(initial_wait=50.0, jitter=False)
    async with processor_with(retry, workers=2) as processor:
        await processor.process_all([item("bad", bad), *items(10, good)])
    assert good.starts == [float(number) for number in range(10)]
    assert bad.starts == [0.0, 50.0]


@pytest.mark.parametrize(
    "error",
    [
        OutputValidationError("no such field"),
        type("ValidationError", (ValueError,), {})("field required"),
        __import__("json").JSONDecodeError("Expecting value", "", 0),
        type("UnexpectedModelBehavior", (RuntimeError,), {})("exceeded maximum retries"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_validation_errors_are_tried_again_at_once(error: Exception) -> None:
    model = Model([error, error, "out"])
    retry = RetryConfig(initial_wait=30.0, jitter=False)
    async with processor_with(retry) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert result.output == "out"
    assert model.starts == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (ValueError("v"), "logic_error"),
        (TypeError("t"), "logic_error"),
        (KeyError("k"), "logic_error"),
        (AttributeError("a"), "logic_error"),
        (AuthenticationError("401", status_code=401), "client_error"),
        (InvalidRequestError("400", status_code=400), "client_error"),
        (RefusalError("no"), "client_error"),
        (OutputTruncatedError("cut"), "client_error"),
        (ConfigurationError("setting"), "client_error"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_would_fail_again_is_not_tried_again(error: Exception, category: str) -> None:
    model = Model(error)
    async with processor_with(NO_WAIT) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert model.calls == 1
    assert result.error_category == category
    assert result.exception is error


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (RuntimeError("who knows"), "unknown"),
        (ConnectionResetError("reset"), "connection_error"),
        (ConnectionFailedError("refused"), "connection_error"),
        (ServerError("500", status_code=500), "server_error"),
        (ProviderTimeoutError("no answer"), "api_timeout"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_may_succeed_later_is_tried_again(error: Exception, category: str) -> None:
    model = Model(error)
    async with processor_with(NO_WAIT) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert model.calls == 3
    assert result.error_category == category


async def test_a_wait_that_the_provider_asks_for_is_the_least_before_the_next_attempt() -> None:
    model = Model([ServerError("503", status_code=503, retry_after=42.0), "out"])
    retry = RetryConfig(initial_wait=1.0, jitter=False)
    async with processor_with(retry) as processor:
        await processor.process_all([item("a", model)])
    assert model.starts == [0.0, 42.0]


async def test_a_classifier_of_ones_own_decides() -> None:
    class Stubborn(DefaultErrorClassifier):
        def classify(self, exception: Exception) -> ErrorInfo:
            return ErrorInfo(True, False, False, "mine", suggested_wait=7.0)

    model = Model([TypeError(), KeyError(), "out"])
    async with processor_with(NO_WAIT, error_classifier=Stubborn()) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert result.success
    assert model.starts == [0.0, 7.0, 14.0]


# -- what a strategy learns


async def test_one_retry_state_an_item_reaches_every_execute_and_on_error() -> None:
    model = Model(ConnectionError())
    async with processor_with(NO_WAIT, workers=2) as processor:
        await processor.process_all([item("a", model), item("b", model)])
    of_item: dict[str, set[int]] = {}
    for prompt, state in zip(model.prompts, model.states, strict=True):
        assert isinstance(state, RetryState)
        of_item.setdefault(prompt, set()).add(id(state))
    assert [len(states) for states in of_item.values()] == [1, 1]
    assert of_item["a"] != of_item["b"]
    assert {id(state) for _, _, state in model.heard} == of_item["a"] | of_item["b"]


async def test_what_one_attempt_leaves_in_the_state_the_next_one_finds() -> None:
    class Remembers(Model):
        async def execute(
            self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
        ) -> Any:
            assert state is not None
            if "partial" in state:
                return state.get("partial") + state.get("why"), {}
            state.set("partial", "half ")
            raise ServerError("cut", status_code=500)

        async def on_error(
            self, exception: Exception, attempt: int, state: RetryState | None = None
        ) -> None:
            assert state is not None
            state.set("why", f"after {exception} in attempt {attempt}")

    async with processor_with(NO_WAIT) as processor:
        (result,) = await processor.process_all([item("a", Remembers())])
    assert result.output == "half after cut in attempt 1"


async def test_on_error_hears_of_every_failed_attempt_the_last_included() -> None:
    model = Model([ConnectionError(), TypeError(), "never"])
    async with processor_with(NO_WAIT) as processor:
        await processor.process_all([item("a", model)])
    assert [(name, attempt) for name, attempt, _ in model.heard] == [
        ("ConnectionError", 1),
        ("TypeError", 2),
    ]


async def test_on_error_comes_before_classification() -> None:
    order = []

    class Listens(Model):
        async def on_error(
            self, exception: Exception, attempt: int, state: RetryState | None = None
        ) -> None:
            order.append("on_error")

    class Judge(DefaultErrorClassifier):
        def classify(self, exception: Exception) -> ErrorInfo:
            order.append("classify")
            return super().classify(exception)

    async with processor_with(NO_WAIT, error_classifier=Judge()) as processor:
        await processor.process_all([item("a", Listens([ConnectionError(), "out"]))])
    assert order == ["on_error", "classify"]


async def test_an_error_in_on_error_is_logged_and_hides_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Faulty(Model):
        async def on_error(
            self, exception: Exception, attempt: int, state: RetryState | None = None
        ) -> None:
            raise ZeroDivisionError("in on_error")

    model = Faulty(ConnectionError("gone"))
    async with processor_with(NO_WAIT) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert model.calls == 3
    assert result.error == "ConnectionError: gone"
    assert any(
        record.levelname == "WARNING" and "on_error" in record.message for record in caplog.records
    )


async def test_the_attempt_number_does_not_count_rate_limits() -> None:
    model = Model([limited(1.0), ConnectionError(), limited(1.0), "out"])
    async with processor_with(NO_WAIT) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert model.attempts == [1, 1, 2, 2]
    assert result.attempts == 4


async def test_a_strategy_need_not_call_super_init() -> None:
    class Bare(LLMCallStrategy[str]):
        def __init__(self, greeting: str) -> None:
            self.greeting = greeting

        async def execute(
            self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
        ) -> Any:
            return f"{self.greeting} {prompt}", {}

    async with processor_with(NO_WAIT) as processor:
        (result,) = await processor.process_all([item("Ada", Bare("Hello"))])
    assert result.output == "Hello Ada"


async def test_the_timeout_is_told_to_every_attempt() -> None:
    told = []

    class Asks(Model):
        async def execute(
            self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
        ) -> Any:
            told.append(timeout)
            return await super().execute(prompt, attempt, timeout, state)

    async with ParallelBatchProcessor[Any, Any, None](timeout_per_item=17.5) as processor:
        await processor.process_all([item("a", Asks([ConnectionError(), "out"]))])
    assert told == [17.5, 17.5]


async def test_a_retry_waits_from_the_failure_on() -> None:
    model = Model([ConnectionError(), "out"], seconds=4.0)
    async with processor_with(RetryConfig(initial_wait=3.0, jitter=False)) as processor:
        (result,) = await processor.process_all([item("a", model)])
    assert model.starts == [0.0, 7.0]
    assert result.duration_seconds == now() == 11.0
