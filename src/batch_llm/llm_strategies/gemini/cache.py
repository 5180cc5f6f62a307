"""One cache at Gemini: found or made, renewed before it expires, deleted."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ...exceptions import MalformedAnswerError, ProviderError
from ...wire.gemini_errors import CACHE_GONE, CACHE_TOO_SMALL
from .failures import gemini_failures

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.genai.caches import AsyncCaches
    from google.genai.types import CachedContent, CreateCachedContentConfigDict

    from .cache_label import CacheLabel

logger = logging.getLogger("batch_llm")

_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class CacheLifetime:
    """How long a cache lives.

    Args:
        ttl_seconds: from its making, and from each renewal.
        buffer_seconds: it is renewed when less than this is left.
        auto_renew: whether it is renewed at all.
        clock: seconds since the epoch.
    """

    ttl_seconds: float
    buffer_seconds: float
    auto_renew: bool
    clock: Callable[[], float]


@dataclass(slots=True)
class _Entry:
    """A cache that is known to be there.

    Attributes:
        name: the resource, "cachedContents/…".
        expires_at: seconds since the epoch.
        renew_at: when it is renewed; `expires_at` where it is not.
    """

    name: str
    expires_at: float
    renew_at: float


class GeminiCache:
    """A cache shared by all workers of a strategy.

    Whoever comes first does the work, under a lock: it looks for a cache of another run, or makes
    one, or renews the one there is. The others wait, and share a failure too. A renewal they do not
    wait for: they go on with the cache, which is still there.

    Args:
        open_caches: returns the SDK's `client.aio.caches`.
        model: the model that the cache is for.
        content: what is cached: `contents`, `system_instruction`, `tools`, `tool_config`.
        label: what is written on it.
        lifetime: how long it lives.
    """

    def __init__(
        self,
        open_caches: Callable[[], AsyncCaches],
        model: str,
        content: Mapping[str, object],
        label: CacheLabel,
        lifetime: CacheLifetime,
    ) -> None:
        self._open_caches = open_caches
        self._model = model
        self._content = content
        self._label = label
        self._lifetime = lifetime
        self._display_name = label.encode()
        self._entry: _Entry | None = None
        self._gone: set[str] = set()  # not to be adopted again: a list may lag behind
        self._is_too_small = False
        self._failure: ProviderError | None = None
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def name(self) -> str | None:
        """Return the cache's name, or None where the content is too short to be cached.

        Raises:
            ProviderError: if it could not be found out, or made.
        """
        if self._is_too_small:
            return None
        entry, now, lock = self._entry, self._lifetime.clock(), self._lock_here()
        if entry is not None and now < entry.expires_at and (now < entry.renew_at or lock.locked()):
            return entry.name
        failure_before = self._failure
        async with lock:
            failure = self._failure
            if failure is not None and failure is not failure_before:
                raise failure  # of the one whom this one waited for: it would only be repeated
            return await self._settle_or_note()

    def forget(self, name: str) -> None:
        """Take note that the cache `name` is gone; the next who asks gets another.

        Many workers learn of it one after the other: only the first, whose cache is still the
        current one, makes a difference.
        """
        self._gone.add(name)
        if self._entry is not None and self._entry.name == name:
            self._entry = None

    async def delete(self) -> None:
        """Delete the cache, if this object made or found one; it is no error if it is gone."""
        async with self._lock_here():
            entry = self._entry
            if entry is None:
                return
            try:
                with gemini_failures():
                    await self._open_caches().delete(name=entry.name)
            except ProviderError as error:
                if not _is_gone(error):
                    raise
            self.forget(entry.name)

    def _lock_here(self) -> asyncio.Lock:
        # A lock serves one event loop, and a strategy may be used by one after the other.
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._lock = loop, asyncio.Lock()
        return self._lock

    async def _settle_or_note(self) -> str | None:
        try:
            name = await self._settle()
        except ProviderError as error:
            self._failure = error
            raise
        self._failure = None
        return name

    async def _settle(self) -> str | None:
        """Return the name of a cache that is there; the caller holds the lock."""
        if self._is_too_small:
            return None
        entry = self._alive() or await self._find()
        if entry is not None and self._lifetime.clock() >= entry.renew_at:
            entry = await self._renew(entry)
        self._entry = entry or await self._create()
        return None if self._entry is None else self._entry.name

    def _alive(self) -> _Entry | None:
        entry = self._entry
        return entry if entry is not None and self._lifetime.clock() < entry.expires_at else None

    async def _find(self) -> _Entry | None:
        """Return the cache of an earlier run that has the longest to live, or None."""
        best: _Entry | None = None
        with gemini_failures():
            pages = await self._open_caches().list(config={"page_size": _PAGE_SIZE})
            async for cache in pages:
                entry = self._adopted(cache)
                if entry is not None and (best is None or entry.expires_at > best.expires_at):
                    best = entry
        return best

    def _adopted(self, cache: CachedContent) -> _Entry | None:
        if not cache.name or cache.name in self._gone or cache.expire_time is None:
            return None
        if _last_part(cache.model) != _last_part(self._model):
            return None
        if not self._label.fits(cache.display_name):
            return None
        expires_at = cache.expire_time.timestamp()
        lifetime = self._lifetime
        # One that is about to expire is worth something only to those who can renew it.
        least = 0 if lifetime.auto_renew else lifetime.buffer_seconds
        if expires_at - lifetime.clock() <= least:
            return None
        return self._entry_for(cache.name, expires_at)

    async def _create(self) -> _Entry | None:
        """Return a new cache, or None where the content is too short for one."""
        asked_at = self._lifetime.clock()
        settings = {**self._content, "ttl": self._ttl(), "display_name": self._display_name}
        try:
            with gemini_failures():
                cache = await self._open_caches().create(
                    model=self._model, config=cast("CreateCachedContentConfigDict", settings)
                )
        except ProviderError as error:
            if error.code != CACHE_TOO_SMALL:
                raise
            self._is_too_small = True
            logger.warning(
                "The content for %s is too short for Gemini to cache; it is sent with each call.",
                self._model,
            )
            return None
        if not cache.name:
            raise MalformedAnswerError("Gemini made a cache and gave it no name.")
        return self._entry_for(cache.name, asked_at + self._lifetime.ttl_seconds)

    async def _renew(self, entry: _Entry) -> _Entry | None:
        """Return `entry` with a new lifetime, or None where the cache is gone."""
        asked_at = self._lifetime.clock()
        try:
            with gemini_failures():
                await self._open_caches().update(name=entry.name, config={"ttl": self._ttl()})
        except ProviderError as error:
            if _is_gone(error):
                self.forget(entry.name)
                return None
            logger.warning(
                "A cache for %s could not be renewed yet (%s); it stays in use until it expires.",
                self._model,
                type(error).__name__,
            )
            # Half of what is left: soon enough to try again, and not with every call.
            entry.renew_at = asked_at + (entry.expires_at - asked_at) / 2
            return entry
        return self._entry_for(entry.name, asked_at + self._lifetime.ttl_seconds)

    def _entry_for(self, name: str, expires_at: float) -> _Entry:
        lifetime = self._lifetime
        early = lifetime.buffer_seconds if lifetime.auto_renew else 0
        return _Entry(name, expires_at, expires_at - early)

    def _ttl(self) -> str:
        # Plain decimals: the API takes no exponent.
        return f"{self._lifetime.ttl_seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _is_gone(error: ProviderError) -> bool:
    return error.code == CACHE_GONE or error.status_code == 404


def _last_part(model: str | None) -> str:
    """Return "gemini-2.5-flash" for it, "models/…" and "projects/…/models/…"."""
    return (model or "").rpartition("/")[2]
