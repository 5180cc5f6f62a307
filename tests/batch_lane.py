"""Batches of jobs against the simulator, as tests of the batch lane make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batch_llm.batch import Batch
from batch_llm.providers import (
    AnthropicBatchClient,
    BatchClient,
    GeminiBatchClient,
    OpenAIBatchClient,
    Retries,
)

if TYPE_CHECKING:
    from batch_llm.testing.simulator import Simulator

KEY = "a-key"
AT_ONCE = Retries(attempts=6, initial_seconds=0.001)
QUICK = {"poll_interval_seconds": 0.01, "orphan_grace_seconds": 0.05}


@dataclass(frozen=True)
class Provider:
    """A provider, and a model of its."""

    name: str
    model: str


PROVIDERS = [
    Provider("openai", "gpt-4o-mini"),
    Provider("anthropic", "claude-haiku-4-5"),
    Provider("gemini", "gemini-2.5-flash"),
]


def client_of(name: str, simulator: Simulator, **settings: Any) -> BatchClient:
    """Return a client of the provider of this name, whose failures are tried again at once."""
    common = {"api_key": KEY, "retries": AT_ONCE, **settings}
    if name == "openai":
        return OpenAIBatchClient(base_url=simulator.openai_base_url, **common)
    if name == "anthropic":
        return AnthropicBatchClient(base_url=simulator.anthropic_base_url, **common)
    return GeminiBatchClient(base_url=simulator.gemini_base_url, **common)


def batch_of(provider: Provider, client: BatchClient, **settings: Any) -> Batch:
    """Return an empty batch that looks often, and asks the provider's model."""
    batch = Batch(clients={provider.name: client}, **{**QUICK, **settings})
    return batch.defaults(model=provider.model)
