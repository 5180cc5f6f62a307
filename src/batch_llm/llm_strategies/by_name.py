"""From the name of a model to the strategy that calls it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypedDict
from urllib.parse import urldefrag

from ..base import RequestDefaults, RequestStrategy
from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Unpack

    from ..base import OutputSchema
    from ..base.schema import SchemaSource
    from .escalation import EscalatingStrategy

FORMS: Final = (
    "local",
    "local:PATH.gguf",
    "openai:NAME",
    "gemini:NAME",
    "anthropic:NAME",
    "http://HOST/v1#NAME",
)
"""How models are named."""

USUAL_WORKERS: Final = 5
"""Calls at once, where nothing is known about a model."""


class RequestOptions(TypedDict, total=False):
    """What each request asks besides its prompt; the meaning stands in `LLMRequest`."""

    system: str | None
    output_schema: SchemaSource | OutputSchema | None
    temperature: float | None
    top_p: float | None
    max_output_tokens: int | None
    stop: Iterable[str]
    seed: int | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A model, and how it is to be called.

    Attributes:
        name: what follows the provider: the model's name, a path or an address.
        api_key: the key; None leaves it to the provider's environment variable.
        parallel_slots: calls that a model in this process answers at once; None for its default.
        priced_as: what calls are billed as; None leaves it to the strategy.
        options: `RequestOptions`.
    """

    name: str
    api_key: str | None
    parallel_slots: int | None
    priced_as: str | None
    # Typed at the door: the strategies' overloads know no schema that may or may not be there.
    options: Mapping[str, Any]


def strategy_by_name(
    spec: str,
    *,
    api_key: str | None = None,
    parallel_slots: int | None = None,
    priced_as: str | None = None,
    **options: Unpack[RequestOptions],
) -> RequestStrategy[Any]:
    """Return the strategy for the model that `spec` names; it makes no call.

    Args:
        spec: one of `FORMS`. "local" is the small model that comes with the extra of that name;
            an address is that of any server that speaks OpenAI's Chat Completions.
        api_key: the key. By default that of the provider's environment variable, and none for an
            address.
        parallel_slots: calls that a local model answers at once.
        priced_as: what calls are billed as, such as "openai:gpt-5-mini", where that is not known by
            itself: of a model at an address.
        **options: what each request asks besides its prompt, as for `LLMRequest`.

    Raises:
        ConfigurationError: for a name of no known form; a `MissingExtraError` or `MissingKeyError`
            where what the model needs is not there.
        InputError: for an option that no provider would accept.
    """
    provider, colon, name = spec.partition(":")
    if provider in ("http", "https"):
        provider, colon, name = "http", ":", spec
    build = _BUILDERS.get(provider)
    if build is None or (not name and (colon or provider != "local")):
        raise ConfigurationError(_describe_unknown(spec))
    if priced_as is not None and provider not in _PRICED_AT_WILL:
        raise ConfigurationError(
            f"What calls of {spec!r} are billed as is known; priced_as is for models at an address."
        )
    return build(_Wanted(name, api_key, parallel_slots, priced_as, options))


def strategies_by_name(
    specs: Iterable[str],
    *,
    parallel_slots: int | None = None,
    **options: Unpack[RequestOptions],
) -> EscalatingStrategy[Any]:
    """Return an escalation of the models that `specs` name, cheapest first; it makes no call.

    Args:
        specs: each one of `FORMS`. The keys are those of the providers' environment variables.
        parallel_slots: calls that a local model answers at once.
        **options: what each request asks besides its prompt, as for `LLMRequest`.

    Raises:
        ConfigurationError: as for `strategy_by_name`, and if there are no names.
        InputError: for an option that no provider would accept.
    """
    from .escalation import EscalatingStrategy

    if isinstance(specs, str):
        raise ConfigurationError(f"specs is a list of models' names, not one text ({specs!r:.80}).")
    return EscalatingStrategy(
        strategy_by_name(spec, parallel_slots=parallel_slots, **options) for spec in specs
    )


def usual_workers(strategy: RequestStrategy[Any]) -> int:
    """Return how many calls at once suit `strategy`: as many as a local model has slots."""
    slots = getattr(strategy, "parallel_slots", None)
    return slots if isinstance(slots, int) else USUAL_WORKERS


def _describe_unknown(spec: str) -> str:
    provider, _, name = spec.partition(":")
    near = difflib.get_close_matches(provider.lower(), _BUILDERS, n=1)
    hint = ""
    if near and (name or near[0] == "local"):
        meant = f"{near[0]}:{name}" if name else near[0]
        hint = f" Did you mean {meant!r}?"
    return f"There is no model {spec!r}. A model is named {', '.join(FORMS)}.{hint}"


def _local(wanted: _Wanted) -> RequestStrategy[Any]:
    from .local import LocalModelStrategy

    options = dict(wanted.options)
    if wanted.name:
        options["model"] = wanted.name
    if wanted.parallel_slots is not None:
        options["parallel_slots"] = wanted.parallel_slots
    return LocalModelStrategy(**options)


def _openai(wanted: _Wanted) -> RequestStrategy[Any]:
    from .openai_compatible import OpenAICompatibleStrategy

    return OpenAICompatibleStrategy(
        wanted.name, api_key=wanted.api_key, priced_as=wanted.priced_as, **wanted.options
    )


def _address(wanted: _Wanted) -> RequestStrategy[Any]:
    from .openai_compatible import OpenAICompatibleStrategy

    base_url, name = urldefrag(wanted.name)
    if not name:
        raise ConfigurationError(
            "The address of the model names none: put its name at the end, as in "
            "'http://127.0.0.1:8000/v1#NAME'."
        )
    return OpenAICompatibleStrategy(
        name,
        base_url=base_url,
        api_key=wanted.api_key,
        priced_as=wanted.priced_as,
        **wanted.options,
    )


def _gemini(wanted: _Wanted) -> RequestStrategy[Any]:
    from .gemini.client import EnvironmentClient
    from .gemini.request import GeminiRequestStrategy

    environment = None if wanted.api_key is None else {"GEMINI_API_KEY": wanted.api_key}
    client = EnvironmentClient(environment)
    return GeminiRequestStrategy(wanted.name, client, RequestDefaults(**wanted.options))


def _anthropic(wanted: _Wanted) -> RequestStrategy[Any]:
    from .anthropic import AnthropicStrategy

    return AnthropicStrategy(
        wanted.name, api_key=wanted.api_key, priced_as=wanted.priced_as, **wanted.options
    )


_BUILDERS: Final[Mapping[str, Callable[[_Wanted], RequestStrategy[Any]]]] = {
    "local": _local,
    "openai": _openai,
    "gemini": _gemini,
    "anthropic": _anthropic,
    "http": _address,
}

_PRICED_AT_WILL: Final = frozenset({"http", "openai", "anthropic"})
