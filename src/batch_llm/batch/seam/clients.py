"""Who answers the models of a run."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ...exceptions import ConfigurationError
from ...providers.registry import Route, find_route
from .provider_registry import ProviderRegistry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...providers import BatchClient
    from .provider import Provider


class Clients:
    """Finds who answers a model, and opens the clients of a run: each is asked for once.

    Args:
        given: clients of the user's own, by the names of their providers. They win.
        get_provider: finds who answers any other model; by default what
            `ProviderRegistry.get_provider` is by then.
    """

    def __init__(
        self,
        given: Mapping[str, BatchClient] | None = None,
        get_provider: Callable[[str], Provider] | None = None,
    ) -> None:
        self._given = dict(given or {})
        self._get_provider = get_provider
        self._open = dict(self._given)
        self._providers: dict[str, Provider] = {}
        self._routes: dict[str, Route] = {}

    def route(self, model: str) -> Route:
        """Return where the jobs of a model go.

        Raises:
            ConfigurationError: for a model that no provider is known for, or one that does not
                work.
        """
        found = self._routes.get(model)
        if found is None:
            found = route_of_given(model, self._given) or self._look_up(model)
            self._routes[model] = found
        return found

    def has(self, provider: str) -> bool:
        """Return whether it is known by now who has that name."""
        return provider in self._open or provider in self._providers

    def client(self, provider: str) -> BatchClient:
        """Return the client of a provider.

        Raises:
            ConfigurationError: if there is no such provider; a `MissingKeyError` or
                `MissingExtraError` where what it needs is not there.
        """
        found = self._open.get(provider)
        if found is None:
            named = self._providers.get(provider) or ProviderRegistry.named(provider)
            found = self._open[provider] = named.open_client()
        return found

    async def aclose(self) -> None:
        """Close all clients."""
        for client in self._open.values():
            await client.aclose()

    def _look_up(self, model: str) -> Route:
        provider = (self._get_provider or ProviderRegistry.get_provider)(model)
        other = self._providers.setdefault(provider.name, provider)
        if other is not provider:
            raise ConfigurationError(
                f"Two providers are named {provider.name!r}, and the state of a run knows them by "
                f"their names. Give one of them another `name`."
            )
        return Route(provider.name, provider.model_name(model))


def own_route(model: str, given: Mapping[str, BatchClient]) -> Route | None:
    """Return where a model goes whose batches do not go where its live calls go by default.

    A client or a provider of the user's own answers it. None where a client has the very address of
    the built-in strategies.

    Args:
        model: as `find_route` takes it.
        given: clients of the user's own, by the names of their providers.
    """
    route = route_of_given(model, given)
    if route is None:
        return ProviderRegistry.own_route(model)
    client = given[route.provider]
    is_usual = client.has_usual_address and client.provider == route.provider
    return None if is_usual else route


def route_of_given(model: str, given: Mapping[str, BatchClient]) -> Route | None:
    """Return where a model goes that one of these clients answers; None where none of them does.

    Args:
        model: as `find_route` takes it.
        given: clients of the user's own, by the names of their providers.
    """
    with suppress(ConfigurationError):  # the registry may know more models
        route = find_route(model, given)
        return route if route.provider in given else None
    return None
