"""cachedContents: create, get, list, patch, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exchange import json_response
from .cache_store import Cache
from .pages import PageRequest
from .refusal import RefusedError, refused_field
from .request import CachedContentRequest, decode
from .timestamps import moment_of, seconds_of

if TYPE_CHECKING:
    from ..exchange import Request, Response
    from ..world import World
    from .cache_store import CacheStore
    from .models import Model, Models
    from .prompt import PromptReader

_USUAL_LIFE_SECONDS: Final = 3_600.0
"""A cache lives so long where the client does not say."""
DISPLAY_NAME_CHARACTERS: Final = 128
USUAL_PAGE: Final = 50
MOST_ON_PAGE: Final = 1_000

_REQUEST: Final = "CreateCachedContentRequest"
# The last second of the year 9999: the end of time in protocol buffers.
_END_OF_TIME: Final = 253_402_300_799.0
_EXPIRATION: Final = frozenset({"ttl", "expireTime", "expire_time"})


class CachedContents:
    """Answers all about caches.

    Args:
        world: where it happens.
        models: which there are, and the least that each can cache.
        prompts: reads what is cached.
        store: where the caches are.
    """

    def __init__(
        self,
        world: World,
        models: Models,
        prompts: PromptReader,
        store: CacheStore,
    ) -> None:
        self._world = world
        self._models = models
        self._prompts = prompts
        self._store = store

    async def create(self, request: Request) -> Response:
        """Answer POST /{version}/cachedContents."""
        cache = self._made(request)
        self._store.add(request.key, cache)
        identity = self._world.chance.digest("gemini cache", request.body)
        self._world.books.note_create("gemini", "cache", cache.name, identity)
        return json_response(cache.encoded())

    async def get(self, request: Request) -> Response:
        """Answer GET /{version}/cachedContents/{id}."""
        return json_response(self._cache(request).encoded())

    async def page(self, request: Request) -> Response:
        """Answer GET /{version}/cachedContents: newest first."""
        before = self._world.visible_before("gemini", "cachedContents.list", request)
        caches = self._store.newest_first(request.key, before)
        page = PageRequest.of(request.query, most=MOST_ON_PAGE, usual=USUAL_PAGE)
        return page.cut("cachedContents", caches, Cache.encoded)

    async def patch(self, request: Request) -> Response:
        """Answer PATCH /{version}/cachedContents/{id}: its life alone can be changed."""
        cache, now = self._cache(request), self._world.clock.now()
        cache.expires_at = _changed_expiry(request, now)
        cache.updated_at = now
        return json_response(cache.encoded())

    async def delete(self, request: Request) -> Response:
        """Answer DELETE /{version}/cachedContents/{id}."""
        self._store.delete(request.key, self._cache(request).id)
        return json_response({})

    def _made(self, request: Request) -> Cache:
        written = decode(request.body, CachedContentRequest)
        model = self._model(written, request.params["version"])
        if len(written.display_name or "") > DISPLAY_NAME_CHARACTERS:
            problem = f"display_name must have at most {DISPLAY_NAME_CHARACTERS} characters."
            raise refused_field("cached_content.display_name", problem, of=_REQUEST)
        now = self._world.clock.now()
        expires_at = _expiry(written, now)
        tools = written.tools or ()
        prompt = self._prompts.read(
            written.contents or (), written.system_instruction, tools, request.key, of=_REQUEST
        )
        total, least = prompt.total_tokens, model.minimum_cached_tokens
        if total < least:
            raise RefusedError(
                f"Cached content is too small. total_token_count={total}, "
                f"min_total_token_count={least}"
            )
        model.check_input(total)
        return Cache(
            self._store.new_id(),
            model,
            prompt,
            tools,
            written.tool_config,
            written.display_name,
            created_at=now,
            updated_at=now,
            expires_at=now + _USUAL_LIFE_SECONDS if expires_at is None else expires_at,
        )

    def _model(self, written: CachedContentRequest, version: str) -> Model:
        if not written.model:
            raise refused_field("cached_content.model", "model is required.", of=_REQUEST)
        return self._models.named(written.model, "createCachedContent", version, embeds=False)

    def _cache(self, request: Request) -> Cache:
        return self._store.named(request.key, request.params["id"])


def _changed_expiry(request: Request, now: float) -> float:
    written = decode(request.body, CachedContentRequest)
    mask = request.query.get("updateMask") or request.query.get("update_mask") or ""
    named = {name.strip() for name in mask.split(",") if name.strip()}
    further = named - _EXPIRATION
    if further or any((written.contents, written.system_instruction, written.tools)):
        raise RefusedError(
            "Only the expiration (ttl or expire_time) of a CachedContent can change."
        )
    expires_at = _expiry(written, now)
    if expires_at is None:
        raise RefusedError("Either ttl or expire_time must be set to update a CachedContent.")
    return expires_at


def _expiry(written: CachedContentRequest, now: float) -> float | None:
    """Return when the cache is to vanish; None where the client does not say."""
    if written.ttl is not None and written.expire_time is not None:
        message = (
            "Invalid value at 'cached_content' (oneof), oneof field 'expiration' is already set. "
            "Cannot set 'expireTime'"
        )
        raise RefusedError(message, field="cached_content")
    if written.ttl is not None:
        seconds = seconds_of(written.ttl)
        if seconds is None:
            raise _no_such("ttl", "Duration", written.ttl)
        expires_at = now + seconds
    elif written.expire_time is not None:
        moment = moment_of(written.expire_time)
        if moment is None:
            raise _no_such("expire_time", "Timestamp", written.expire_time)
        expires_at = moment
    else:
        return None
    if not now < expires_at < _END_OF_TIME:
        raise RefusedError("The expiration of a CachedContent must be in the future.")
    return expires_at


def _no_such(name: str, kind: str, written: str) -> RefusedError:
    field = f"cached_content.{name}"
    message = f"Invalid value at '{field}' (type.googleapis.com/google.protobuf.{kind}), "
    return RefusedError(f'{message}"{written}"', field=field)
