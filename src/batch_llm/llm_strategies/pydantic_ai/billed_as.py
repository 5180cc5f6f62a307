"""What the calls of a pydantic-ai model are billed as."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from ...base.strategy import PricedModel
from ...pricing.provider_addresses import provider_at

if TYPE_CHECKING:
    from pydantic_ai.models import Model

# The library's names of a provider's several APIs.
_PROVIDERS: Final = {
    "openai-chat": "openai",
    "openai-responses": "openai",
    "google": "gemini",
    "google-cloud": "gemini",
    "google-gla": "gemini",
    "google-vertex": "gemini",
}
_ADDRESSES: Final = {
    "openai": "OPENAI_BASE_URL",
    "anthropic": "ANTHROPIC_BASE_URL",
    "gemini": "GOOGLE_GEMINI_BASE_URL",
}


def billed_as_name(name: str, base_url: str | None) -> PricedModel | None:
    """Return what calls of "provider:model" are billed as; None where nobody knows.

    Args:
        name: as pydantic-ai names it.
        base_url: another address that the caller gave.
    """
    provider, _, model = name.partition(":")
    return _at(_PROVIDERS.get(provider, provider), model, base_url)


def billed_as_model(model: Model) -> PricedModel | None:
    """Return what calls of an open model are billed as; None where nobody knows."""
    provider, name = model.system, model.model_name
    return _at(_PROVIDERS.get(provider, provider), name, model.base_url)


def _at(provider: str, model: str, url: str | None) -> PricedModel | None:
    stand_in = os.environ.get(_ADDRESSES.get(provider, ""), "")
    if url is None or url.rstrip("/") == stand_in.rstrip("/"):
        return PricedModel(provider, model)
    found = provider_at(url)
    return None if found is None else PricedModel(found, model)
