"""The Gemini strategies against Google's own service. Costs a fraction of a cent."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel

from batch_llm.base import LLMRequest
from batch_llm.llm_strategies.gemini.cached import GeminiCachedStrategy
from batch_llm.llm_strategies.gemini.client import KEY_VARIABLES, EnvironmentClient
from batch_llm.llm_strategies.gemini.strategy import GeminiStrategy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = os.environ.get("BATCH_LLM_TEST_GEMINI_MODEL", "gemini-2.5-flash")

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not any(os.environ.get(name) for name in KEY_VARIABLES),
        reason="needs GEMINI_API_KEY or GOOGLE_API_KEY",
    ),
    pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning"),
]


class Legs(BaseModel):
    spider: int
    ant: int


@pytest.fixture
async def client() -> AsyncIterator[EnvironmentClient]:
    source = EnvironmentClient()
    yield source
    await source.aclose()


async def test_a_value_that_fits_a_schema(client: EnvironmentClient) -> None:
    request = LLMRequest("How many legs has a spider, and an ant?", output_schema=Legs)
    strategy: GeminiStrategy[Legs] = GeminiStrategy(MODEL, client)
    output, usage = await strategy.execute(request, 1, 60.0)
    assert output == Legs(spider=8, ant=6)
    assert usage.get("input_tokens", 0) > 0
    assert usage.get("output_tokens", 0) > 0


async def test_metadata(client: EnvironmentClient) -> None:
    strategy = GeminiStrategy(MODEL, client, include_metadata=True)
    output, _ = await strategy.execute("Say hello.", 1, 60.0)
    assert output.output
    assert output.finish_reason == "STOP"


async def test_a_cache_is_made_used_adopted_and_deleted(client: EnvironmentClient) -> None:
    manual = "\n".join(
        f"Rule {number}: the code of room {number} is {number * 7}." for number in range(500)
    )
    strategies = [
        GeminiCachedStrategy(
            MODEL,
            client,
            None,
            [manual],
            cache_ttl_seconds=120,
            cache_renewal_buffer_seconds=30,
            cache_tags={"suite": "integration"},
        )
        for _ in range(2)
    ]
    try:
        for strategy in strategies:
            output, usage = await strategy.execute("What is the code of room 11?", 1, 60.0)
            assert "77" in output
            assert usage.get("cached_input_tokens", 0) > 1000
    finally:
        for strategy in strategies:
            await strategy.delete_cache()
