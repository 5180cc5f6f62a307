"""Real calls to OpenAI and Anthropic, each skipped without its key. Run with `-m integration`."""

from __future__ import annotations

import os
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from batch_llm import LLMCallStrategy, process_prompts, strategy_by_name

pytestmark = pytest.mark.integration


class Sentiment(BaseModel):
    label: Literal["positive", "negative"]


def provider(spec: str, key: str) -> Any:
    """Name a provider's model; its test is skipped without the provider's key."""
    reason = f"{key} is not set"
    return pytest.param(spec, marks=pytest.mark.skipif(not os.environ.get(key), reason=reason))


PROVIDERS = [
    provider(os.environ.get("BATCH_LLM_OPENAI_MODEL", "openai:gpt-5-mini"), "OPENAI_API_KEY"),
    provider(
        os.environ.get("BATCH_LLM_ANTHROPIC_MODEL", "anthropic:claude-haiku-4-5"),
        "ANTHROPIC_API_KEY",
    ),
]


@pytest.mark.parametrize("spec", PROVIDERS)
async def test_a_plain_answer_comes_with_its_tokens(spec: str) -> None:
    strategy: LLMCallStrategy[Any] = strategy_by_name(spec, max_output_tokens=500)
    batch = await process_prompts(["Say the word 'pear' and nothing else."], strategy)
    (result,) = batch
    assert result.success, result.error
    assert "pear" in str(result.output).lower()
    assert batch.total_input_tokens > 0
    assert batch.total_output_tokens > 0


@pytest.mark.parametrize("spec", PROVIDERS)
async def test_an_answer_fits_its_schema(spec: str) -> None:
    strategy: LLMCallStrategy[Any] = strategy_by_name(
        spec, output_schema=Sentiment, max_output_tokens=500
    )
    (result,) = await process_prompts(["Is this positive or negative? I love it."], strategy)
    assert result.success, result.error
    assert result.output == Sentiment(label="positive")
