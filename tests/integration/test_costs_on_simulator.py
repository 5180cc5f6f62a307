"""What we say calls cost, and can cost, beside the simulator's books: to the cent's fraction."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from batch_llm import (
    AnthropicStrategy,
    GeminiCachedStrategy,
    GeminiStrategy,
    OpenAICompatibleStrategy,
    PydanticAIModelStrategy,
    PydanticAIStrategy,
)
from batch_llm.base import LLMRequest, Message
from batch_llm.exceptions import AnswerError
from batch_llm.llm_strategies import strategy_by_name
from batch_llm.pricing import billing_of, cost_usd, most_usd
from batch_llm.testing.simulator import Simulator, mixed_faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from batch_llm import LLMCallStrategy

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

CALLS = 200
BOUND_CALLS = 40
FAULTY_CALLS = 60
LONG = "The history of the house, told in full, ünd mit Umlauten: 歴史. " * 400


class Answer(BaseModel):
    text: str
    number: int


@asynccontextmanager
async def openai(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield OpenAICompatibleStrategy(
        "gpt-5-mini",
        api_key="k",
        system=LONG,
        max_output_tokens=300,
        token_limit_field="max_completion_tokens",
    )


@asynccontextmanager
async def openai_elsewhere(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield OpenAICompatibleStrategy(
        "gpt-4.1", base_url=simulator.openai_base_url, api_key="k", priced_as="openai:gpt-4.1"
    )


@asynccontextmanager
async def openai_twice(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield OpenAICompatibleStrategy("gpt-4o-mini", api_key="k", extra_body={"n": 3})


@asynccontextmanager
async def openai_typed(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield OpenAICompatibleStrategy("gpt-4o", api_key="k", output_schema=Answer)


@asynccontextmanager
async def anthropic(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield AnthropicStrategy("claude-haiku-4-5", api_key="k", system=LONG, system_cache_ttl="5m")


@asynccontextmanager
async def anthropic_for_an_hour(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield AnthropicStrategy("claude-sonnet-4-5", api_key="k", system=LONG, system_cache_ttl="1h")


@asynccontextmanager
async def anthropic_thinking(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield AnthropicStrategy(
        "claude-sonnet-4-5",
        api_key="k",
        extra_body={"thinking": {"type": "enabled", "budget_tokens": 1_024}},
    )


@asynccontextmanager
async def anthropic_typed(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield AnthropicStrategy("claude-haiku-4-5", api_key="k", output_schema=Answer)


@asynccontextmanager
async def gemini(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    async with _gemini_client(simulator) as client:
        config = {"system_instruction": LONG, "max_output_tokens": 4_000}
        yield GeminiStrategy("gemini-2.5-pro", client, config=config)


@asynccontextmanager
async def gemini_typed(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    async with _gemini_client(simulator) as client:
        config = {"response_schema": Answer, "response_mime_type": "application/json"}
        yield GeminiStrategy("gemini-2.5-flash", client, config=config)


@asynccontextmanager
async def gemini_cached(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    async with _gemini_client(simulator) as client:
        shared = [{"role": "user", "parts": [{"text": LONG}]}]
        yield GeminiCachedStrategy("gemini-2.5-flash", client, None, shared)


@asynccontextmanager
async def gemini_by_name(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    yield strategy_by_name("gemini:gemini-2.5-flash", api_key="k", system=LONG)


@asynccontextmanager
async def _gemini_client(simulator: Simulator) -> AsyncIterator[Any]:
    from google import genai
    from google.genai.types import HttpOptions, HttpRetryOptions

    options = HttpOptions(
        base_url=simulator.gemini_base_url, retry_options=HttpRetryOptions(attempts=1)
    )
    client = genai.Client(api_key="k", http_options=options)
    try:
        yield client
    finally:
        await client.aio.aclose()
        client.close()


def _over_pydantic_ai(name: str, **options: Any) -> Callable[..., Any]:
    @asynccontextmanager
    async def opened(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
        yield PydanticAIModelStrategy(name, api_key="k", system=LONG, **options)

    opened.__name__ = f"pydantic_ai_{name}_{'_'.join(options)}"
    return opened


@asynccontextmanager
async def agent(simulator: Simulator) -> AsyncIterator[LLMCallStrategy[Any]]:
    from openai import AsyncOpenAI
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    async with AsyncOpenAI(api_key="k", max_retries=0) as client:
        model = OpenAIChatModel("gpt-4.1-mini", provider=OpenAIProvider(openai_client=client))
        yield PydanticAIStrategy(Agent(model, instructions=LONG))


# Without a limit of tokens pydantic-ai reads a stream.
streamed = _over_pydantic_ai("anthropic:claude-haiku-4-5")

BOUNDED = (
    openai,
    openai_elsewhere,
    openai_twice,
    openai_typed,
    anthropic,
    anthropic_for_an_hour,
    anthropic_thinking,
    anthropic_typed,
    gemini,
    gemini_typed,
    gemini_cached,
    gemini_by_name,
    _over_pydantic_ai("openai-chat:gpt-4.1-mini"),
    _over_pydantic_ai("openai:gpt-5-mini", max_output_tokens=300),
    _over_pydantic_ai("openai-chat:gpt-4.1-mini", output_schema=Answer),
    _over_pydantic_ai("anthropic:claude-haiku-4-5", max_output_tokens=300),
    streamed,
    _over_pydantic_ai("anthropic:claude-haiku-4-5", model_settings={"anthropic_cache": "1h"}),
    _over_pydantic_ai("google:gemini-2.5-flash"),
)
each = pytest.mark.parametrize("opened", [*BOUNDED, agent], ids=lambda made: made.__name__)
each_bounded = pytest.mark.parametrize("opened", BOUNDED, ids=lambda made: made.__name__)


def _prompt(number: int) -> str | LLMRequest:
    text = f"Question {number}: " + "why? ü" * (number * 7 % 90)
    if number % 5:
        return text
    if number % 2:
        return LLMRequest(
            [Message("user", text), Message("assistant", "Hm."), Message("user", "So?")]
        )
    return LLMRequest(text, max_output_tokens=2_000)


@each
async def test_200_calls_cost_what_the_books_say(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with _simulator(monkeypatch, answers="auto") as simulator:
        async with opened(simulator) as strategy:
            await strategy.prepare()
            before = simulator.books.totals().usd
            costs = await _costs(strategy)
            await strategy.aclose()
        books = simulator.books.totals()
        assert (books.requests, books.unpriced) == (CALLS, 0)
        assert sum(costs) == pytest.approx(books.usd - before, abs=1e-9)
        assert sum(costs) > 0


@each_bounded
async def test_no_call_costs_more_than_its_bound(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with _simulator(monkeypatch, answers="auto") as simulator:
        async with opened(simulator) as strategy:
            await strategy.prepare()
            for number in range(BOUND_CALLS):
                bound = strategy.token_bound(_prompt(number))
                await strategy.execute(_prompt(number), 1, 30)
                record = simulator.books.records[-1]
                assert bound is not None
                assert record.usage.input_tokens <= bound.input_tokens
                assert record.usage.output_tokens <= (bound.output_tokens or 0)
                most = most_usd(strategy.priced_as, bound)
                assert most is not None
                assert record.usd <= most
            await strategy.aclose()


@each_bounded
async def test_a_failure_is_free_only_where_the_books_bill_nothing(
    opened: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call at a time, half of them failing: each failure is judged beside its own entry."""
    judged = set()
    with _simulator(monkeypatch, answers="echo", faults=mixed_faults(0.5)) as simulator:
        async with opened(simulator) as strategy:
            for number in range(FAULTY_CALLS):
                await _prepare(strategy)
                seen = len(simulator.books.records)
                error = await _failure(strategy, number)
                if error is None:
                    continue
                billed = sum(r.usd or 0.0 for r in simulator.books.records[seen:])
                usage = _usage_of(error)
                meant = billing_of(error, usage)
                judged.add(meant)
                if meant == "free":
                    assert billed == 0, repr(error)
                elif meant == "billed":
                    cost = cost_usd(strategy.priced_as, usage)
                    assert cost == pytest.approx(billed, abs=1e-12), repr(error)
            await strategy.aclose()
    # Of a stream that failed nobody knows what was still to come.
    assert judged == {"free", "unknown"} | (set() if opened is streamed else {"billed"})


@contextmanager
def _simulator(monkeypatch: pytest.MonkeyPatch, **options: Any) -> Iterator[Simulator]:
    with Simulator(seed=7, **options) as simulator:
        for name, value in simulator.environment("k").items():
            monkeypatch.setenv(name, value)
        yield simulator


async def _prepare(strategy: LLMCallStrategy[Any]) -> None:
    while True:
        try:
            await strategy.prepare()
        except Exception:
            continue
        return


async def _failure(strategy: LLMCallStrategy[Any], number: int) -> Exception | None:
    try:
        async with asyncio.timeout(0.3):
            await strategy.execute(_prompt(number), 1, 30)
    except Exception as error:
        return error
    return None


def _usage_of(error: Exception) -> Any:
    return getattr(error, "usage", None) or error.__dict__.get("_failed_token_usage")


async def _costs(strategy: LLMCallStrategy[Any]) -> list[float]:
    limit = asyncio.Semaphore(10)

    async def cost(number: int) -> float:
        async with limit:
            error = None
            try:
                _, usage = await strategy.execute(_prompt(number), 1, 30)
            except AnswerError as failure:  # a schema's answer that the limit cut
                error, usage = failure, failure.usage
        assert error is None or billing_of(error, usage) == "billed"
        paid = cost_usd(strategy.priced_as, usage)
        assert paid is not None
        return paid

    return await asyncio.gather(*(cost(number) for number in range(CALLS)))
