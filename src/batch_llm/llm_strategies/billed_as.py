"""What the calls of a strategy are billed as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.strategy import PricedModel
from ..exceptions import ConfigurationError
from ..pricing.provider_addresses import provider_at

if TYPE_CHECKING:
    from .endpoint import Endpoint


def priced_model(given: PricedModel | str) -> PricedModel:
    """Return what a caller says that calls are billed as: "openai:gpt-5-mini".

    Raises:
        ConfigurationError: for a text that names no provider or no model.
    """
    if isinstance(given, PricedModel):
        return given
    provider, _, model = given.partition(":")
    if not (provider and model):
        raise ConfigurationError(
            f"priced_as is 'provider:model', such as 'openai:gpt-5-mini', not {given!r}."
        )
    return PricedModel(provider, model)


def billed_as(
    given: PricedModel | str | None, provider: str, model: str, endpoint: Endpoint
) -> PricedModel | None:
    """Return what calls to `endpoint` are billed as; None where nobody knows.

    The name of a model says nothing about its price at another server: what a caller does not
    say is known for the provider itself, for the servers of other providers, and for an address in
    the provider's environment variable, which is a stand-in for it.

    Args:
        given: what the caller says.
        provider: whose API it is.
        model: as the server names it.
        endpoint: where calls go.
    """
    if given is not None:
        return priced_model(given)
    if endpoint.is_the_providers:
        return PricedModel(provider, model)
    if (found := provider_at(endpoint.url)) is not None:
        return PricedModel(found, model)
    return PricedModel(provider, model) if endpoint.is_from_environment else None
