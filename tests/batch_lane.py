"""Providers, clients and batches on the simulator, as all tests of the batch lane make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.integration.killed_batch import MODELS, client_at

from batch_llm.batch import Batch

if TYPE_CHECKING:
    from batch_llm.providers import BatchClient
    from batch_llm.testing.simulator import Simulator

KEY: Final = "a-key"
QUICK: Final = {"poll_interval_seconds": 0.01, "orphan_grace_seconds": 0.05}


@dataclass(frozen=True)
class Provider:
    """A provider, and a model of its."""

    name: str
    model: str


PROVIDERS: Final = [Provider(name, MODELS[name]) for name in ("openai", "anthropic", "gemini")]


def base_url_of(provider: str, simulator: Simulator) -> str:
    """Return where a provider of `MODELS` is."""
    urls = {"openai": simulator.openai_base_url, "anthropic": simulator.anthropic_base_url}
    return urls.get(provider, simulator.gemini_base_url)


def open_client(provider: str, simulator: Simulator, **settings: Any) -> BatchClient:
    """Return a client of a provider of `MODELS`, whose failures are tried again at once."""
    key = settings.pop("api_key", KEY)
    return client_at(base_url_of(provider, simulator), provider, key, **settings)


def batch_of(provider: Provider, client: BatchClient, **settings: Any) -> Batch:
    """Return an empty batch that looks often, and asks the provider's model."""
    batch = Batch(clients={provider.name: client}, **{**QUICK, **settings})
    return batch.defaults(model=provider.model)
