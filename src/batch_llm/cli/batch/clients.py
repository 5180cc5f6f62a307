"""From `--model` to the client of the Batch API that answers it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urldefrag

from ...batch.late.deadline import Deadline
from ...exceptions import ConfigurationError, MissingKeyError
from ...lanes import LiveLane
from ...llm_strategies import strategy_by_name
from ...providers import AnthropicBatchClient, GeminiBatchClient, OpenAIBatchClient
from ...providers.keyless import open_keyless
from ...providers.registry import find_route
from ..option_values import read_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...base import RequestStrategy
    from ...providers import BatchClient

SERVER: Final = "server"
"""The provider of a model at an address, as jobs name it: `server:NAME`."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model, and how its provider is reached.

    Attributes:
        name: as jobs name it, such as "openai:gpt-5-mini".
        base_url: the address of a server that is none of the three; None for those.
        api_key_env: the variable that holds the key, where it is not the usual one.
    """

    name: str
    base_url: str | None = None
    api_key_env: str | None = None


def model_of(spec: str, api_key_env: str | None = None) -> Model:
    """Return the model that `--model` names.

    Raises:
        ConfigurationError: if no Batch API is known for it.
    """
    scheme = spec.partition(":")[0]
    if scheme == "local":
        raise ConfigurationError(
            f"--model {spec}: a model in this process has no Batch API. Use batch-llm run."
        )
    if scheme in ("http", "https"):
        base_url, name = urldefrag(spec)
        if not name:
            raise ConfigurationError(
                "The address of the model names none: put its name at the end, as in "
                "'http://127.0.0.1:8000/v1#NAME'."
            )
        return Model(f"{SERVER}:{name}", base_url, api_key_env)
    find_route(spec)
    return Model(spec, None, api_key_env)


def clients_for(model: Model, *, sends: bool = True) -> dict[str, BatchClient]:
    """Return the client of a model's provider, by the name that jobs go to.

    Args:
        model: that rows go to.
        sends: whether it is to send anything; if not, it need not have a key.

    Raises:
        ConfigurationError: for an address that cannot be used; a `MissingKeyError` if the key is
            not there, or the variable that was named for it.
    """
    key = read_key(model.api_key_env)
    if model.base_url is not None:
        return {SERVER: OpenAIBatchClient(base_url=model.base_url, api_key=key)}
    provider = find_route(model.name).provider
    try:
        return {provider: _OPENERS[provider](key)}
    except MissingKeyError:
        if sends:
            raise
        return {provider: open_keyless(provider)}


def deadline_for(model: Model, seconds: float | None) -> Deadline | None:
    """Return when rows without an answer are called live, and what calls them; None for never.

    Raises:
        ConfigurationError: for an address that cannot be used; a `MissingKeyError` if the key is
            not there.
    """
    if seconds is None:
        return None
    key, base_url = read_key(model.api_key_env), model.base_url
    if base_url is not None:
        return Deadline(seconds, LiveLane({SERVER: partial(_at_address, base_url, key)}))
    if key is None:
        return Deadline(seconds, LiveLane())
    provider = find_route(model.name).provider
    return Deadline(seconds, LiveLane({provider: partial(_at_provider, provider, key)}))


def _at_address(base_url: str, key: str | None, name: str) -> RequestStrategy[Any]:
    return strategy_by_name(f"{base_url}#{name}", api_key=key)


def _at_provider(provider: str, key: str, name: str) -> RequestStrategy[Any]:
    return strategy_by_name(f"{provider}:{name}", api_key=key)


_OPENERS: Final[dict[str, Callable[[str | None], BatchClient]]] = {
    "openai": lambda key: OpenAIBatchClient(api_key=key),
    "anthropic": lambda key: AnthropicBatchClient(api_key=key),
    "gemini": lambda key: GeminiBatchClient(api_key=key),
}
