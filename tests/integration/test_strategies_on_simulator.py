"""Every strategy against the simulator, with one call in five failing in one of many ways.

Every item ends once, and the tokens that we count are those in the provider's books, to the token.
By default the strategies without an SDK get 5,000 requests, and those over an SDK, which take many
times as long, 400. All of them get 5,000 by one command:

    python -m pytest -m benchmark tests/integration/test_strategies_on_simulator.py -vv
"""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm import (
    AnthropicStrategy,
    GeminiCachedStrategy,
    GeminiStrategy,
    LLMWorkItem,
    OpenAICompatibleStrategy,
    ParallelBatchProcessor,
    ProcessorConfig,
    PydanticAIModelStrategy,
    PydanticAIStrategy,
    RateLimitConfig,
    RetryConfig,
)
from batch_llm.llm_strategies import strategy_by_name
from batch_llm.testing.simulator import Simulator, mixed_faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from batch_llm import BatchResult, LLMCallStrategy
    from batch_llm.testing.simulator import Usage

# google-genai's own, on its way to aiohttp.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

FAULT_RATE = 0.2
LONG_CONTEXT = "The history of the house, told in full. " * 500


@asynccontextmanager
async def _openai(simulator: Simulator, transport: str) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield OpenAICompatibleStrategy(
        "gpt-4.1-mini",
        base_url=simulator.openai_base_url,
        api_key="k",
        transport=transport,  # type: ignore[call-overload]
    )


@asynccontextmanager
async def openai_over_aiohttp(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    async with _openai(simulator, "aiohttp") as strategy:
        yield strategy


@asynccontextmanager
async def openai_over_httpx2(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    async with _openai(simulator, "httpx2") as strategy:
        yield strategy


@asynccontextmanager
async def anthropic_over_aiohttp(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield AnthropicStrategy(
        "claude-haiku-4-5",
        base_url=simulator.anthropic_base_url,
        api_key="k",
        system=LONG_CONTEXT,
        system_cache_ttl="5m",
    )


@asynccontextmanager
async def gemini(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    async with _gemini_client(simulator) as client:
        yield GeminiStrategy(
            model="gemini-2.5-flash", client=client, response_parser=lambda response: response.text
        )


@asynccontextmanager
async def gemini_cached(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    async with _gemini_client(simulator) as client:
        yield GeminiCachedStrategy(
            model="gemini-2.5-flash",
            client=client,
            response_parser=lambda response: response.text,
            cached_content=[{"role": "user", "parts": [{"text": LONG_CONTEXT}]}],
        )


@asynccontextmanager
async def gemini_by_name(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield strategy_by_name("gemini:gemini-2.5-flash", api_key="k")


@asynccontextmanager
async def _gemini_client(simulator: Simulator) -> AsyncIterator[Any]:
    from google import genai
    from google.genai.types import HttpOptions, HttpRetryOptions

    # Without this the async client sends again by itself, after seconds, what was reset.
    options = HttpOptions(
        base_url=simulator.gemini_base_url, retry_options=HttpRetryOptions(attempts=1)
    )
    client = genai.Client(api_key="k", http_options=options)
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


@asynccontextmanager
async def pydantic_ai_openai(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield PydanticAIModelStrategy("openai-chat:gpt-4.1-mini", api_key="k")


@asynccontextmanager
async def pydantic_ai_responses(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield PydanticAIModelStrategy("openai:gpt-4.1-mini", api_key="k")


@asynccontextmanager
async def pydantic_ai_anthropic(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield PydanticAIModelStrategy(
        "anthropic:claude-haiku-4-5", api_key="k", max_output_tokens=1_000
    )


@asynccontextmanager
async def pydantic_ai_anthropic_streamed(
    simulator: Simulator,
) -> AsyncIterator[LLMCallStrategy[Any]]:
    # Without a limit of tokens pydantic-ai reads a stream.
    yield PydanticAIModelStrategy("anthropic:claude-haiku-4-5", api_key="k")


@asynccontextmanager
async def agent_on_openai(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    from openai import AsyncOpenAI
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    # Whoever owns the retries lets the client have none.
    async with AsyncOpenAI(
        base_url=simulator.openai_base_url, api_key="k", max_retries=0
    ) as client:
        model = OpenAIChatModel("gpt-4.1-mini", provider=OpenAIProvider(openai_client=client))
        yield PydanticAIStrategy(agent=Agent(model))


@asynccontextmanager
async def agent_on_anthropic(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    from anthropic import AsyncAnthropic
    from pydantic_ai import Agent
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    async with AsyncAnthropic(
        base_url=simulator.anthropic_base_url, api_key="k", max_retries=0
    ) as client:
        model = AnthropicModel(
            "claude-haiku-4-5", provider=AnthropicProvider(anthropic_client=client)
        )
        # An agent's own retry asks for something else, and an echo answers that.
        agent = Agent(model, model_settings={"max_tokens": 1_000}, retries=0)
        yield PydanticAIStrategy(agent=agent)


@asynccontextmanager
async def pydantic_ai_google(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield PydanticAIModelStrategy("google:gemini-2.5-flash", api_key="k")


@asynccontextmanager
async def agent_on_google(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    from pydantic_ai import Agent
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    async with _gemini_client(simulator) as client:
        model = GoogleModel("gemini-2.5-flash", provider=GoogleProvider(client=client))
        # As above: an agent's own retry asks for something else.
        yield PydanticAIStrategy(agent=Agent(model, retries=0))


FAST = (openai_over_aiohttp, anthropic_over_aiohttp)
WITH_SDK = (
    openai_over_httpx2,
    gemini,
    gemini_cached,
    gemini_by_name,
    pydantic_ai_openai,
    pydantic_ai_responses,
    pydantic_ai_anthropic,
    pydantic_ai_anthropic_streamed,
    agent_on_openai,
    agent_on_anthropic,
    pydantic_ai_google,
    agent_on_google,
)


@pytest.mark.parametrize("opened", FAST)
async def test_5000_requests_of_a_fast_strategy(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    await _check(opened, 5_000, monkeypatch)


@pytest.mark.parametrize("opened", WITH_SDK)
async def test_requests_of_a_strategy_over_an_sdk(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """400 requests each, to save time: `test_5000_requests` sends them 5,000, when asked for."""
    await _check(opened, 400, monkeypatch)


@pytest.mark.benchmark
@pytest.mark.timeout(900)
@pytest.mark.parametrize("opened", FAST + WITH_SDK)
async def test_5000_requests(opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    await _check(opened, 5_000, monkeypatch)


async def _check(opened: Callable[..., Any], items: int, monkeypatch: pytest.MonkeyPatch) -> None:
    faults = mixed_faults(FAULT_RATE)
    with Simulator(seed=5, answers="echo", faults=faults) as simulator:
        for name, value in simulator.environment("k").items():
            monkeypatch.setenv(name, value)
        async with opened(simulator) as strategy:
            result = await _run(strategy, items)
        assert simulator.broken == 0
        _check_items(result, items)
        _check_books(simulator, result, items, opened)


async def _run(strategy: LLMCallStrategy[Any], items: int) -> BatchResult[Any, Any]:
    config = ProcessorConfig(
        max_workers=20,
        timeout_per_item=60.0,
        retry=RetryConfig(max_attempts=20, initial_wait=0.001, max_wait=0.01),
        rate_limit=RateLimitConfig(cooldown_seconds=0.01, slow_start_items=0),
    )
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        for number in range(items):
            await processor.add_work(
                LLMWorkItem(f"item-{number}", strategy, f"Question {number}: why?")
            )
        return await processor.process_all()


def _check_items(result: BatchResult[Any, Any], items: int) -> None:
    ends = Counter(item.item_id for item in result.results)
    assert ends == Counter(f"item-{number}" for number in range(items))
    assert result.succeeded + result.failed == items
    failures = Counter(item.error for item in result.results if not item.success)
    assert not failures, failures.most_common(5)
    for item in result.results:
        assert item.output == f"Question {item.item_id.removeprefix('item-')}: why?"


def _check_books(
    simulator: Simulator, result: BatchResult[Any, Any], items: int, opened: Callable[..., Any]
) -> None:
    records = simulator.books.records
    hit = sum(record.fault is not None for record in records)
    assert 0.15 < hit / len(records) < 0.25
    assert not [record for record in records if record.fate == "open"]
    told = [record for record in records if record.fate == "answered"]
    caches = sum(record.usage.cached_input_tokens for record in told) > 0
    assert caches == (opened in (anthropic_over_aiohttp, gemini_cached))
    assert len({record.prompt for record in told}) == items
    ours = (result.total_input_tokens, result.total_output_tokens, result.total_cached_tokens)
    # What the provider told of its bill is what we count, failed attempts included: of an answer
    # all, and of a stream that broke what its first events say.
    assert ours == _tokens(record.usage_told for record in records)
    if opened is pydantic_ai_anthropic_streamed:
        assert ours > _tokens(record.usage for record in told), "no stream broke"
    else:
        assert ours == _tokens(record.usage for record in told)


def _tokens(told: Iterable[Usage]) -> tuple[int, int, int]:
    """Return input, output and cached tokens."""
    usages = list(told)
    return (
        sum(usage.input_tokens for usage in usages),
        sum(usage.output_tokens for usage in usages),
        sum(usage.cached_input_tokens for usage in usages),
    )
