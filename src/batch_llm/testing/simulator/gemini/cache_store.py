"""The caches that clients made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..clock import rfc3339
from ..shelf import Shelf
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..world import World
    from .models import Model
    from .prompt import Prompt
    from .request import Tool, ToolConfig

_ID_CHARACTERS: Final = 36


@dataclass(slots=True)
class Cache:
    """One cache.

    Attributes:
        id: the name without "cachedContents/".
        model: that alone can read it.
        prompt: what is cached: turns, system instruction, and their tokens.
        tools: what the model may ask for.
        tool_config: how tools are used.
        display_name: as the client told it; None where it did not.
        created_at: simulated unix seconds, as are the two below.
        updated_at: when it was made, or its life was changed.
        expires_at: when it vanishes.
    """

    id: str
    model: Model
    prompt: Prompt
    tools: Sequence[Tool]
    tool_config: ToolConfig | None
    display_name: str | None
    created_at: float
    updated_at: float
    expires_at: float

    @property
    def name(self) -> str:
        """The name in the API: "cachedContents/abc"."""
        return f"cachedContents/{self.id}"

    def encoded(self) -> dict[str, object]:
        """Return the cache as the API tells it: never its content.

        What is set follows `google.genai.types.CachedContent`: `displayName` where one was given,
        and of the usage the total alone.
        """
        told: dict[str, object] = {
            "name": self.name,
            "model": self.model.name,
            "createTime": rfc3339(self.created_at),
            "updateTime": rfc3339(self.updated_at),
            "expireTime": rfc3339(self.expires_at),
            "usageMetadata": {"totalTokenCount": self.prompt.total_tokens},
        }
        if self.display_name:
            told["displayName"] = self.display_name
        return told


class CacheStore:
    """All caches of one world, each until it expires, and seen by its own key alone.

    Args:
        world: whose clock they expire by.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._shelf: Shelf[Cache] = Shelf()

    def add(self, key: str, cache: Cache) -> None:
        """Keep a cache of `key`."""
        self._forget_expired(key)
        self._shelf.put(key, cache.id, cache.created_at, cache)

    def get(self, key: str, cache_id: str) -> Cache | None:
        """Return a cache, or None where `key` has none of this id, or no longer."""
        cache = self._shelf.get(key, cache_id)
        if cache is not None and cache.expires_at <= self._world.clock.now():
            self._shelf.delete(key, cache_id)
            return None
        return cache

    def named(self, key: str, cache_id: str) -> Cache:
        """Return a cache that a request names.

        Raises:
            RefusedError: where `key` has none of this id, or no longer.
        """
        cache = self.get(key, cache_id)
        if cache is None:
            raise RefusedError("CachedContent not found (or permission denied)", status=403)
        return cache

    def delete(self, key: str, cache_id: str) -> Cache | None:
        """Take a cache away, and return it; None where `key` has none of this id."""
        return None if self.get(key, cache_id) is None else self._shelf.delete(key, cache_id)

    def newest_first(self, key: str, before: float) -> list[Cache]:
        """Return the caches that `key` made up to the moment `before`."""
        self._forget_expired(key)
        return [cache for _, cache in self._shelf.newest_first(key, before)]

    def new_id(self) -> str:
        """Return an id for a cache."""
        return self._world.ids.small_letters(_ID_CHARACTERS)

    def _forget_expired(self, key: str) -> None:
        now = self._world.clock.now()
        for cache_id, cache in self._shelf.newest_first(key, now):
            if cache.expires_at <= now:
                self._shelf.delete(key, cache_id)
