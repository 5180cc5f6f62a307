"""Answers that pydantic-ai cannot read, by real SDKs from a server of the test's."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.exceptions import ModelConnectionError
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from tests.loopback import Answer, LoopbackServer, loopback

from batch_llm.engine.usage_reading import failed_usage
from batch_llm.exceptions import ConnectionFailedError, MalformedAnswerError, ProviderError
from batch_llm.llm_strategies.pydantic_ai.model import PydanticAIModelStrategy
from batch_llm.llm_strategies.pydantic_ai.opening import ModelByName
from batch_llm.llm_strategies.pydantic_ai.strategy import PydanticAIStrategy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pydantic_ai.models import Model
    from pydantic_ai.settings import ModelSettings

OPENAI, RESPONSES = "openai-chat:gpt-4o", "openai:gpt-4o"
ANTHROPIC, GEMINI = "anthropic:claude-sonnet-5-5", "google:gemini-2.5-flash"

TOKENS = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13, "cached_input_tokens": 4}


def billed(usage: Any) -> dict[str, int]:
    """Return what is billed; which part of it were thoughts, not every reader tells."""
    return {name: count for name, count in usage.items() if name != "reasoning_tokens"}


def chat(**fields: Any) -> Answer:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 3,
        "total_tokens": 13,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    kind = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
    return json_answer(kind | {"choices": [], "usage": usage} | fields)


def said(text: str | None, reason: str = "stop", **message: Any) -> list[dict[str, Any]]:
    message = {"role": "assistant", "content": text, **message}
    return [{"index": 0, "finish_reason": reason, "message": message}]


def response(**fields: Any) -> Answer:
    usage = {
        "input_tokens": 10,
        "output_tokens": 3,
        "total_tokens": 13,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    kind = {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
    asked = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    return json_answer(kind | asked | {"output": [], "usage": usage} | fields)


def message(**fields: Any) -> Answer:
    usage = {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 3}
    kind = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude"}
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    return json_answer(kind | end | {"content": [], "usage": usage} | fields)


def generated(**fields: Any) -> Answer:
    usage = {
        "promptTokenCount": 10,
        "candidatesTokenCount": 2,
        "thoughtsTokenCount": 1,
        "cachedContentTokenCount": 4,
        "totalTokenCount": 13,
    }
    return json_answer({"candidates": [], "usageMetadata": usage, "responseId": "r"} | fields)


def json_answer(body: object) -> Answer:
    headers = {"content-type": "application/json", "request-id": "req_1"}
    return Answer(200, headers, json.dumps(body).encode())


def event(name: str, **data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def stream(*events: bytes, encoding: str | None = None) -> Answer:
    headers = {"content-type": "text/event-stream; charset=utf-8", "request-id": "req_1"}
    if encoding:
        headers["content-encoding"] = encoding
    return Answer(200, headers, b"".join(events))


# The first events of a message that is streamed, and the others.
STARTED = (
    event(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 1},
        },
    ),
    event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Os"}),
)

ENDED = (
    event("content_block_delta", index=0, delta={"type": "text_delta", "text": "lo"}),
    event("content_block_stop", index=0),
    event(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": 3},
    ),
    event("message_stop"),
)


@asynccontextmanager
async def model_at(server: LoopbackServer, name: str) -> AsyncIterator[Model]:
    path = "" if name.startswith(("anthropic", "google")) else "/v1"
    model = ModelByName(name, "key-of-the-test", server.url + path).open()
    async with model:
        yield model


# Whatever the shape, the tokens are counted; in the last column, by whom.
UNUSABLE = [
    (OPENAI, chat(), "unread"),
    (OPENAI, chat(choices=None), "unread"),
    (OPENAI, chat(choices=7), "unread"),
    (OPENAI, chat(choices=[{"index": 0, "finish_reason": "stop", "message": None}]), "unread"),
    (OPENAI, chat(error={"message": "bad", "code": 500}), "unread"),
    (OPENAI, chat(choices=said("", "content_filter")), "read"),
    (OPENAI, chat(choices=said(None, refusal="I will not.")), "read"),
    (OPENAI, chat(choices=said(None)), "read"),
    (RESPONSES, response(output=None), "unread"),
    (RESPONSES, response(output=7), "unread"),
    (RESPONSES, response(error={"code": "server_error", "message": "bad"}), "unread"),
    (RESPONSES, response(), "read"),
    (
        RESPONSES,
        response(status="incomplete", incomplete_details={"reason": "content_filter"}),
        "read",
    ),
    (ANTHROPIC, message(content=None), "unread"),
    (ANTHROPIC, message(content=7), "unread"),
    (ANTHROPIC, message(), "read"),
    (ANTHROPIC, message(stop_reason="refusal"), "read"),
    (ANTHROPIC, stream(*STARTED[:1], *ENDED[2:]), "read"),
    (GEMINI, generated(candidates=7), "unread"),
    (GEMINI, generated(), "read"),
    (GEMINI, generated(candidates=None), "read"),
    (GEMINI, generated(promptFeedback={"blockReason": "SAFETY"}), "read"),
    (GEMINI, generated(candidates=[{"finishReason": "SAFETY"}]), "read"),
]


def limit_of(answer: Answer) -> ModelSettings:
    # Without a limit of tokens, the library streams what Anthropic answers.
    is_stream = "event-stream" in answer.headers["content-type"]
    return {} if is_stream else {"max_tokens": 9}


@pytest.mark.parametrize(("model", "answer", "counted"), UNUSABLE)
async def test_the_error_of_a_call_carries_the_tokens_billed(
    model: str, answer: Answer, counted: str
) -> None:
    async with loopback(answer) as server, model_at(server, model) as opened:
        strategy = PydanticAIModelStrategy(opened, model_settings=limit_of(answer))
        with pytest.raises(ProviderError) as failed:
            await strategy.execute("Where?", 1, 30.0)
    assert billed(failed.value.usage) == TOKENS
    assert counted == "read" or failed.value.request_id == "req_1"


@pytest.mark.parametrize(("model", "answer", "counted"), UNUSABLE)
async def test_the_error_of_a_run_carries_the_tokens_billed(
    model: str, answer: Answer, counted: str
) -> None:
    async with loopback(answer) as server, model_at(server, model) as opened:
        agent = Agent(opened, model_settings=limit_of(answer), retries=0)
        with pytest.raises(Exception) as failed:  # noqa: PT011 - the library's own, of every kind
            await PydanticAIStrategy(agent).execute("Where?", 1, 30.0)
    assert billed(failed_usage(failed.value)) == TOKENS
    assert len(server.requests) == 1


async def test_a_run_counts_the_answers_that_were_read_and_the_one_that_was_not() -> None:
    answers = [chat(choices=said("no number")), chat(choices=said("none")), chat()]
    async with loopback(*answers) as server, model_at(server, OPENAI) as opened:
        agent = Agent(opened, output_type=NativeOutput(int), retries=5)
        with pytest.raises(MalformedAnswerError) as failed:
            await PydanticAIStrategy(agent).execute("How many?", 1, 30.0)
    assert len(server.requests) == 3
    assert failed_usage(failed.value) == {name: 3 * count for name, count in TOKENS.items()}


async def test_an_answer_over_which_a_run_stumbles_is_malformed() -> None:
    async with loopback(chat()) as server, model_at(server, OPENAI) as opened:
        with pytest.raises(MalformedAnswerError) as failed:
            await PydanticAIStrategy(Agent(opened)).execute("Where?", 1, 30.0)
    assert isinstance(failed.value.__cause__, IndexError)
    assert failed.value.request_id == "req_1"


async def test_a_tool_that_fails_in_a_run_is_not_an_answer_that_is_malformed() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    # A server that counts no tokens.
    answer = chat(choices=said(None, "tool_calls", tool_calls=[call]), usage=None)
    async with loopback(answer) as server, model_at(server, OPENAI) as opened:
        agent = Agent(opened)

        @agent.tool_plain
        def look_up() -> str:
            raise TypeError("of the tool")

        with pytest.raises(TypeError, match="of the tool"):
            await PydanticAIStrategy(agent).execute("Where?", 1, 30.0)


async def test_a_run_counts_an_answer_once_that_was_read_and_not_accepted() -> None:
    async with loopback(chat(choices=said("no"))) as server, model_at(server, OPENAI) as opened:
        agent = Agent(opened, output_type=NativeOutput(int), retries=0)
        with pytest.raises(Exception, match="output retries") as failed:
            await PydanticAIStrategy(agent).execute("How many?", 1, 30.0)
    assert billed(failed_usage(failed.value)) == TOKENS


async def test_all_answers_of_a_model_that_asks_several_are_counted() -> None:
    reported = response(error={"code": "server_error", "message": "bad"})
    async with loopback(reported) as server, model_at(server, RESPONSES) as opened:
        strategy = PydanticAIModelStrategy(FallbackModel(opened, opened))
        with pytest.raises(ProviderError) as failed:
            await strategy.execute("Where?", 1, 30.0)
    assert len(server.requests) == 2
    assert failed.value.usage == {name: 2 * count for name, count in TOKENS.items()}


async def test_calls_that_overlap_are_billed_each_for_its_own() -> None:
    good = chat(choices=said("Oslo"))
    async with loopback(*[chat(), good] * 10) as server, model_at(server, OPENAI) as opened:
        strategies = [PydanticAIModelStrategy(opened) for _ in range(2)]
        ends = await asyncio.gather(
            *(strategy.execute("Where?", 1, 30.0) for strategy in strategies * 10),
            return_exceptions=True,
        )
    failed = [end for end in ends if isinstance(end, MalformedAnswerError)]
    assert len(failed) == 10
    assert all(error.usage == TOKENS for error in failed)
    assert all(end == ("Oslo", TOKENS) for end in ends if end not in failed)


async def test_nothing_is_billed_where_no_answer_says_so() -> None:
    answer = Answer(200, {"content-type": "text/html"}, b"<html>")
    async with loopback(answer) as server, model_at(server, OPENAI) as opened:
        with pytest.raises(MalformedAnswerError) as failed:
            await PydanticAIModelStrategy(opened).execute("Where?", 1, 30.0)
    assert failed.value.usage is None


async def test_a_clients_hooks_are_as_they_were_once_a_strategy_is_closed() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=chat().body)

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    model = OpenAIChatModel("m", provider=OpenAIProvider(api_key="k", http_client=client))
    for strategy in (PydanticAIModelStrategy(model), PydanticAIStrategy(Agent(model))):
        for _ in range(2):
            with pytest.raises(MalformedAnswerError) as failed:
                await strategy.execute("Where?", 1, 30.0)
            assert failed.value.usage == TOKENS
            assert len(client.event_hooks["response"]) == 1
            await strategy.aclose()
            assert client.event_hooks["response"] == []


async def test_a_subclass_need_not_call_the_constructor() -> None:
    class Own(PydanticAIStrategy[str]):
        def __init__(self) -> None:
            self.agent = Agent(TestModel(custom_output_text="Oslo"))

    strategy = Own()
    assert (await strategy.execute("Where?", 1, 30.0))[0] == "Oslo"
    await strategy.aclose()


# --- streams -------------------------------------------------------------------------------

BILLED_SO_FAR = TOKENS | {"output_tokens": 1, "total_tokens": 11}


async def test_reads_an_answer_that_is_streamed() -> None:
    async with loopback(stream(*STARTED, *ENDED)) as server, model_at(server, ANTHROPIC) as opened:
        assert await PydanticAIModelStrategy(opened).execute("?", 1, 30.0) == ("Oslo", TOKENS)
        assert await PydanticAIStrategy(Agent(opened)).execute("?", 1, 30.0) == ("Oslo", TOKENS)
    assert all(b'"stream":true' in request.body for request in server.requests)


@pytest.mark.parametrize("encoding", [None, "gzip"])
async def test_a_stream_that_breaks_off_tells_what_was_billed_so_far(encoding: str | None) -> None:
    whole = b"".join([*STARTED, *ENDED])
    answer = stream(whole if encoding is None else gzip.compress(whole), encoding=encoding)
    answer.send_bytes = len(answer.body) - 30 if encoding else len(b"".join(STARTED))
    answer.then = "reset"
    async with loopback(answer) as server, model_at(server, ANTHROPIC) as opened:
        with pytest.raises(ConnectionFailedError) as failed:
            await PydanticAIModelStrategy(opened).execute("Where?", 1, 30.0)
        with pytest.raises(ModelConnectionError) as run_failed:
            await PydanticAIStrategy(Agent(opened)).execute("Where?", 1, 30.0)
    assert failed.value.usage == failed_usage(run_failed.value)
    assert failed.value.usage is not None
    assert failed.value.usage["input_tokens"] == 10
    assert encoding or failed.value.usage == BILLED_SO_FAR


class Stalling(httpx2.AsyncByteStream):
    """The first events of a message; the others never come."""

    def __init__(self) -> None:
        self.stalled = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for first in STARTED:
            yield first
        self.stalled.set()
        await asyncio.Event().wait()


async def test_a_run_that_is_cancelled_in_a_stream_tells_what_was_billed_so_far() -> None:
    body = Stalling()

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=body)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        provider = AnthropicProvider(api_key="k", http_client=client)
        agent = Agent(AnthropicModel("claude-sonnet-5-5", provider=provider))
        run = asyncio.create_task(PydanticAIStrategy(agent).execute("Where?", 1, 30.0))
        await body.stalled.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await run
    assert failed_usage(cancelled.value) == BILLED_SO_FAR


async def test_the_beginning_of_an_answer_is_not_taken_for_the_whole() -> None:
    async with loopback(stream(*STARTED)) as server, model_at(server, ANTHROPIC) as opened:
        for strategy in (PydanticAIModelStrategy(opened), PydanticAIStrategy(Agent(opened))):
            with pytest.raises(MalformedAnswerError, match="broke off") as failed:
                await strategy.execute("Where?", 1, 30.0)
            assert failed.value.usage == BILLED_SO_FAR
