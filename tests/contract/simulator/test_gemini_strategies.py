"""Our Gemini strategies against the simulator, over Google's SDK: answers, failures, caches."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from google.genai import types
from tests.contract.simulator.gemini_sdk import MODEL, client_of, fault

from batch_llm import (
    GeminiCachedStrategy,
    GeminiStrategy,
    LLMWorkItem,
    ParallelBatchProcessor,
    ProcessorConfig,
    RetryConfig,
)
from batch_llm.base import ImagePart, LLMRequest, Message, TextPart
from batch_llm.exceptions import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    MalformedAnswerError,
    OutputTruncatedError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from batch_llm.llm_strategies import strategy_by_name
from batch_llm.testing.simulator import Limit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from google import genai

    from batch_llm import BatchResult, LLMCallStrategy
    from batch_llm.testing.simulator import CallRecord, Simulator

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

MANUAL = "word " * 1_000
MANUAL_TOKENS = 4 + 1_250
SCHEMA = {
    "type": "object",
    "properties": {"legs": {"type": "integer", "minimum": 0}},
    "required": ["legs"],
    "additionalProperties": False,
}


@pytest.fixture
async def client(simulator: Simulator) -> AsyncIterator[genai.Client]:
    """A client that tries once, as the processor wants it: the SDK's own tries are not counted."""
    once = types.HttpRetryOptions(attempts=1)
    with client_of(simulator, retry_options=once) as client:
        yield client
        await client.aio.aclose()


async def run(strategy: LLMCallStrategy[Any], prompt: Any = "hello you") -> tuple[Any, Any]:
    return await strategy.execute(prompt, 1, 10.0)


# --- plain calls ------------------------------------------------------------------------------


async def test_an_answer_and_its_bill(simulator: Simulator, client: genai.Client) -> None:
    strategy: GeminiStrategy[str] = GeminiStrategy(MODEL, client)
    output, usage = await run(strategy)
    assert output == "hello you"
    (record,) = simulator.books.records
    assert usage["input_tokens"] == record.usage.input_tokens == 7
    assert usage["output_tokens"] == record.usage.output_tokens == 3
    assert usage["total_tokens"] == 10


async def test_a_request_with_all_that_it_can_say(
    simulator: Simulator, client: genai.Client
) -> None:
    strategy: GeminiStrategy[Any] = GeminiStrategy(MODEL, client)
    image = ImagePart(data=b"\x89PNG", media_type="image/png")
    request = LLMRequest(
        [Message("user", (TextPart("How many legs?"), image))],
        system="Be brief.",
        output_schema=SCHEMA,
        max_output_tokens=500,
        temperature=0.5,
        stop=["END"],
    )
    output, usage = await run(strategy, request)
    assert isinstance(output["legs"], int)
    (record,) = simulator.books.records
    assert usage["input_tokens"] == record.usage.input_tokens
    assert record.usage.input_tokens > 258


async def test_what_came_beside_the_answer(client: genai.Client) -> None:
    safety = types.SafetySetting(
        category=types.HarmCategory.HARM_CATEGORY_HARASSMENT,
        threshold=types.HarmBlockThreshold.BLOCK_ONLY_HIGH,
    )
    config = types.GenerateContentConfig(safety_settings=[safety])
    strategy = GeminiStrategy(
        MODEL, client, lambda response: response.text, config, include_metadata=True
    )
    output, _ = await run(strategy)
    assert (output.output, output.finish_reason) == ("hello you", "STOP")
    assert output.safety_ratings["HARM_CATEGORY_HARASSMENT"] == "NEGLIGIBLE"


@pytest.mark.parametrize(
    ("fields", "kind", "billed"),
    [
        ({"kind": "status", "status": 400}, InvalidRequestError, 0),
        ({"kind": "status", "status": 401}, AuthenticationError, 0),
        ({"kind": "status", "status": 403}, AuthenticationError, 0),
        ({"kind": "status", "status": 404}, InvalidRequestError, 0),
        ({"kind": "status", "status": 429}, RateLimitedError, 0),
        ({"kind": "status", "status": 500}, ServerError, 0),
        ({"kind": "status", "status": 503}, ServerError, 0),
        ({"kind": "status", "status": 504}, ProviderTimeoutError, 0),
        ({"kind": "reset_before"}, ConnectionFailedError, 0),
        ({"kind": "hang", "seconds": 60}, ConnectionFailedError, 0),
        ({"kind": "dropped"}, ConnectionFailedError, 0),
        ({"kind": "reset_in_body"}, ConnectionFailedError, 0),
        ({"kind": "truncated_json"}, MalformedAnswerError, 0),
        ({"kind": "invalid_json"}, MalformedAnswerError, 0),
        ({"kind": "wrong_content_type"}, MalformedAnswerError, 0),
        ({"kind": "error_in_200"}, MalformedAnswerError, 0),
        ({"kind": "empty"}, MalformedAnswerError, 10),
        ({"kind": "refusal"}, RefusalError, 7),
        ({"kind": "safety"}, RefusalError, 7),
    ],
    ids=lambda value: value.get("status") or value["kind"] if isinstance(value, dict) else None,
)
async def test_a_fault_is_an_error_of_ours(
    simulator: Simulator,
    client: genai.Client,
    fields: dict[str, Any],
    kind: type[ProviderError],
    billed: int,
) -> None:
    simulator.add_fault(fault(**fields))
    strategy: GeminiStrategy[str] = GeminiStrategy(MODEL, client)
    with pytest.raises(ProviderError) as raised:
        await run(strategy)
    assert type(raised.value) is kind
    assert (raised.value.usage or {}).get("total_tokens", 0) == billed
    assert len(simulator.books.records) == 1, "it was sent more than once"


async def test_cut_json_is_told_from_a_cut_text(simulator: Simulator, client: genai.Client) -> None:
    strategy: GeminiStrategy[Any] = GeminiStrategy(MODEL, client)
    simulator.add_fault(fault("length"))
    assert (await run(strategy))[0] == "hell"
    with pytest.raises(OutputTruncatedError):
        await run(strategy, LLMRequest("How many legs?", output_schema=SCHEMA))


async def test_a_limit_tells_how_long_to_wait(simulator: Simulator, client: genai.Client) -> None:
    simulator.set_speed(1e-6)
    simulator.set_limits([Limit(provider="gemini", requests_per_minute=2)])
    strategy: GeminiStrategy[str] = GeminiStrategy(MODEL, client)
    for _ in range(2):
        await run(strategy)
    with pytest.raises(RateLimitedError) as raised:
        await run(strategy)
    assert raised.value.retry_after is not None
    assert 0 < raised.value.retry_after <= 60
    simulator.advance(raised.value.retry_after)
    await run(strategy)


async def test_a_wrong_key(simulator: Simulator) -> None:
    with client_of(simulator, "wrong") as client:
        strategy: GeminiStrategy[str] = GeminiStrategy(MODEL, client)
        with pytest.raises(AuthenticationError):
            await run(strategy)
        await client.aio.aclose()


# --- by name ----------------------------------------------------------------------------------


async def test_a_strategy_by_name(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in simulator.environment("k").items():
        monkeypatch.setenv(name, value)
    strategy = strategy_by_name(f"gemini:{MODEL}", system="Be brief.", output_schema=SCHEMA)
    output, usage = await run(strategy)
    await strategy.aclose()
    assert isinstance(output["legs"], int)
    (record,) = simulator.books.records
    assert (record.key, usage["input_tokens"]) == ("k", record.usage.input_tokens)


async def test_a_strategy_by_name_sends_once(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", simulator.gemini_base_url)
    simulator.add_fault(fault("dropped"))
    strategy = strategy_by_name(f"gemini:{MODEL}", api_key="k")
    with pytest.raises(ConnectionFailedError):
        await run(strategy)
    await strategy.aclose()
    assert len(simulator.books.records) == 1


# --- a cached prefix --------------------------------------------------------------------------


class Cached:
    """Makes cached strategies that go by the simulator's clock, which stands still."""

    def __init__(self, simulator: Simulator, client: genai.Client) -> None:
        simulator.set_speed(1e-6)
        self.simulator = simulator
        self.client = client

    def strategy(
        self, content: Any = MANUAL, model: str = MODEL, **settings: Any
    ) -> GeminiCachedStrategy[Any]:
        settings = {"cache_ttl_seconds": 600, "cache_renewal_buffer_seconds": 60, **settings}
        return GeminiCachedStrategy(
            model, self.client, None, content, clock=self.simulator.now, **settings
        )

    def caches(self) -> list[types.CachedContent]:
        return list(self.client.caches.list())

    def made(self) -> int:
        return len(self.simulator.books.creates("cache"))

    def lives_for(self) -> float:
        """Return the seconds that the only cache has left."""
        (cache,) = self.caches()
        assert cache.expire_time is not None
        return cache.expire_time.timestamp() - self.simulator.now()

    def last(self) -> CallRecord:
        return self.simulator.books.records[-1]


@pytest.fixture
def cached(simulator: Simulator, client: genai.Client) -> Cached:
    return Cached(simulator, client)


async def test_a_cache_is_made_and_read(cached: Cached) -> None:
    strategy = cached.strategy(
        config={"system_instruction": "Be brief."}, cache_tags={"customer": "acme"}
    )
    await strategy.prepare()
    output, usage = await run(strategy)
    assert output == "hello you"
    (cache,) = cached.caches()
    assert cache.model == f"models/{MODEL}"
    assert (cache.display_name or "").endswith("customer=acme")
    tokens = MANUAL_TOKENS + 7
    assert cache.usage_metadata == types.CachedContentUsageMetadata(total_token_count=tokens)
    assert usage["cached_input_tokens"] == cached.last().usage.cached_input_tokens == tokens
    assert usage["input_tokens"] == cached.last().usage.input_tokens == tokens + 7
    assert cached.lives_for() == pytest.approx(600, abs=1)


async def test_a_second_strategy_adopts_the_cache(cached: Cached) -> None:
    first, second = cached.strategy(cache_tags={"a": "1"}), cached.strategy()
    await first.prepare()
    await second.prepare()
    await run(second)
    assert cached.made() == 1
    assert cached.last().usage.cached_input_tokens == MANUAL_TOKENS


@pytest.mark.parametrize(
    "other",
    [
        {"content": MANUAL + "more"},
        {"model": "gemini-2.0-flash"},
        {"cache_tags": {"customer": "acme"}},
        {"config": {"system_instruction": "Be brief."}},
    ],
    ids=["content", "model", "tags", "system"],
)
async def test_another_cache_is_not_adopted(cached: Cached, other: dict[str, Any]) -> None:
    await cached.strategy().prepare()
    await cached.strategy(**other).prepare()
    assert cached.made() == 2


async def test_a_cache_is_renewed_before_it_expires(cached: Cached) -> None:
    strategy = cached.strategy()
    await strategy.prepare()
    cached.simulator.advance(530)
    await run(strategy)
    assert cached.lives_for() == pytest.approx(70, abs=1)
    cached.simulator.advance(20)
    await run(strategy)
    assert cached.lives_for() == pytest.approx(600, abs=1)
    assert cached.made() == 1


async def test_an_expired_cache_is_made_anew(cached: Cached) -> None:
    strategy = cached.strategy(auto_renew=False)
    await strategy.prepare()
    cached.simulator.advance(601)
    assert cached.caches() == []
    await run(strategy)
    assert cached.made() == 2
    assert cached.last().usage.cached_input_tokens == MANUAL_TOKENS


async def test_a_cache_that_somebody_deleted_is_made_anew(cached: Cached) -> None:
    strategy = cached.strategy()
    await strategy.prepare()
    (cache,) = cached.caches()
    cached.client.caches.delete(name=cache.name or "")
    with pytest.raises(ServerError, match="no longer has the cache"):
        await run(strategy)
    await run(strategy)
    assert cached.made() == 2


async def test_a_cache_that_is_gone_at_its_renewal_is_made_anew(cached: Cached) -> None:
    strategy = cached.strategy()
    await strategy.prepare()
    (cache,) = cached.caches()
    cached.client.caches.delete(name=cache.name or "")
    cached.simulator.advance(560)
    await run(strategy)
    assert cached.made() == 2


async def test_a_renewal_that_fails_is_tried_again(
    cached: Cached, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = cached.strategy()
    await strategy.prepare()
    cached.simulator.advance(550)
    number = cached.simulator.add_fault(fault("status", operation="cachedContents.patch"))
    with caplog.at_level(logging.WARNING):
        await run(strategy)
    assert "could not be renewed yet" in caplog.text
    cached.simulator.remove_fault(number)
    cached.simulator.advance(30)
    await run(strategy)
    assert cached.lives_for() == pytest.approx(600, abs=1)


async def test_a_cache_is_deleted_on_demand(cached: Cached) -> None:
    strategy = cached.strategy()
    await strategy.prepare()
    await strategy.delete_cache()
    assert cached.caches() == []
    await strategy.delete_cache()
    await run(strategy)
    assert cached.made() == 2


async def test_a_strategy_that_ends_leaves_its_cache(cached: Cached) -> None:
    strategy = cached.strategy()
    await strategy.prepare()
    await strategy.cleanup()
    await strategy.aclose()
    assert len(cached.caches()) == 1


async def test_short_content_is_sent_with_each_call(
    cached: Cached, caplog: pytest.LogCaptureFixture
) -> None:
    strategy = cached.strategy("too short")
    with caplog.at_level(logging.WARNING):
        await strategy.prepare()
        for _ in range(3):
            await run(strategy)
    assert caplog.text.count("too short for Gemini to cache") == 1
    assert cached.made() == 0
    assert cached.last().usage.cached_input_tokens == 0
    assert cached.last().usage.input_tokens == 4 + 3 + 3  # the SDK makes one turn of them


async def test_a_stale_list_costs_a_cache_but_no_call(cached: Cached) -> None:
    cached.simulator.add_fault(fault("stale_list", seconds=60))
    await cached.strategy().prepare()
    await cached.strategy().prepare()
    assert cached.made() == 2
    assert len(cached.simulator.books.repeated_creates("cache")) == 1


async def test_a_create_whose_answer_is_lost_leaves_a_cache_to_adopt(cached: Cached) -> None:
    cached.simulator.add_fault(fault("dropped", operation="cachedContents.create", times=1))
    strategy = cached.strategy()
    with pytest.raises(ConnectionFailedError):
        await strategy.prepare()
    await run(strategy)
    assert cached.made() == 1


async def _process(strategy: LLMCallStrategy[Any], prompts: Sequence[str]) -> BatchResult[Any, Any]:
    config = ProcessorConfig(
        max_workers=5, retry=RetryConfig(max_attempts=5, initial_wait=0.001, max_wait=0.002)
    )
    async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
        for prompt in prompts:
            await processor.add_work(LLMWorkItem(prompt, strategy, prompt))
        return await processor.process_all()


async def test_many_workers_share_one_cache_and_outlive_its_loss(cached: Cached) -> None:
    strategy = cached.strategy()
    prompts = [f"question {number}" for number in range(20)]
    first = await _process(strategy, prompts)
    assert (first.succeeded, cached.made()) == (20, 1)
    (cache,) = cached.caches()
    cached.client.caches.delete(name=cache.name or "")
    second = await _process(strategy, prompts)
    assert (second.succeeded, cached.made()) == (20, 2)
    billed = cached.simulator.books.records
    assert sum(record.executed for record in billed) == 40
    assert second.total_input_tokens == sum(
        record.usage.input_tokens for record in billed if record.executed
    ) - (first.total_input_tokens)
