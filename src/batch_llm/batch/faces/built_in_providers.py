"""The providers that are there from the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from ..seam.provider_registry import ProviderRegistry
from .client_provider import ClientProvider

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from ...base import ModelConfig
    from ...providers import (
        AnthropicBatchClient,
        GeminiBatchClient,
        OpenAIBatchClient,
        Retries,
    )
    from ...wire.openai_batch import OpenAIEndpoint
    from ...wire.openai_chat import TokenLimitField


class ClientSettings(TypedDict, total=False):
    """Settings of any client: `base_url`, `api_key`, `headers`, `retries`."""

    base_url: str | None
    api_key: str | None
    headers: Mapping[str, str] | None
    retries: Retries | None


class OpenAISettings(ClientSettings, total=False):
    """Settings of an `OpenAIBatchClient`."""

    chat_endpoint: OpenAIEndpoint
    token_limit_field: TokenLimitField | None


class GeminiSettings(ClientSettings, total=False):
    """Settings of a `GeminiBatchClient`."""

    inline_bytes: int


class OpenAIProvider(ClientProvider["OpenAIBatchClient"]):
    """OpenAI's Batch API, or that of a server which speaks it; see `ClientProvider`.

        provider = OpenAIProvider()
        request = provider.create_batch([Job("a", prompt="Hello", model="gpt-5-mini")])
        request.get_status()

    Args:
        client: that is spoken to; by default one is made of the settings.
        name: under which models are asked for as "NAME:MODEL"; by default "openai".
        models: what it answers; by default what is known of OpenAI's models.
        **settings: of `OpenAIBatchClient`.

    Raises:
        MissingKeyError: if OpenAI itself is called and there is no key.
        ConfigurationError: for a setting that cannot work.
    """

    name = "openai"

    def __init__(
        self,
        client: OpenAIBatchClient | None = None,
        *,
        name: str | None = None,
        models: Mapping[str, ModelConfig] | None = None,
        **settings: Unpack[OpenAISettings],
    ) -> None:
        self._settings = settings
        super().__init__(client, settings, name, models)

    def _made(self) -> OpenAIBatchClient:
        from ...providers import OpenAIBatchClient

        return OpenAIBatchClient(**self._settings)


class AnthropicProvider(ClientProvider["AnthropicBatchClient"]):
    """Anthropic's Message Batches; see `ClientProvider`.

    Args:
        client: that is spoken to; by default one is made of the settings.
        name: under which models are asked for as "NAME:MODEL"; by default "anthropic".
        models: what it answers; by default what is known of Anthropic's models.
        **settings: of `AnthropicBatchClient`.

    Raises:
        MissingKeyError: if Anthropic itself is called and there is no key.
        ConfigurationError: for a setting that cannot work.
    """

    name = "anthropic"

    def __init__(
        self,
        client: AnthropicBatchClient | None = None,
        *,
        name: str | None = None,
        models: Mapping[str, ModelConfig] | None = None,
        **settings: Unpack[ClientSettings],
    ) -> None:
        self._settings = settings
        super().__init__(client, settings, name, models)

    def _made(self) -> AnthropicBatchClient:
        from ...providers import AnthropicBatchClient

        return AnthropicBatchClient(**self._settings)


class GeminiProvider(ClientProvider["GeminiBatchClient"]):
    """Gemini's Batch API; see `ClientProvider`.

    Args:
        client: that is spoken to; by default one is made of the settings.
        name: under which models are asked for as "NAME:MODEL"; by default "gemini".
        models: what it answers; by default what is known of Gemini's models.
        **settings: of `GeminiBatchClient`.

    Raises:
        MissingKeyError: if Google itself is called and there is no key.
        ConfigurationError: for a setting that cannot work.
    """

    name = "gemini"

    def __init__(
        self,
        client: GeminiBatchClient | None = None,
        *,
        name: str | None = None,
        models: Mapping[str, ModelConfig] | None = None,
        **settings: Unpack[GeminiSettings],
    ) -> None:
        self._settings = settings
        super().__init__(client, settings, name, models)

    def _made(self) -> GeminiBatchClient:
        from ...providers import GeminiBatchClient

        return GeminiBatchClient(**self._settings)


for _provider in (OpenAIProvider, AnthropicProvider, GeminiProvider):
    ProviderRegistry.register(_provider)
