"""Models of pydantic-ai called directly, with real SDKs talking to a server of the test's."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from pydantic_ai import ModelResponse, TextPart
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.usage import RequestUsage
from tests.loopback import Answer, LoopbackServer, loopback, unused_port

from batch_llm.base import LLMRequest, Message, RetryState
from batch_llm.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    InputError,
    InvalidRequestError,
    MalformedAnswerError,
    MissingKeyError,
    OutputTruncatedError,
    OutputValidationError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from batch_llm.llm_strategies.pydantic_ai.model import PydanticAIModelStrategy
from batch_llm.strategies import DefaultErrorClassifier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic_ai.messages import ModelMessage


class City(BaseModel):
    name: str


def chat(text: str | None, *, reason: str = "stop", **message: Any) -> Answer:
    choice = {
        "index": 0,
        "finish_reason": reason,
        "message": {"role": "assistant", "content": text, **message},
    }
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 3,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    return json_answer(
        {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        | {"usage": usage}
    )


def anthropic(text: str, reason: str = "end_turn") -> Answer:
    return json_answer(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5-5",
            "content": [{"type": "text", "text": text}],
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 3},
        }
    )


def json_answer(body: object, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **named}, json.dumps(body).encode())


TOKENS = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13, "cached_input_tokens": 4}


@asynccontextmanager
async def opened(
    *answers: Answer, model: str = "openai-chat:gpt-4o", **options: Any
) -> AsyncIterator[tuple[PydanticAIModelStrategy[Any], LoopbackServer]]:
    path = "" if model.startswith("anthropic") else "/v1"
    async with loopback(*answers) as server:
        strategy = PydanticAIModelStrategy[Any](
            model, base_url=server.url + path, api_key="key-of-the-test", **options
        )
        await strategy.prepare()
        try:
            yield strategy, server
        finally:
            await strategy.aclose()


async def test_sends_a_request_and_reads_the_answer() -> None:
    options: dict[str, Any] = {"system": "Be brief.", "temperature": 0.1, "max_output_tokens": 7}
    async with opened(chat("Oslo"), **options) as (strategy, server):
        output, usage = await strategy.execute("Where?", 1, 30.0)
    assert (output, usage) == ("Oslo", TOKENS)
    (request,) = server.requests
    body = json.loads(request.body)
    assert request.path == "/v1/chat/completions"
    assert [message["content"] for message in body["messages"]] == ["Be brief.", "Where?"]
    assert (body["temperature"], body["max_completion_tokens"]) == (0.1, 7)


async def test_a_request_goes_before_the_strategys_own_settings() -> None:
    async with opened(chat("Oslo"), system="Be brief.", temperature=0.1) as (strategy, server):
        request = LLMRequest("Where?", temperature=0.9)
        await strategy.execute(request, 1, 30.0)
    body = json.loads(server.requests[0].body)
    assert body["temperature"] == 0.9
    assert body["messages"][0]["content"] == "Be brief."


async def test_reads_a_structured_answer() -> None:
    async with opened(chat('{"name": "Oslo"}'), output_schema=City) as (strategy, server):
        output, _ = await strategy.execute("Where?", 1, 30.0)
        assert output == City(name="Oslo")
        schema = {"title": "Other", "type": "object", "required": ["name"]}
        output, _ = await strategy.execute(LLMRequest("Where?", output_schema=schema), 1, 30.0)
        assert output == {"name": "Oslo"}
    formats = [json.loads(request.body)["response_format"] for request in server.requests]
    assert [form["json_schema"]["name"] for form in formats] == ["City", "Other"]


async def test_calls_anthropic() -> None:
    options: dict[str, Any] = {"model": "anthropic:claude-sonnet-5-5", "max_output_tokens": 9}
    async with opened(anthropic("Oslo"), **options) as (strategy, server):
        output, usage = await strategy.execute("Where?", 1, 30.0)
    assert (output, usage) == ("Oslo", TOKENS)
    assert server.requests[0].path.partition("?")[0] == "/v1/messages"
    assert json.loads(server.requests[0].body)["max_tokens"] == 9


@pytest.mark.parametrize(
    ("model", "prefix", "path"),
    [("openai-chat:gpt-4o", "OPENAI", "/v1"), ("anthropic:claude-sonnet-5-5", "ANTHROPIC", "")],
)
async def test_reads_key_and_address_from_the_sdks_environment(
    model: str, prefix: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = chat("Oslo") if prefix == "OPENAI" else anthropic("Oslo")
    async with loopback(answer) as server:
        monkeypatch.setenv(f"{prefix}_BASE_URL", server.url + path)
        monkeypatch.setenv(f"{prefix}_API_KEY", "key-of-the-environment")
        strategy = PydanticAIModelStrategy(model, max_output_tokens=9)
        assert (await strategy.execute("Where?", 1, 30.0))[0] == "Oslo"
        await strategy.aclose()
    assert any("key-of-the-environment" in value for value in server.requests[0].headers.values())


REFUSALS: list[tuple[Answer, type[ProviderError], str, float | None]] = [
    (
        json_answer(
            {"error": {"message": "slow", "code": "rate_limit_exceeded"}}, 429, retry_after="7"
        ),
        RateLimitedError,
        "rate_limit",
        7.0,
    ),
    (
        json_answer({"error": {"message": "no credit", "code": "insufficient_quota"}}, 429),
        ProviderError,
        "client_error",
        None,
    ),
    (
        json_answer({"error": {"message": "bad key"}}, 401),
        AuthenticationError,
        "client_error",
        None,
    ),
    (json_answer({"error": {"message": "bad"}}, 400), InvalidRequestError, "client_error", None),
    (json_answer({"error": {"message": "large"}}, 413), InvalidRequestError, "client_error", None),
    (json_answer({"error": {"message": "gone"}}, 404), InvalidRequestError, "client_error", None),
    (json_answer({}, 408), ProviderTimeoutError, "server_timeout", None),
    (json_answer({}, 409), ServerError, "server_error", None),
    (json_answer({}, 500), ServerError, "server_error", None),
    (json_answer({}, 503, retry_after="2"), ServerError, "server_error", 2.0),
    (json_answer({}, 504), ServerError, "server_timeout", None),
    (
        Answer(200, {"content-type": "text/plain"}, b"hello"),
        MalformedAnswerError,
        "server_error",
        None,
    ),
    (json_answer({"foo": 1}), MalformedAnswerError, "server_error", None),
    (
        Answer(200, {"content-type": "application/json"}, b'{"a": 1', then="close"),
        MalformedAnswerError,
        "server_error",
        None,
    ),
    (Answer(then="reset", raw=b""), ConnectionFailedError, "connection_error", None),
    (chat(None, refusal="I will not."), RefusalError, "client_error", None),
]


@pytest.mark.parametrize(("answer", "kind", "category", "wait"), REFUSALS)
async def test_translates_failures_and_makes_one_call_only(
    answer: Answer, kind: type[ProviderError], category: str, wait: float | None
) -> None:
    async with opened(answer) as (strategy, server):
        with pytest.raises(ProviderError) as failed:
            await strategy.execute("Where is the treasure of the captain?", 1, 30.0)
    assert type(failed.value) is kind
    info = DefaultErrorClassifier().classify(failed.value)
    assert (info.error_category, info.suggested_wait) == (category, wait)
    assert len(server.requests) == 1


async def test_an_answer_that_never_comes_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch_llm.llm_strategies.pydantic_ai.messages._CLIENT_GRACE_SECONDS", 0.0)
    async with opened(Answer(send_bytes=0, then="stall")) as (strategy, _):
        with pytest.raises(ProviderTimeoutError):
            await strategy.execute("Where?", 1, 0.05)


async def test_a_server_that_is_not_there_is_a_failed_connection() -> None:
    address = f"http://127.0.0.1:{unused_port()}/v1"
    strategy = PydanticAIModelStrategy("openai-chat:gpt-4o", base_url=address)
    with pytest.raises(ConnectionFailedError, match="gpt-4o"):
        await strategy.execute("Where?", 1, 30.0)
    await strategy.aclose()


async def test_an_error_quotes_no_prompt_and_no_key() -> None:
    prompt = "The treasure of the captain is under the old oak"
    said = f"'{prompt}' is too much for the key key-of-the-test"
    async with opened(json_answer({"error": {"message": said}}, 400)) as (strategy, _):
        with pytest.raises(InvalidRequestError) as failed:
            await strategy.execute(prompt, 1, 30.0)
    assert "treasure" not in str(failed.value)
    assert "key-of-the-test" not in str(failed.value)
    assert "is too much for the key" in str(failed.value)


async def test_a_failure_keeps_what_the_providers_support_asks_for() -> None:
    body = {"error": {"message": "slow", "code": "rate_limit_exceeded"}}
    async with opened(json_answer(body, 429, x_request_id="req_1")) as (strategy, _):
        with pytest.raises(RateLimitedError) as failed:
            await strategy.execute("Where?", 1, 30.0)
    error = failed.value
    assert (error.status_code, error.code, error.request_id) == (
        429,
        "rate_limit_exceeded",
        "req_1",
    )
    assert str(error) == "gpt-4o answered 429 rate_limit_exceeded: slow"
    assert error.__cause__ is not None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (chat('{"name": "Os', reason="length"), OutputTruncatedError),
        (chat('{"nam": 1}'), OutputValidationError),
    ],
)
async def test_an_answer_that_cannot_be_used_was_billed(
    answer: Answer, kind: type[ProviderError]
) -> None:
    async with opened(answer, output_schema=City) as (strategy, _):
        with pytest.raises(kind) as failed:
            await strategy.execute("Where?", 1, 30.0)
    assert failed.value.usage == TOKENS


async def test_a_cut_text_is_returned_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    state = RetryState()
    async with opened(chat("Osl", reason="length")) as (strategy, _):
        for _ in range(2):
            assert (await strategy.execute("Where?", 1, 30.0, state))[0] == "Osl"
    assert state.get("finish_reason") == "length"
    assert strategy.truncated_answers == 2
    assert len(caplog.records) == 1


# --- models given as objects ---------------------------------------------------------------


async def test_calls_a_model_that_it_was_given() -> None:
    strategy = PydanticAIModelStrategy(TestModel(custom_output_text="Oslo"))
    await strategy.prepare()
    output, usage = await strategy.execute("Where?", 1, 30.0)
    assert output == "Oslo"
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0
    strategy.check()


async def test_a_model_that_it_was_given_stays_open() -> None:
    class Closing(TestModel):
        closed = False

        async def __aexit__(self, *_: object) -> None:
            Closing.closed = True

    strategy = PydanticAIModelStrategy(Closing(custom_output_text="Oslo"))
    await strategy.execute("Where?", 1, 30.0)
    await strategy.aclose()
    assert not Closing.closed
    assert (await strategy.execute("Where?", 1, 30.0))[0] == "Oslo"


async def test_a_model_that_it_opened_is_closed_and_opened_again() -> None:
    async with opened(chat("Oslo")) as (strategy, server):
        await strategy.execute("Where?", 1, 30.0)
        await strategy.aclose()
        await server.closed.wait()
        assert (await strategy.execute("Where?", 1, 30.0))[0] == "Oslo"
    assert server.connections == 2


async def test_falls_back_to_a_tool_where_a_model_takes_no_schema() -> None:
    strategy = PydanticAIModelStrategy(
        TestModel(custom_output_args={"name": "Oslo"}), output_schema=City
    )
    output, _ = await strategy.execute("Where?", 1, 30.0)
    assert output == City(name="Oslo")


async def test_hands_further_settings_to_the_model() -> None:
    seen: list[Any] = []

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        seen.append(info.model_settings)
        return ModelResponse(parts=[TextPart("Oslo")], usage=RequestUsage(input_tokens=1))

    strategy = PydanticAIModelStrategy(
        FunctionModel(answer),
        temperature=0.1,
        model_settings={"parallel_tool_calls": False, "timeout": 3.0},
    )
    await strategy.execute("Where?", 1, 30.0)
    assert seen == [
        {"max_retries": 0, "timeout": 3.0, "parallel_tool_calls": False, "temperature": 0.1}
    ]


async def test_says_what_the_last_of_several_models_said() -> None:
    def fail(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        from pydantic_ai.exceptions import ModelHTTPError

        raise ModelHTTPError(503, "m", {"message": "busy"})

    strategy = PydanticAIModelStrategy(FallbackModel(FunctionModel(fail), FunctionModel(fail)))
    with pytest.raises(ServerError, match="m answered 503: busy"):
        await strategy.execute("Where?", 1, 30.0)


async def test_hands_on_errors_that_are_not_the_providers() -> None:
    def fail(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise OSError("disk full")

    strategy = PydanticAIModelStrategy(FunctionModel(fail))
    with pytest.raises(OSError, match="disk full"):
        await strategy.execute("Where?", 1, 30.0)


async def test_refuses_a_request_before_any_call() -> None:
    from batch_llm.base import ImagePart

    request = LLMRequest([Message("assistant", (ImagePart(url="https://x.test/a.png"),))])
    with pytest.raises(InputError):
        await PydanticAIModelStrategy(TestModel()).execute(request, 1, 30.0)


# --- before the run ------------------------------------------------------------------------


def test_asks_for_a_missing_key_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    strategy = PydanticAIModelStrategy("anthropic:claude-sonnet-5-5")
    with pytest.raises(MissingKeyError, match="ANTHROPIC_API_KEY"):
        strategy.check()


def test_refuses_settings_that_cannot_work() -> None:
    with pytest.raises(ConfigurationError, match="provider:model"):
        PydanticAIModelStrategy("gpt-5")
    with pytest.raises(InputError, match="temperature"):
        PydanticAIModelStrategy("openai:gpt-5", temperature=-1)


async def test_dry_run_makes_no_value_up() -> None:
    strategy = PydanticAIModelStrategy("openai:gpt-5", api_key="k", system="1234")
    output, usage = await strategy.dry_run("12345678")
    assert output == "[dry run] 12 characters of prompt"
    assert usage == {"input_tokens": 3, "output_tokens": 0, "total_tokens": 3}
    assert (await strategy.dry_run(LLMRequest("x", output_schema=City)))[0] is None


def test_its_repr_names_the_model_and_no_key() -> None:
    strategy = PydanticAIModelStrategy("openai:gpt-5", api_key="key-of-the-test")
    assert repr(strategy).startswith("PydanticAIModelStrategy(openai:gpt-5#")
    assert "key-of" not in repr(strategy)
