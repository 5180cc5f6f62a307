"""Clients that only measure requests, for which no key is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .anthropic import AnthropicBatchClient
from .gemini import GeminiBatchClient
from .openai import OpenAIBatchClient

if TYPE_CHECKING:
    from collections.abc import Callable

    from .base import BatchClient

_NO_KEY: Final = "no-key"
_OPENERS: Final[dict[str, Callable[[], BatchClient]]] = {
    "openai": lambda: OpenAIBatchClient(api_key=_NO_KEY),
    "anthropic": lambda: AnthropicBatchClient(api_key=_NO_KEY),
    "gemini": lambda: GeminiBatchClient(api_key=_NO_KEY),
}


def open_keyless(provider: str) -> BatchClient:
    """Return a client that knows the limits of a provider and encodes for it, and must not send.

    Args:
        provider: "openai", "anthropic" or "gemini".

    Raises:
        ConfigurationError: for an address in the environment that cannot be used.
    """
    return _OPENERS[provider]()
