"""A pydantic-ai model, opened by its name."""

from __future__ import annotations

import hashlib
import inspect
import os
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ...exceptions import ConfigurationError, MissingExtraError, MissingKeyError
from ..http.transport import host_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_ai.models import Model
    from pydantic_ai.providers import Provider


@dataclass(frozen=True, slots=True)
class _Needs:
    """What a provider's models need.

    Attributes:
        sdk: the module of the provider's SDK.
        extra: the extra of this package that brings it.
        address: environment variable of another address.
        keys: environment variables, any of which may hold the key.
        has_keyless_servers: whether a server at another address may do without a key.
    """

    sdk: str
    extra: str
    address: str
    keys: tuple[str, ...]
    has_keyless_servers: bool = False


_OPENAI = _Needs(
    "openai", "openai", "OPENAI_BASE_URL", ("OPENAI_API_KEY",), has_keyless_servers=True
)
# Providers whose SDK one of our extras brings. Of all others the library itself says what is
# missing, once the model is opened.
_NEEDS = {
    "openai": _OPENAI,
    "openai-chat": _OPENAI,
    "openai-responses": _OPENAI,
    "anthropic": _Needs("anthropic", "anthropic", "ANTHROPIC_BASE_URL", ("ANTHROPIC_API_KEY",)),
    "google": _Needs(
        "google.genai",
        "pydantic-ai,gemini",
        "GOOGLE_GEMINI_BASE_URL",
        ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    ),
}


@dataclass(frozen=True, slots=True)
class ModelByName:
    """A model's name, and where to call it.

    Args:
        name: "provider:model", as pydantic-ai names it ("anthropic:claude-opus-4-5").
        api_key: the key; None reads the provider's environment variable.
        base_url: another address of the same API; None reads the SDK's environment variable.

    Raises:
        ConfigurationError: if the name has no provider.
    """

    name: str
    api_key: str | None = None
    base_url: str | None = None

    def __post_init__(self) -> None:
        if self.name != "test" and ":" not in self.name:
            raise ConfigurationError(
                f"A model is named 'provider:model', such as 'openai:gpt-5', not {self.name!r}."
            )

    def __repr__(self) -> str:
        return f"ModelByName({self.name!r})"

    @property
    def scope(self) -> str:
        """The quota that calls draw on: model, address, and a digest of the key."""
        return quota_scope(self.name, self._address, self.key)

    @property
    def address(self) -> str | None:
        """Where the API is; None for the provider's own address."""
        return self._address

    @property
    def key(self) -> str | None:
        """The key that calls will carry, as far as it is known before the model is opened."""
        return self.api_key or _first_set(self._needs.keys if self._needs else ())

    @property
    def _needs(self) -> _Needs | None:
        return _NEEDS.get(self.name.partition(":")[0])

    @property
    def _address(self) -> str | None:
        return self.base_url or _first_set((self._needs.address,) if self._needs else ())

    def check(self) -> None:
        """Refuse what cannot work, without a call and without importing an SDK.

        Raises:
            MissingExtraError: if the library or the provider's SDK is not installed.
            MissingKeyError: if the provider's key is not set, naming its variable.
        """
        needs = self._needs
        feature = f"The model {self.name}"
        if not _is_installed("pydantic_ai"):
            raise MissingExtraError(feature, needs.extra if needs else "pydantic-ai")
        if needs is None:
            return
        if not _is_installed(needs.sdk):
            raise MissingExtraError(feature, needs.extra)
        if not self.key and not (needs.has_keyless_servers and self._address):
            raise MissingKeyError(
                f"{feature} needs a key. Set {' or '.join(needs.keys)}, or pass api_key=…"
            )

    def open(self) -> Model:
        """Return the model, its client not yet connected.

        Raises:
            MissingExtraError: if the library or the provider's SDK is not installed.
            MissingKeyError: if the provider's key is not set.
            ConfigurationError: if the library does not know the name, or cannot open it.
        """
        self.check()
        from pydantic_ai.exceptions import UserError
        from pydantic_ai.models import infer_model

        try:
            if self.api_key is None and self.base_url is None:
                return infer_model(self.name)
            return infer_model(self.name, self._open_provider)
        except (UserError, ImportError, ValueError) as error:
            kind = MissingKeyError if "_API_KEY" in str(error) else ConfigurationError
            raise kind(f"The model {self.name} cannot be opened: {error}") from error

    def _open_provider(self, provider: str) -> Provider[Any]:
        from pydantic_ai.providers import infer_provider_class

        opened = infer_provider_class(provider)
        given = {"api_key": self.api_key, "base_url": self.base_url}
        given = {name: value for name, value in given.items() if value is not None}
        unknown = given.keys() - inspect.signature(opened.__init__).parameters.keys()
        if unknown:
            raise ConfigurationError(
                f"{provider} takes no {' or '.join(sorted(unknown))}. "
                f"Build the pydantic-ai model yourself, and pass it in place of its name."
            )
        return opened(**given)


def scope_of_model(model: Model) -> str:
    """Return the quota scope of a model that is already open."""
    return quota_scope(model.model_id, model.base_url, key_of_model(model))


def key_of_model(model: Model) -> str | None:
    """Return the key that calls of an open model carry, where its client shows it."""
    key = getattr(getattr(model, "client", None), "api_key", None)
    return key if isinstance(key, str) else None


def quota_scope(model: str, address: str | None, key: str | None) -> str:
    """Name the quota of a model and a key, by a digest that gives nothing of the key away."""
    scope = f"{model}@{host_of(address)}" if address else model
    return f"{scope}#{hashlib.sha256(key.encode()).hexdigest()[:8]}" if key else scope


def _first_set(variables: Iterable[str]) -> str | None:
    values = (os.environ.get(name) for name in variables)
    return next((value for value in values if value), None)


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False
