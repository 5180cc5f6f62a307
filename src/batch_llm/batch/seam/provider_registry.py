"""From the name of a model to the provider that answers it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, ClassVar

from ...exceptions import ConfigurationError
from ...providers.registry import Route, find_route

if TYPE_CHECKING:
    from .provider import Provider


class ProviderRegistry:
    """Knows all providers. Those of OpenAI, Anthropic and Gemini are there from the start.

        ProviderRegistry.register(MyProvider())
        Batch().defaults(model="a-model-of-mine")

    Any thread may use it.
    """

    _classes: ClassVar[dict[str, type[Provider]]] = {}
    """By name, those that are made when they are first asked for: each needs a key."""
    _made: ClassVar[dict[str, Provider]] = {}
    _registered: ClassVar[dict[str, Provider]] = {}
    _model_to_provider: ClassVar[dict[str, str]] = {}
    _lock: ClassVar[threading.RLock] = threading.RLock()

    @classmethod
    def register(cls, provider: Provider | type[Provider]) -> None:
        """Let a provider answer its models from now on, in the place of whoever did.

        Args:
            provider: one, or a class that is made without arguments once a model of its name is
                asked for. One of the same name goes.
        """
        with cls._lock:
            if isinstance(provider, type):
                cls._classes[provider.name] = provider
                return
            cls.unregister(provider.name)
            cls._registered[provider.name] = provider
            cls._model_to_provider.update(dict.fromkeys(provider.models, provider.name))

    @classmethod
    def unregister(cls, name: str) -> None:
        """Forget the provider of that name, if there is one; a registered class stays."""
        with cls._lock:
            cls._registered.pop(name, None)
            for model in [model for model, of in cls._model_to_provider.items() if of == name]:
                del cls._model_to_provider[model]

    @classmethod
    def get_provider(cls, model: str) -> Provider:
        """Return who answers a model: of those registered the last, else whoever its name tells of.

        Args:
            model: a model of a registered provider; a name such as "gpt-5-mini", also one that is
                newer than this package; or "PROVIDER:NAME" for any other.

        Raises:
            ConfigurationError: for a model that no provider is known for (a ValueError; it says
                which forms there are), or if the provider does not work: a `MissingKeyError` or
                `MissingExtraError`.
        """
        with cls._lock:
            return cls.named(cls._name_for(model) or cls._by_beginning(model))

    @classmethod
    def registered_for(cls, model: str) -> Provider | None:
        """Return who was registered for a model; None where its name alone tells who answers it."""
        with cls._lock:
            return cls._registered.get(cls._name_for(model) or "")

    @classmethod
    def own_route(cls, model: str) -> Route | None:
        """Return where a model goes that a provider of the user's own answers; None for any other.

        That is an object that was registered, whatever its class (it has settings of its own), or
        a class that is none of this package's.
        """
        with cls._lock:
            try:
                name = cls._name_for(model) or cls._by_beginning(model)
            except ConfigurationError:
                return None
            provider, kind = cls._registered.get(name), cls._classes.get(name)
        if provider is not None:
            return Route(name, provider.model_name(model))
        if kind is None or kind.__module__.partition(".")[0] == __name__.partition(".")[0]:
            return None
        return Route(name, model.removeprefix(f"{name}:"))

    @classmethod
    def named(cls, name: str) -> Provider:
        """Return the provider of that name.

        Raises:
            ConfigurationError: as for `get_provider`.
        """
        with cls._lock:
            found = cls._registered.get(name) or cls._made.get(name)
            if found is None:
                found = cls._made[name] = cls._make(name)
            return found

    @classmethod
    def _name_for(cls, model: str) -> str | None:
        """Return whose model it is, where it was registered or names its provider."""
        name, colon, rest = model.partition(":")
        is_named = colon and rest and (name in cls._registered or name in cls._classes)
        return cls._model_to_provider.get(model) or (name if is_named else None)

    @classmethod
    def _make(cls, name: str) -> Provider:
        found = cls._classes.get(name)
        if found is None:
            known = ", ".join(sorted({*cls._classes, *cls._registered}))
            raise ConfigurationError(
                f"No provider is called {name!r}: there are {known}. Register it with "
                f"ProviderRegistry.register, or give Batch(clients=…) a client of that name."
            )
        return found()

    @classmethod
    def _by_beginning(cls, model: str) -> str:
        try:
            return find_route(model).provider
        except ConfigurationError as error:
            if not cls._model_to_provider:
                raise
            known = ", ".join(sorted(cls._model_to_provider))
            raise ConfigurationError(f"{error} Registered besides: {known}.") from None
