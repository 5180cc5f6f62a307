"""Gemini with a content that many prompts share, kept in a cache there."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast, overload

from ...base.request import LLMRequest
from ...base.strategy import TOutput
from ...exceptions import ConfigurationError, InputError, ProviderError, ServerError
from ...wire.gemini_errors import CACHE_GONE
from .cache import CacheLifetime, GeminiCache
from .cache_label import CacheLabel, content_digest
from .call import config_field, with_fields
from .strategy import GeminiStrategy, TParsed
from .token_bound import common_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.genai import Client
    from google.genai.types import (
        ContentListUnion,
        ContentListUnionDict,
        GenerateContentResponse,
    )

    from ...base.request import Prompt
    from ...base.usage import TokenBound
    from .call import GeminiCall, GeminiConfig
    from .client import EnvironmentClient
    from .response import GeminiResponse
    from .strategy import ResponseParser

# The API refuses these beside a cache: they are a part of it.
_CACHED_FIELDS = ("system_instruction", "tools", "tool_config")


class GeminiCachedStrategy(GeminiStrategy[TOutput]):
    """A `GeminiStrategy` whose prompts share a content, which Gemini keeps in a cache.

    Cached tokens cost a fraction of others, and the cache itself costs by the hour. Create one
    instance, and give it to every item:

        strategy = GeminiCachedStrategy("gemini-2.5-flash", client, parse, [manual, examples])
        for question in questions:
            await processor.add_work(LLMWorkItem(question.id, strategy, question.text))

    `prepare()` looks for a cache of an earlier run, and makes one if there is none. One is adopted
    only if it is for the same model, holds the same content, and has at least these tags; its
    display name says so. A cache that is about to expire is renewed, by one worker, while the
    others go on. If Gemini loses it all the same, the calls that learn of it fail with a
    `ServerError` that may be tried again, and the first new attempt makes another cache.

    A limit in USD covers the calls, cached tokens at the price of others until their bill comes. It
    does not cover the cache itself: making it costs about as much as sending its content once, and
    keeping it costs by the hour.

    A content below Gemini's minimum is sent with each call instead, and a warning says so once.
    The cache outlives `cleanup()` and `aclose()`, for the next run to find, until its time is up
    or `delete_cache()` is called. Two processes that start at the same time may make one each.

    Args:
        model: as those below, see `GeminiStrategy`.
        client: the SDK's client, an `EnvironmentClient`, or None.
        response_parser: makes the output; None for the text, or the value that fits the schema.
        cached_content: what prompts share: a text, or a list of texts and of the SDK's `Content`,
            `Part` and `File`. The system instruction and the tools in `config` are cached too,
            since the API refuses them beside a cache.
        cache_ttl_seconds: how long the cache lives, from its making and from each renewal.
        cache_renewal_buffer_seconds: it is renewed when less than this is left.
        auto_renew: whether it is renewed. If not, another is made when one is needed after it.
        config: the SDK's `GenerateContentConfig`, or the same as a dictionary; never changed.
        include_metadata: wrap each output in a `GeminiResponse`.
        cache_tags: names of yours, such as `{"customer": "acme"}`, that keep caches apart.
        clock: returns seconds since the epoch; for tests.
        repair: see `GeminiStrategy`.

    Raises:
        ConfigurationError: for a buffer that is not below the TTL, for content that cannot be
            compared, and for more tags than a display name holds.
    """

    @overload
    def __init__(
        self: GeminiCachedStrategy[GeminiResponse[TParsed]],
        model: str,
        client: Client | EnvironmentClient | None,
        response_parser: ResponseParser[TParsed] | None,
        cached_content: ContentListUnion | ContentListUnionDict,
        cache_ttl_seconds: float = 3600,
        cache_renewal_buffer_seconds: float = 300,
        auto_renew: bool = True,
        config: GeminiConfig = None,
        *,
        include_metadata: Literal[True],
        cache_tags: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        repair: bool = True,
    ) -> None: ...

    @overload
    def __init__(
        self,
        model: str,
        client: Client | EnvironmentClient | None,
        response_parser: ResponseParser[TOutput] | None,
        cached_content: ContentListUnion | ContentListUnionDict,
        cache_ttl_seconds: float = 3600,
        cache_renewal_buffer_seconds: float = 300,
        auto_renew: bool = True,
        config: GeminiConfig = None,
        include_metadata: bool = False,
        cache_tags: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        repair: bool = True,
    ) -> None: ...

    def __init__(
        self,
        model: str,
        client: Client | EnvironmentClient | None,
        response_parser: ResponseParser[Any] | None,
        cached_content: ContentListUnion | ContentListUnionDict,
        cache_ttl_seconds: float = 3600,
        cache_renewal_buffer_seconds: float = 300,
        auto_renew: bool = True,
        config: GeminiConfig = None,
        include_metadata: bool = False,
        cache_tags: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        repair: bool = True,
    ) -> None:
        super().__init__(model, client, response_parser, config, include_metadata, repair=repair)
        self.warms_cache = False  # `prepare` makes the cache before the first call
        _check_times(cache_ttl_seconds, cache_renewal_buffer_seconds)
        self.cached_content = cached_content
        self.cache_ttl_seconds = cache_ttl_seconds
        self.cache_renewal_buffer_seconds = cache_renewal_buffer_seconds
        self.auto_renew = auto_renew
        self.cache_tags = {str(key): str(value) for key, value in (cache_tags or {}).items()}
        self._content = _cacheable(cached_content, config)
        self._digest = content_digest(self._content)
        self._cache = GeminiCache(
            lambda: self._open_client().aio.caches,
            model,
            self._content,
            CacheLabel(self._digest, self.cache_tags),
            CacheLifetime(cache_ttl_seconds, cache_renewal_buffer_seconds, auto_renew, clock),
        )

    async def prepare(self) -> None:
        """Find or make the cache."""
        await super().prepare()
        await self._cache_name()

    def token_bound(self, prompt: Prompt) -> TokenBound:
        """Return the most that one call can be billed for, the shared content included.

        What it costs to make the cache, to keep it (by the hour) and to renew it is not a call's,
        and no part of this.

        Raises:
            ConfigurationError: as for `GeminiStrategy`, and for shared content that is not text.
        """
        return super().token_bound(prompt)

    def _count_common(self) -> int:
        return common_tokens(self.config, self._content.get("contents"))

    async def delete_cache(self) -> None:
        """Delete the cache at Gemini, if there is one; a later call makes another."""
        await self._cache.delete()

    def _settings(self) -> dict[str, object]:
        return {**super()._settings(), "content": self._digest}

    async def _encode(self, prompt: Prompt) -> GeminiCall:
        self._refuse_other_system(prompt)
        call = await super()._encode(prompt)
        name = await self._cache_name()
        if name is None:
            together = [*_as_list(self._content.get("contents", [])), *_as_list(call.contents)]
            return replace(call, contents=cast("ContentListUnionDict", together))
        fields: dict[str, object] = {**dict.fromkeys(_CACHED_FIELDS), "cached_content": name}
        return replace(call, config=with_fields(call.config, fields), cache_name=name)

    async def _send(self, call: GeminiCall) -> GenerateContentResponse:
        try:
            return await super()._send(call)
        except ProviderError as error:
            if call.cache_name is None or error.code != CACHE_GONE:
                raise
            self._cache.forget(call.cache_name)
            # Not made again here: the new call has to pass the processor's gate, as any does.
            raise ServerError(
                "Gemini no longer has the cache that this call builds on; the next attempt makes "
                "another.",
                code=CACHE_GONE,
            ) from error

    async def _cache_name(self) -> str | None:
        if not self._content:
            raise ConfigurationError(
                "GeminiCachedStrategy has nothing to cache: cached_content is empty, and config "
                "has no system_instruction."
            )
        return await self._cache.name()

    def _refuse_other_system(self, prompt: Prompt) -> None:
        if not isinstance(prompt, LLMRequest) or prompt.system is None:
            return
        if prompt.system != config_field(self.config, "system_instruction"):
            raise InputError(
                "The API takes no system prompt beside a cache, and the request has one. Put it "
                "into the strategy's config, as system_instruction: it is then cached too."
            )


def _check_times(ttl_seconds: float, buffer_seconds: float) -> None:
    if not 0 <= buffer_seconds < ttl_seconds:
        raise ConfigurationError(
            f"cache_renewal_buffer_seconds ({buffer_seconds!r}) must be 0 or more and less than "
            f"cache_ttl_seconds ({ttl_seconds!r}). Five to ten minutes (300 to 600) is usual."
        )


def _cacheable(
    contents: ContentListUnion | ContentListUnionDict, config: GeminiConfig
) -> dict[str, object]:
    """Return what goes into the cache, in the fields of the SDK's `CreateCachedContentConfig`."""
    fields = {name: config_field(config, name) for name in _CACHED_FIELDS}
    fields["contents"] = _as_list(contents)
    return {name: value for name, value in fields.items() if value}


def _as_list(contents: object) -> list[object]:
    return list(contents) if isinstance(contents, (list, tuple)) else [contents]
