"""`GeminiCachedStrategy` over Google's real SDK, which talks to a small server on this machine."""

from __future__ import annotations

import asyncio
import datetime
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from tests.gemini_server import MODEL, TOKENS, FakeGemini, answer, serving

from batch_llm.base import LLMRequest
from batch_llm.classifiers import DefaultErrorClassifier, GeminiErrorClassifier
from batch_llm.exceptions import (
    InputError,
    RateLimitedError,
    ServerError,
)
from batch_llm.llm_strategies.gemini.cached import GeminiCachedStrategy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

genai = pytest.importorskip("google.genai", reason="the extra 'gemini' is not installed")

# The SDK's own doing, where aiohttp is installed.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

PROMPT = "How many legs has a spider, and how many has an ant?"


@pytest.fixture
def gemini() -> Iterator[FakeGemini]:
    with serving() as fake:
        yield fake


@pytest.fixture
async def client(gemini: FakeGemini) -> AsyncIterator[Any]:
    sdk = genai.Client(api_key="k", http_options={"base_url": gemini.address})
    yield sdk
    await sdk.aio.aclose()
    sdk.close()


async def run(strategy: Any, prompt: Any = PROMPT) -> tuple[Any, Any]:
    return await strategy.execute(prompt, 1, 10.0)


class Legs(BaseModel):
    spider: int
    ant: int


def refusal(status: int, word: str, message: str = "No.", **error: Any) -> tuple[int, Any]:
    return status, {"error": {"code": status, "message": message, "status": word, **error}}


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7.5s"}

MANUAL = ["A long manual of spiders.", "Some examples."]


def cached(client: Any, **settings: Any) -> GeminiCachedStrategy[Any]:
    content = settings.pop("content", MANUAL)
    return GeminiCachedStrategy(MODEL, client, None, content, **settings)


class TestCache:
    async def test_content_goes_into_the_cache_and_stays_out_of_the_calls(
        self, gemini: FakeGemini, client: Any
    ) -> None:
        config = {
            "system_instruction": "Be short.",
            "temperature": 0.5,
            "tools": [{"google_search": {}}],
        }
        strategy = cached(
            client, config=config, cache_ttl_seconds=600, cache_tags={"customer": "acme"}
        )
        await strategy.prepare()
        output, usage = await run(strategy)
        assert (output, usage) == ("Eight and six.", TOKENS)
        (made,) = gemini.sent("POST", "cachedContents")
        assert made["model"] == f"models/{MODEL}"
        assert made["ttl"] == "600s"
        assert made["contents"] == [
            {"role": "user", "parts": [{"text": text} for text in MANUAL]},
        ]
        assert made["systemInstruction"]["parts"] == [{"text": "Be short."}]
        assert made["tools"] == [{"googleSearch": {}}]
        assert re.fullmatch(r"batch-llm/1 [\w-]{22} customer=acme", made["displayName"])
        (call,) = gemini.sent("POST", "models/")
        assert call["cachedContent"] == "cachedContents/c1"
        assert call["contents"] == [{"role": "user", "parts": [{"text": PROMPT}]}]
        assert call["generationConfig"] == {"temperature": 0.5}
        assert "systemInstruction" not in call
        assert "tools" not in call
        assert config["system_instruction"] == "Be short."

    async def test_a_request_in_the_lane_of_a_cache(self, gemini: FakeGemini, client: Any) -> None:
        gemini.answer = answer('{"spider": 8, "ant": 6}')
        settings = genai.types.GenerateContentConfig(system_instruction="Be short.")
        strategy = cached(client, config=settings)
        request = LLMRequest(PROMPT, system="Be short.", output_schema=Legs)
        assert (await run(strategy, request))[0] == Legs(spider=8, ant=6)
        (call,) = gemini.sent("POST", "models/")
        assert "systemInstruction" not in call
        assert settings.system_instruction == "Be short."
        with pytest.raises(InputError, match="system_instruction"):
            await run(strategy, LLMRequest(PROMPT, system="Be long."))

    async def test_many_workers_prepare_once(self, gemini: FakeGemini, client: Any) -> None:
        strategy = cached(client)
        await asyncio.gather(*(strategy.prepare() for _ in range(50)))
        await asyncio.gather(*(run(strategy) for _ in range(50)))
        assert len(gemini.sent("GET", "cachedContents")) == 1
        assert len(gemini.sent("POST", "cachedContents")) == 1
        assert {body["cachedContent"] for body in gemini.sent("POST", "models/")} == {
            "cachedContents/c1"
        }

    async def test_a_later_run_adopts_the_cache_wherever_it_is_listed(
        self, gemini: FakeGemini, client: Any
    ) -> None:
        for number in range(5):
            await cached(client, content=[f"Another manual {number}"]).prepare()
        await cached(client, cache_tags={"customer": "acme", "version": "1"}).prepare()
        gemini.requests.clear()
        later = cached(client, cache_tags={"customer": "acme"})
        await later.prepare()
        await run(later)
        assert len(gemini.sent("GET", "cachedContents")) == 3, "three pages of two"
        assert not gemini.sent("POST", "cachedContents")
        (call,) = gemini.sent("POST", "models/")
        assert call["cachedContent"] == "cachedContents/c6"

    @pytest.mark.parametrize(
        "other",
        [
            {"content": ["Another manual."]},
            {"cache_tags": {"customer": "globex"}},
            {"cache_tags": {"customer": "acme", "version": "1"}},
            {"config": {"system_instruction": "Be long."}},
        ],
    )
    async def test_another_cache_is_not_adopted(
        self, gemini: FakeGemini, client: Any, other: dict[str, Any]
    ) -> None:
        await cached(client, cache_tags={"customer": "acme"}).prepare()
        await cached(client, **{"cache_tags": {"customer": "acme"}, **other}).prepare()
        assert len(gemini.caches) == 2

    async def test_another_model_is_not_adopted(self, gemini: FakeGemini, client: Any) -> None:
        await cached(client).prepare()
        await GeminiCachedStrategy("gemini-2.5-pro", client, None, MANUAL).prepare()
        assert len(gemini.caches) == 2

    async def test_fifty_workers_lose_the_cache_and_make_one(
        self, gemini: FakeGemini, client: Any
    ) -> None:
        strategy = cached(client)
        await strategy.prepare()
        gemini.caches.clear()
        lost = await asyncio.gather(*(run(strategy) for _ in range(50)), return_exceptions=True)
        assert {type(error) for error in lost} == {ServerError}
        for error in lost:
            assert isinstance(error, ServerError)
            for classifier in (DefaultErrorClassifier(), GeminiErrorClassifier()):
                assert classifier.classify(error).is_retryable
        outputs = await asyncio.gather(*(run(strategy) for _ in range(50)))
        assert {output for output, _ in outputs} == {"Eight and six."}
        assert len(gemini.sent("POST", "cachedContents")) == 2, "one at first, one for all fifty"

    async def test_one_of_fifty_workers_renews(self, gemini: FakeGemini, client: Any) -> None:
        now = [datetime.datetime.now(datetime.UTC).timestamp()]
        strategy = cached(client, clock=lambda: now[0])
        await strategy.prepare()
        now[0] += 3600 - 300
        await asyncio.gather(*(run(strategy) for _ in range(50)))
        assert gemini.sent("PATCH", "cachedContents/c1") == [{"ttl": "3600s"}]
        assert len(gemini.sent("POST", "cachedContents")) == 1

    async def test_a_cache_that_is_gone_at_its_renewal_is_made_again(
        self, gemini: FakeGemini, client: Any
    ) -> None:
        now = [datetime.datetime.now(datetime.UTC).timestamp()]
        strategy = cached(client, clock=lambda: now[0])
        await strategy.prepare()
        gemini.caches.clear()
        now[0] += 3500
        await run(strategy)
        (call,) = gemini.sent("POST", "models/")
        assert call["cachedContent"] == "cachedContents/c2"

    async def test_delete(self, gemini: FakeGemini, client: Any) -> None:
        strategy = cached(client)
        await strategy.delete_cache()
        assert not gemini.requests
        await strategy.prepare()
        await strategy.cleanup()
        await strategy.aclose()
        assert gemini.caches, "cleanup and aclose keep it"
        await strategy.delete_cache()
        await strategy.delete_cache()
        assert not gemini.caches
        assert len(gemini.sent("DELETE", "cachedContents")) == 1
        await run(strategy)
        assert list(gemini.caches) == ["cachedContents/c2"]
        gemini.caches.clear()
        await strategy.delete_cache()

    async def test_content_too_short_is_sent_with_each_call(
        self, gemini: FakeGemini, client: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        gemini.least_characters = 10_000
        strategy = cached(client, config={"system_instruction": "Be short."})
        with caplog.at_level(logging.WARNING, "batch_llm"):
            await asyncio.gather(*(strategy.prepare() for _ in range(5)))
            await run(strategy)
            await run(strategy, LLMRequest("And a fly?"))
        assert len(gemini.sent("POST", "cachedContents")) == 1
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        first, second = gemini.sent("POST", "models/")
        assert [part["text"] for turn in first["contents"] for part in turn["parts"]] == [
            *MANUAL,
            PROMPT,
        ]
        assert [part["text"] for turn in second["contents"] for part in turn["parts"]] == [
            *MANUAL,
            "And a fly?",
        ]
        assert first["systemInstruction"]["parts"] == [{"text": "Be short."}]
        assert "cachedContent" not in first

    async def test_a_refused_cache_is_an_error(self, gemini: FakeGemini, client: Any) -> None:
        gemini.failures = [(*refusal(429, "RESOURCE_EXHAUSTED", details=[RETRY_INFO]), {})]
        strategy = cached(client)
        with pytest.raises(RateLimitedError) as caught:
            await strategy.prepare()
        assert caught.value.retry_after == 7.5
        await strategy.prepare()
        assert len(gemini.caches) == 1


def test_one_strategy_on_two_loops_in_turn(gemini: FakeGemini) -> None:
    client = genai.Client(api_key="k", http_options={"base_url": gemini.address})
    strategy = cached(client)

    async def use() -> None:
        await asyncio.gather(*(run(strategy) for _ in range(20)))
        await strategy.delete_cache()
        await asyncio.gather(*(strategy.prepare() for _ in range(20)))
        await client.aio.aclose()

    asyncio.run(use())
    gemini.caches.clear()
    strategy._cache.forget("cachedContents/c2")
    reopened = genai.Client(api_key="k", http_options={"base_url": gemini.address})
    client.close()
    client = strategy.client = reopened
    asyncio.run(use())
    assert len(gemini.sent("POST", "cachedContents")) == 4
    client.close()
