"""Items answered by agents: those of pydantic-ai, and anything of their shape."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelResponse, NativeOutput, TextPart
from pydantic_ai.exceptions import (
    ContentFilterError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRequestTimeout,
    ModelTimeoutError,
    OutputTokenLimitExceeded,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.messages import ModelMessage, ModelRequest, UserPromptPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import RequestUsage

from batch_llm.base import ImagePart, LLMRequest, LLMWorkItem, Message
from batch_llm.base import TextPart as OurText
from batch_llm.core import ProcessorConfig, RetryConfig
from batch_llm.exceptions import InputError
from batch_llm.llm_strategies.pydantic_ai.strategy import PydanticAIStrategy
from batch_llm.parallel import ParallelBatchProcessor
from batch_llm.strategies import DefaultErrorClassifier
from batch_llm.testing import MockAgent, run_in_virtual_time

USAGE_OF_CALL = RequestUsage(input_tokens=10, output_tokens=3, cache_read_tokens=4)
ONE_CALL = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13, "cached_input_tokens": 4}
TWO_CALLS = {key: 2 * count for key, count in ONE_CALL.items()}


class City(BaseModel):
    name: str


class Recorder:
    """A model that answers in turn, the last answer for ever, and keeps what it was asked."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.messages: list[list[ModelMessage]] = []
        self.infos: list[AgentInfo] = []
        self.model = FunctionModel(self._answer)

    def _answer(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.messages.append(list(messages))
        self.infos.append(info)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return ModelResponse(parts=[TextPart(answer)], usage=USAGE_OF_CALL)


class DictAgent:
    """An agent of another library, with the older name of the output."""

    def __init__(self) -> None:
        self.prompts: list[object] = []

    async def run(self, prompt: str) -> Any:
        self.prompts.append(prompt)
        return SimpleNamespace(data=prompt.upper(), usage=lambda: {"input_tokens": 2})


async def run(agent: Any, prompt: str | LLMRequest = "Where?") -> tuple[Any, Any]:
    return await PydanticAIStrategy[Any](agent).execute(prompt, 1, 10.0)


async def test_returns_the_output_and_the_tokens_of_every_request_in_the_run() -> None:
    recorder = Recorder("not a city", '{"name": "Oslo"}')
    output, usage = await run(Agent(recorder.model, output_type=NativeOutput(City), retries=2))
    assert output == City(name="Oslo")
    assert usage == TWO_CALLS


async def test_counts_the_tokens_of_a_run_that_failed() -> None:
    recorder = Recorder("not a city")
    with pytest.raises(UnexpectedModelBehavior) as failed:
        await run(Agent(recorder.model, output_type=NativeOutput(City), retries=1))
    assert failed.value.__dict__["_failed_token_usage"] == TWO_CALLS


async def test_counts_the_tokens_of_a_run_that_was_cancelled() -> None:
    second_call = asyncio.Event()

    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) > 1:
            second_call.set()
            await asyncio.Event().wait()
        return ModelResponse(parts=[TextPart("not a city")], usage=USAGE_OF_CALL)

    agent = Agent(FunctionModel(answer), output_type=NativeOutput(City), retries=1)
    task = asyncio.create_task(run(agent))
    await second_call.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await task
    assert cancelled.value.__dict__["_failed_token_usage"] == ONE_CALL


def test_an_attempt_that_ran_out_of_time_is_counted_in_the_items_result() -> None:
    async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if len(messages) > 1:
            await asyncio.sleep(1000)
        return ModelResponse(parts=[TextPart("not a city")], usage=USAGE_OF_CALL)

    async def main() -> Any:
        agent = Agent(FunctionModel(answer), output_type=NativeOutput(City), retries=1)
        config = ProcessorConfig(timeout_per_item=60.0, retry=RetryConfig(max_attempts=2))
        async with ParallelBatchProcessor[str, City, None](config=config) as processor:
            await processor.add_work(LLMWorkItem("a", PydanticAIStrategy(agent), "Where?"))
            return (await processor.process_all()).results[0]

    result = run_in_virtual_time(main)
    assert (result.error_category, result.attempts) == ("framework_timeout", 2)
    assert result.token_usage == TWO_CALLS


async def test_adds_no_usage_to_a_failure_that_used_nothing() -> None:
    with pytest.raises(ModelHTTPError) as failed:
        await run(Agent(Recorder(ModelHTTPError(500, "m")).model))
    assert "_failed_token_usage" not in failed.value.__dict__


async def test_turns_the_clients_retries_off_and_leaves_other_settings() -> None:
    recorder = Recorder("hi")
    await run(Agent(recorder.model, model_settings={"temperature": 0.5, "max_retries": 3}))
    assert recorder.infos[0].model_settings == {"temperature": 0.5, "max_retries": 0}


async def test_leaves_out_a_setting_that_the_model_would_warn_about() -> None:
    class NoRetries(WrapperModel):
        unsupported_settings = frozenset({"max_retries"})

    recorder = Recorder("hi")
    await run(Agent(NoRetries(recorder.model)))
    assert not recorder.infos[0].model_settings


async def test_hands_a_whole_request_to_an_agent() -> None:
    recorder = Recorder('{"name": "Oslo"}')
    request = LLMRequest(
        [
            Message("user", "A city?"),
            Message("assistant", "Rome"),
            Message("user", (OurText("Another"), ImagePart(data=b"i", media_type="image/png"))),
        ],
        system="Be brief.",
        output_schema=City,
        temperature=0.2,
        max_output_tokens=9,
    )
    output, _ = await run(Agent(recorder.model), request)
    assert output == City(name="Oslo")
    first, second, last = recorder.messages[0]
    assert isinstance(first, ModelRequest)
    assert isinstance(first.parts[0], UserPromptPart)
    assert first.parts[0].content == "A city?"
    assert isinstance(second, ModelResponse)
    assert second.text == "Rome"
    assert isinstance(last, ModelRequest)
    prompt = last.parts[0]
    assert isinstance(prompt, UserPromptPart)
    assert not isinstance(prompt.content, str)
    assert prompt.content[0] == "Another"
    assert recorder.infos[0].instructions == "Be brief."
    settings = recorder.infos[0].model_settings or {}
    assert (settings["temperature"], settings["max_tokens"]) == (0.2, 9)


async def test_hands_a_json_schema_to_an_agent() -> None:
    schema = {"title": "City", "type": "object", "properties": {"name": {"type": "string"}}}
    output, _ = await run(Agent(TestModel()), LLMRequest("Where?", output_schema=schema))
    assert output == {}


async def test_refuses_a_request_whose_last_message_is_not_the_users() -> None:
    request = LLMRequest([Message("user", "A city?"), Message("assistant", "Rome")])
    with pytest.raises(InputError, match="last message"):
        await run(Agent(TestModel()), request)


async def test_takes_any_object_with_a_run_method() -> None:
    agent = DictAgent()
    output, usage = await run(agent, "oslo")
    assert (output, agent.prompts) == ("OSLO", ["oslo"])
    assert usage == {"input_tokens": 2, "output_tokens": 0, "total_tokens": 2}


async def test_gives_such_an_object_plain_text_only() -> None:
    agent = DictAgent()
    output, _ = await run(agent, LLMRequest("oslo"))
    assert output == "OSLO"
    with pytest.raises(InputError, match="text only"):
        await run(agent, LLMRequest("oslo", system="Be brief."))


async def test_says_what_is_missing_from_a_result() -> None:
    class Wrong:
        async def run(self, prompt: str) -> int:
            return 3

    with pytest.raises(TypeError, match="returned a int, which has neither output nor data"):
        await run(Wrong())


async def test_dry_run_makes_no_value_up() -> None:
    text, usage = await PydanticAIStrategy(Agent(TestModel())).dry_run("12345678")
    assert text == "[dry run] 8 characters of prompt"
    assert usage["input_tokens"] == 2
    nothing, _ = await PydanticAIStrategy(Agent(TestModel(), output_type=City)).dry_run("x")
    assert nothing is None


def test_names_the_quota_by_model_address_and_key_without_showing_the_key() -> None:
    def scope(key: str, model: str = "gpt-5") -> str | None:
        provider = OpenAIProvider(base_url="http://host.test/v1", api_key=key)
        return PydanticAIStrategy(Agent(OpenAIChatModel(model, provider=provider))).quota_scope

    first = scope("key-one")
    assert first is not None
    assert first.startswith("openai:gpt-5@host.test#")
    assert "key-one" not in first
    assert first == scope("key-one")
    assert len({first, scope("key-two"), scope("key-one", "gpt-4")}) == 3


def test_names_no_quota_for_agents_it_does_not_know() -> None:
    assert PydanticAIStrategy(MockAgent[str]()).quota_scope is None
    assert PydanticAIStrategy(Agent()).quota_scope is None


def test_an_item_may_carry_a_request() -> None:
    LLMWorkItem("a", PydanticAIStrategy(Agent(TestModel())), LLMRequest("Where?"))


@pytest.mark.parametrize(
    ("error", "category", "is_retryable", "wait"),
    [
        (ModelHTTPError(429, "m", headers={"Retry-After": "7"}), "rate_limit", True, 7.0),
        (ModelHTTPError(503, "m"), "server_error", True, None),
        (ModelHTTPError(504, "m"), "server_timeout", True, None),
        (ModelHTTPError(400, "m", {"message": "quota 429"}), "client_error", False, None),
        (
            ModelHTTPError.for_category(ModelQuotaExceededError, status_code=429, model_name="m"),
            "client_error",
            False,
            None,
        ),
        (ModelConnectionError("m", "Connection error."), "connection_error", True, None),
        (ModelTimeoutError("m", "Request timed out."), "api_timeout", True, None),
        (ModelRequestTimeout("m", 3.0), "api_timeout", True, None),
        (UnexpectedModelBehavior("Exceeded retries"), "validation_error", True, None),
        (ContentFilterError("Filtered"), "client_error", False, None),
        (OutputTokenLimitExceeded("Cut"), "client_error", False, None),
        (UserError("Set a model"), "client_error", False, None),
    ],
)
def test_the_librarys_errors_are_understood(
    error: Exception, category: str, is_retryable: bool, wait: float | None
) -> None:
    info = DefaultErrorClassifier().classify(error)
    assert (info.error_category, info.is_retryable, info.suggested_wait) == (
        category,
        is_retryable,
        wait,
    )
