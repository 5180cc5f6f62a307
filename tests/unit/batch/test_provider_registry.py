"""From names of models to providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batch_llm import MockProvider, ModelConfig, OpenAIProvider, ProviderRegistry
from batch_llm.batch.seam.clients import Clients
from batch_llm.exceptions import ConfigurationError, MissingKeyError
from batch_llm.providers import MockBatchClient
from batch_llm.providers.registry import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")
ADDRESSES = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL")


@pytest.fixture(autouse=True)
def as_new(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ADDRESSES:
        monkeypatch.delenv(name, raising=False)
    for name in KEYS:
        monkeypatch.setenv(name, "a-key")
    _forget()
    yield
    _forget()


def _forget() -> None:
    ProviderRegistry._made.clear()
    for name in list(ProviderRegistry._registered):
        ProviderRegistry.unregister(name)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-4o-mini", "openai"),
        ("gpt-9-of-tomorrow", "openai"),
        ("claude-of-tomorrow", "anthropic"),
        ("models/gemini-9", "gemini"),
        ("openai:llama-3", "openai"),
    ],
)
def test_a_model_tells_its_provider(model: str, name: str) -> None:
    provider = ProviderRegistry.get_provider(model)
    assert provider.name == name
    assert ProviderRegistry.get_provider(model) is provider


def test_of_another_model_it_is_said_which_there_are() -> None:
    with pytest.raises(ValueError, match=r"openai:NAME") as caught:
        ProviderRegistry.get_provider("llama-3")
    assert isinstance(caught.value, ConfigurationError)
    ProviderRegistry.register(MockProvider(["a-model-of-mine"]))
    with pytest.raises(ValueError, match="a-model-of-mine"):
        ProviderRegistry.get_provider("llama-3")


def test_a_provider_without_its_key_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(MissingKeyError, match="ANTHROPIC_API_KEY"):
        ProviderRegistry.get_provider("claude-haiku-4-5")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key")
    assert ProviderRegistry.get_provider("claude-haiku-4-5").name == "anthropic"


def test_ones_own_provider_wins_for_its_models() -> None:
    mine = MockProvider(["gpt-4o", "a-model-of-mine"])
    ProviderRegistry.register(mine)
    assert ProviderRegistry.get_provider("gpt-4o") is mine
    assert ProviderRegistry.get_provider("a-model-of-mine") is mine
    assert ProviderRegistry.get_provider("MockProvider:any") is mine
    assert ProviderRegistry.get_provider("gpt-4o-mini").name == "openai"
    later = MockProvider(["a-model-of-mine"])
    ProviderRegistry.register(later)
    assert ProviderRegistry.get_provider("a-model-of-mine") is later
    assert ProviderRegistry.get_provider("gpt-4o").name == "openai"


def test_a_server_of_ones_own_takes_the_place_of_openai() -> None:
    mine = OpenAIProvider(base_url="http://127.0.0.1:9/v1", api_key="k")
    ProviderRegistry.register(mine)
    assert ProviderRegistry.get_provider("gpt-of-tomorrow") is mine
    ProviderRegistry.unregister("openai")
    assert ProviderRegistry.get_provider("gpt-of-tomorrow") is not mine


def test_a_server_under_a_name_of_its_own() -> None:
    models = {"llama-3": ModelConfig("llama-3", 8_000, 1_000)}
    mine = OpenAIProvider(name="mine", models=models, base_url="http://127.0.0.1:9/v1", api_key="k")
    ProviderRegistry.register(mine)
    clients = Clients()
    assert clients.route("llama-3") == Route("mine", "llama-3")
    assert clients.route("mine:other") == Route("mine", "other")
    assert clients.route("gpt-4o").provider == "openai"


def test_two_providers_of_one_name_are_told_apart_or_refused() -> None:
    first, second = MockProvider(["a"]), MockProvider(["b"])
    found = {"a": first, "b": second}
    clients = Clients(get_provider=found.__getitem__)
    assert clients.route("a").provider == "MockProvider"
    with pytest.raises(ConfigurationError, match="Two providers are named 'MockProvider'"):
        clients.route("b")
    second.name = "second"
    assert clients.route("b") == Route("second", "b")


def test_clients_that_are_given_win() -> None:
    ProviderRegistry.register(MockProvider(["gpt-4o"]))
    client = MockBatchClient()
    clients = Clients({"openai": client})
    assert clients.route("gpt-4o") == Route("openai", "gpt-4o")
    assert clients.client("openai") is client


def test_of_an_unknown_provider_it_is_said_which_there_are() -> None:
    with pytest.raises(ConfigurationError, match="anthropic, gemini, openai"):
        Clients().client("gone")
