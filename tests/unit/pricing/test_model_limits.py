"""How much models write at most."""

from __future__ import annotations

import pytest

from batch_llm.pricing import ModelLimits, limits_of


@pytest.mark.parametrize(
    ("provider", "model", "output_tokens"),
    [
        ("openai", "gpt-4o-mini", 16_384),
        ("openai", "gpt-4.1-nano-2025-04-14", 32_768),
        ("openai", "gpt-5-mini", 128_000),
        ("openai", "gpt-5-pro", 272_000),
        ("openai", "ft:gpt-4o-mini-2024-07-18:acme::abc", 16_384),
        ("openai", "o3-mini", 100_000),
        ("anthropic", "claude-haiku-4-5", 64_000),
        ("anthropic", "claude-sonnet-4-20250514", 64_000),
        ("anthropic", "claude-opus-4-1-20250805", 32_000),
        ("anthropic", "claude-opus-4-7", 128_000),
        ("anthropic", "claude-3-5-haiku-latest", 8_192),
        ("gemini", "gemini-2.5-flash", 65_536),
        ("gemini", "models/gemini-2.5-pro", 65_536),
    ],
)
def test_a_model_is_known_by_the_beginning_of_its_name(
    provider: str, model: str, output_tokens: int
) -> None:
    limits = limits_of(provider, model)
    assert isinstance(limits, ModelLimits)
    assert limits.output_tokens == output_tokens
    assert limits.context_tokens >= output_tokens


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-none"), ("openai", ""), ("vllm", "gpt-4o"), ("gemini", "gpt-4o")],
)
def test_of_others_nothing_is_known(provider: str, model: str) -> None:
    assert limits_of(provider, model) is None
