"""What the calls of strategies are billed as."""

from __future__ import annotations

from typing import Any

import pytest

from batch_llm import (
    AnthropicStrategy,
    GeminiStrategy,
    OpenAICompatibleStrategy,
    PydanticAIModelStrategy,
    PydanticAIStrategy,
)
from batch_llm.base import PricedModel
from batch_llm.exceptions import ConfigurationError

LOOPBACK = "http://127.0.0.1:1/v1"
CHAT = "openai-chat:gpt-4o"


@pytest.fixture(autouse=True)
def no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def _openai(**options: Any) -> PricedModel | None:
    return OpenAICompatibleStrategy("gpt-4o", api_key="k", **options).priced_as


def _pydantic_ai(model: Any = CHAT, **options: Any) -> PricedModel | None:
    return PydanticAIModelStrategy(model, **options).priced_as


@pytest.mark.parametrize("priced", [_openai, _pydantic_ai])
def test_the_provider_itself_and_what_stands_in_for_it(
    priced: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert priced() == PricedModel("openai", "gpt-4o")
    monkeypatch.setenv("OPENAI_BASE_URL", LOOPBACK)
    assert priced() == PricedModel("openai", "gpt-4o")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://api.groq.com/openai/v1")
    assert _openai() == PricedModel("groq", "gpt-4o")


@pytest.mark.parametrize("priced", [_openai, _pydantic_ai])
@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (LOOPBACK, None),
        ("https://llm.example.com/v1", None),
        ("https://api.groq.com/openai/v1", PricedModel("groq", "gpt-4o")),
        ("https://generativelanguage.googleapis.com/v1", PricedModel("gemini", "gpt-4o")),
    ],
)
def test_the_name_of_a_model_says_nothing_at_another_server(
    priced: Any, url: str, expected: PricedModel | None
) -> None:
    assert priced(base_url=url) == expected


@pytest.mark.parametrize("priced", [_openai, _pydantic_ai])
def test_the_caller_may_say(priced: Any) -> None:
    said = PricedModel("openai", "gpt-5")
    assert priced(base_url=LOOPBACK, priced_as=said) == said
    assert priced(base_url=LOOPBACK, priced_as="openai:gpt-5") == said
    for wrong in ("gpt-5", "openai:", ":gpt-5", ""):
        with pytest.raises(ConfigurationError, match="priced_as"):
            priced(priced_as=wrong)


def test_anthropic_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    def priced(**options: Any) -> PricedModel | None:
        return AnthropicStrategy("claude-x", api_key="k", **options).priced_as

    assert priced() == PricedModel("anthropic", "claude-x")
    assert priced(base_url="http://127.0.0.1:1") is None
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    assert priced() == PricedModel("anthropic", "claude-x")


def test_gemini_without_its_prefix() -> None:
    strategy = GeminiStrategy[str]("models/gemini-2.5-flash", None)
    assert strategy.priced_as == PricedModel("gemini", "gemini-2.5-flash")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("openai:gpt-5", PricedModel("openai", "gpt-5")),
        ("openai-responses:gpt-5", PricedModel("openai", "gpt-5")),
        ("anthropic:claude-x", PricedModel("anthropic", "claude-x")),
        ("google:gemini-x", PricedModel("gemini", "gemini-x")),
        ("google-cloud:gemini-x", PricedModel("gemini", "gemini-x")),
        ("groq:llama-x", PricedModel("groq", "llama-x")),
    ],
)
def test_names_of_pydantic_ai(name: str, expected: PricedModel) -> None:
    assert _pydantic_ai(name) == expected


def test_open_models_and_agents_of_pydantic_ai(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    def model(**options: Any) -> OpenAIChatModel:
        return OpenAIChatModel("gpt-4o", provider=OpenAIProvider(api_key="k", **options))

    for opened, expected in (
        (model(), PricedModel("openai", "gpt-4o")),
        (model(base_url=LOOPBACK), None),
        (model(base_url="https://api.groq.com/openai/v1"), PricedModel("groq", "gpt-4o")),
    ):
        assert _pydantic_ai(opened) == expected
        assert PydanticAIStrategy(Agent(opened)).priced_as == expected
    monkeypatch.setenv("OPENAI_BASE_URL", LOOPBACK)
    assert _pydantic_ai(model()) == PricedModel("openai", "gpt-4o")


def test_of_another_librarys_agent_nothing_is_known() -> None:
    class Other:
        async def run(self, user_prompt: Any, /) -> Any: ...

    assert PydanticAIStrategy(Other()).priced_as is None
