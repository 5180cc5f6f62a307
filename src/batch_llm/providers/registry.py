"""From the name of a model to the client of the Batch API that knows it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .base import BatchClient

# By the families that providers name their models in, so that one of tomorrow is known today.
_FAMILIES: Final = (
    (re.compile(r"claude"), "anthropic"),
    (
        re.compile(r"(?:models/)?(?:gemini|gemma|learnlm|text-embedding-00\d|embedding-00)"),
        "gemini",
    ),
    (re.compile(r"(?:ft:)?(?:gpt-|chatgpt-|o\d|davinci-|babbage-|text-embedding-)"), "openai"),
)


@dataclass(frozen=True, slots=True)
class BatchModel:
    """A model, and whose it is.

    Attributes:
        provider: "openai", "anthropic" or "gemini".
        model: as the provider names it.
    """

    provider: str
    model: str


def batch_model(name: str) -> BatchModel:
    """Return whose a model is.

    Args:
        name: "PROVIDER:MODEL", or the name of a model of a known family, such as "gpt-…",
            "claude-…" or "gemini-…".

    Raises:
        ConfigurationError: for a model of no known family, saying how to name its provider.
    """
    provider, colon, model = name.partition(":")
    if colon and model and provider in _CLIENTS:
        return BatchModel(provider, model)
    found = next((owner for family, owner in _FAMILIES if family.match(name.lower())), None)
    if found is None:
        raise ConfigurationError(
            f"It is not known which provider has the model {name!r}. Put the provider before its "
            f"name, as in {f'openai:{name}'!r}; there are {', '.join(_CLIENTS)}."
        )
    return BatchModel(found, name)


def batch_client(provider: str) -> BatchClient:
    """Return a client of a provider, with the address and the key of the environment.

    Raises:
        ConfigurationError: for a provider that is none, and a `MissingKeyError` for one without a
            key: each says what to do.
    """
    make = _CLIENTS.get(provider)
    if make is None:
        raise ConfigurationError(
            f"There is no provider {provider!r}; there are {', '.join(_CLIENTS)}."
        )
    return make()


def _openai() -> BatchClient:
    from .openai import OpenAIBatchClient

    return OpenAIBatchClient()


def _anthropic() -> BatchClient:
    from .anthropic import AnthropicBatchClient

    return AnthropicBatchClient()


def _gemini() -> BatchClient:
    from .gemini import GeminiBatchClient

    return GeminiBatchClient()


_CLIENTS: Final[dict[str, Callable[[], BatchClient]]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "gemini": _gemini,
}
