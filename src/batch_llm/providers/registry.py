"""From the name of a model to the Batch API that answers it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .base import BatchClient

# Beginnings, and no list of models: those that come out tomorrow are named like those of today.
# Google's models of vectors are numbered from 001 on, and OpenAI's are not.
_GOOGLES_VECTORS: Final = r"(text-)?embedding-0\d\d"
_NAMES: Final = (
    (
        "gemini",
        re.compile(
            rf"models/|tunedModels/|gemini-|gemma-|text-multilingual-embedding-|{_GOOGLES_VECTORS}"
        ),
    ),
    ("openai", re.compile(r"(ft:)?(gpt-|chatgpt-|o[0-9]|codex-|text-embedding-|davinci|babbage)")),
    ("anthropic", re.compile(r"claude-")),
)
_PROVIDERS: Final = frozenset(provider for provider, _ in _NAMES)
_FORMS: Final = (
    "gpt-…, o3…, chatgpt-… or text-embedding-3-… (OpenAI), claude-… (Anthropic), gemini-…, gemma-… "
    "or models/… (Gemini), or PROVIDER:NAME, such as openai:NAME"
)


@dataclass(frozen=True, slots=True)
class Route:
    """Where the requests for a model go.

    Attributes:
        provider: "openai", "anthropic" or "gemini", or the name of a client of the user's own.
        model: as the provider names it.
    """

    provider: str
    model: str


def find_route(model: str, others: Mapping[str, BatchClient] | None = None) -> Route:
    """Return where the requests for `model` go.

    Args:
        model: a name such as "gpt-5-mini", also one that is newer than this package, or
            "PROVIDER:NAME" for any other.
        others: clients of further providers, by the name that stands before the colon.

    Raises:
        ConfigurationError: for a name that no provider is known by; it says which forms there are.
            For white space around a name, too, which no provider would find it by.
    """
    provider, colon, name = model.partition(":")
    if any(part != part.strip() for part in (provider, name)):
        raise ConfigurationError(f"The model {model!r} has white space around a name; remove it.")
    if colon and name and (provider in _PROVIDERS or provider in (others or {})):
        return Route(provider, name)
    for provider, beginning in _NAMES:
        if beginning.match(model):
            return Route(provider, model.removeprefix("models/"))
    raise ConfigurationError(f"No provider is known for the model {model!r}. {_advice(model)}")


def _advice(model: str) -> str:
    provider, slash, name = model.partition("/")
    if slash and name and provider in _PROVIDERS:
        return f"Write {f'{provider}:{name}'!r}."
    return f"Name it {_FORMS}."
