"""What models can do, by their names: those that are known, and those that came later."""

from __future__ import annotations

import pytest

from batch_llm.base import ModelConfig
from batch_llm.pricing import limits_of
from batch_llm.providers.abilities import abilities_of, known_models

PROVIDERS = ("openai", "anthropic", "gemini")


@pytest.mark.parametrize(
    ("provider", "model", "most"),
    [
        ("openai", "gpt-4o-mini", 16_384),
        ("openai", "gpt-4o-mini-2024-07-18", 16_384),
        ("openai", "ft:gpt-4o-mini:us::1", 16_384),
        ("openai", "gpt-4-0613", 8_192),
        ("anthropic", "claude-haiku-4-5-20251001", 64_000),
        ("anthropic", "claude-opus-4-20250514", 32_000),
        ("gemini", "models/gemini-2.5-pro", 65_536),
        ("gemini", "gemini-2.0-flash-001", 8_192),
    ],
)
def test_a_model_is_known_by_its_snapshots_too(provider: str, model: str, most: int) -> None:
    able = abilities_of(provider, model)
    assert able.is_known
    assert able.config.max_output_tokens == most


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-5.9"),
        ("openai", "gpt-4o-audio-preview"),
        ("anthropic", "claude-sonnet-9"),
        ("gemini", "gemini-2.5-flash-preview-09-2025"),
    ],
)
def test_a_newer_model_can_do_what_its_provider_can(provider: str, model: str) -> None:
    able = abilities_of(provider, model)
    assert not able.is_known
    assert able.config.name == model
    assert able.config.reads(".pdf")
    assert able.config.supports_images
    assert able.config.supports_structured_output
    assert able.config.supports_citations == (provider == "anthropic")
    older = limits_of(provider, model)
    assert older is not None
    assert able.config.max_output_tokens >= older.output_tokens


def test_a_model_at_a_server_of_ones_own_may_be_another() -> None:
    able = abilities_of("openai", "gpt-4", is_own_server=True)
    assert not able.is_known
    assert able.config.supports_images
    assert abilities_of("openai", "o3", is_own_server=True).sampling == "unsure"


@pytest.mark.parametrize(
    ("provider", "model", "sampling"),
    [
        ("openai", "gpt-4.1", "taken"),
        ("openai", "gpt-5-chat-latest", "taken"),
        ("openai", "o3-mini", "refused"),
        ("openai", "gpt-5", "refused"),
        ("openai", "gpt-5-mini-2025-08-07", "refused"),
        ("openai", "gpt-5.5", "refused"),
        ("openai", "gpt-5.1", "unsure"),
        ("openai", "gpt-9", "unsure"),
        ("anthropic", "claude-sonnet-4-6", "taken"),
        ("anthropic", "claude-opus-4-7", "refused"),
        ("anthropic", "claude-sonnet-5", "refused"),
        ("gemini", "gemini-3-pro-preview", "taken"),
    ],
)
def test_whether_a_temperature_may_be_set(provider: str, model: str, sampling: str) -> None:
    assert abilities_of(provider, model).sampling == sampling


def test_which_models_think_unasked() -> None:
    named = [
        *(("openai", "gpt-5-mini"), ("openai", "o1"), ("gemini", "gemini-2.5-flash")),
        *(("openai", "gpt-4o"), ("gemini", "gemini-2.0-flash"), ("anthropic", "claude-opus-4-5")),
    ]
    assert [abilities_of(*name).thinks_unasked for name in named] == [True] * 3 + [False] * 3


def test_vectors_are_made_by_those_that_say_so() -> None:
    assert abilities_of("openai", "text-embedding-9-huge").makes_vectors is True
    assert abilities_of("openai", "gpt-4o").makes_vectors is False
    assert abilities_of("openai", "gpt-9").makes_vectors is None
    assert abilities_of("anthropic", "claude-sonnet-9").makes_vectors is False


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_known_model_has_its_configuration(provider: str) -> None:
    models = known_models(provider)
    assert len(models) > 5
    for name, config in models.items():
        assert isinstance(config, ModelConfig)
        assert config.name == name
        assert abilities_of(provider, name).config == config
        # Its own limits, and not the widest of the provider.
        assert limits_of(provider, name) or "embedding" in name


def test_of_other_providers_no_model_is_known() -> None:
    assert known_models("mine") == {}


def test_changing_what_was_given_changes_nothing_for_others() -> None:
    known_models("gemini")["gemini-2.5-pro"].file_types.clear()
    assert known_models("gemini")["gemini-2.5-pro"].reads(".pdf")
