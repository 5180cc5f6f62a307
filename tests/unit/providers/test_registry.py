from __future__ import annotations

import pytest

from batch_llm.exceptions import ConfigurationError, MissingKeyError
from batch_llm.providers.registry import BatchModel, batch_client, batch_model


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("gpt-9-nano", "openai", "gpt-9-nano"),
        ("o7-mini", "openai", "o7-mini"),
        ("ft:gpt-4o-mini:me::id", "openai", "ft:gpt-4o-mini:me::id"),
        ("text-embedding-3-small", "openai", "text-embedding-3-small"),
        ("text-embedding-004", "gemini", "text-embedding-004"),
        ("claude-opus-9", "anthropic", "claude-opus-9"),
        ("Claude-Haiku", "anthropic", "Claude-Haiku"),
        ("models/gemini-4-flash", "gemini", "models/gemini-4-flash"),
        ("gemini-embedding-001", "gemini", "gemini-embedding-001"),
        ("openai:llama-3", "openai", "llama-3"),
        ("anthropic:my:own", "anthropic", "my:own"),
    ],
)
def test_whose_a_model_is(name: str, provider: str, model: str) -> None:
    assert batch_model(name) == BatchModel(provider, model)


@pytest.mark.parametrize("name", ["llama-3", "", "nobody:gpt-4", "openai:"])
def test_a_model_of_nobody_says_how_to_name_its_provider(name: str) -> None:
    with pytest.raises(ConfigurationError, match="openai, anthropic, gemini"):
        batch_model(name)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_a_client_takes_its_key_from_the_environment_or_says_so(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI", "ANTHROPIC", "GEMINI", "GOOGLE"):
        monkeypatch.delenv(f"{name}_API_KEY", raising=False)
        monkeypatch.delenv(f"{name}_BASE_URL", raising=False)
    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL", raising=False)
    with pytest.raises(MissingKeyError, match=f"{provider.upper()}_API_KEY"):
        batch_client(provider)
    monkeypatch.setenv(f"{provider.upper()}_API_KEY", "k")
    assert batch_client(provider).provider == provider


def test_a_provider_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match="'cohere'"):
        batch_client("cohere")
