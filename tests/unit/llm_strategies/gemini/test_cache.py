"""The life of a cache, hour by hour, on a clock that jumps and at a Gemini in memory."""

from __future__ import annotations

import asyncio
import datetime
import itertools
import logging
from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from batch_llm.exceptions import ConfigurationError, ProviderError, RateLimitedError, ServerError
from batch_llm.llm_strategies.gemini.cache import CacheLifetime, GeminiCache
from batch_llm.llm_strategies.gemini.cache_label import CacheLabel, content_digest
from batch_llm.llm_strategies.gemini.cached import GeminiCachedStrategy
from batch_llm.testing.virtual_time import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "gemini-2.5-flash"
LABEL = CacheLabel(content_digest("manual"), {"customer": "acme"})


class SdkError(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message, self.details = code, message, None


GONE = SdkError(403, "CachedContent not found (or permission denied)")


class Caches:
    """Stands for `client.aio.caches`: each call takes a second, and a cache expires in time."""

    def __init__(self) -> None:
        self.there: dict[str, SimpleNamespace] = {}
        self.calls: Counter[str] = Counter()
        self.failures: dict[str, Exception] = {}
        self._ids = itertools.count(1)

    async def _take_a_second(self, call: str) -> None:
        self.calls[call] += 1
        await asyncio.sleep(1)
        if call in self.failures:
            raise self.failures[call]

    def alive(self, name: str) -> bool:
        return name in self.there and self.there[name].expire_time > moment()

    def add(self, label: CacheLabel, seconds: float, model: str = f"models/{MODEL}") -> str:
        name = f"cachedContents/c{next(self._ids)}"
        self.there[name] = SimpleNamespace(
            name=name, model=model, display_name=label.encode(), expire_time=moment(seconds)
        )
        return name

    async def list(self, *, config: Any) -> AsyncIterator[SimpleNamespace]:
        await self._take_a_second("list")

        async def pages() -> AsyncIterator[SimpleNamespace]:
            for cache in list(self.there.values()):
                yield cache

        return pages()

    async def create(self, *, model: str, config: dict[str, Any]) -> SimpleNamespace:
        await self._take_a_second("create")
        assert config["display_name"] == LABEL.encode()
        return self.there[self.add(LABEL, float(config["ttl"].removesuffix("s")))]

    async def update(self, *, name: str, config: dict[str, Any]) -> SimpleNamespace:
        await self._take_a_second("update")
        if not self.alive(name):
            raise GONE
        self.there[name].expire_time = moment(float(config["ttl"].removesuffix("s")))
        return self.there[name]

    async def delete(self, *, name: str) -> None:
        await self._take_a_second("delete")
        if self.there.pop(name, None) is None:
            raise GONE


def now() -> float:
    return 1_800_000_000 + asyncio.get_running_loop().time()


def moment(seconds: float = 0) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(now() + seconds, datetime.UTC)


def cache_at(caches: Caches, *, auto_renew: bool = True) -> GeminiCache:
    lifetime = CacheLifetime(3600, 300, auto_renew, now)
    return GeminiCache(
        lambda: cast("Any", caches), MODEL, {"contents": ["manual"]}, LABEL, lifetime
    )


def test_it_is_renewed_for_as_long_as_it_is_used() -> None:
    async def main() -> None:
        caches = Caches()
        cache = cache_at(caches)
        for _ in range(24 * 12):  # a day, a call every five minutes by each of fifty workers
            names = await asyncio.gather(*(cache.name() for _ in range(50)))
            assert set(names) == {"cachedContents/c1"}
            assert caches.alive("cachedContents/c1")
            await asyncio.sleep(300)
        assert caches.calls["create"] == caches.calls["list"] == 1
        assert caches.calls["update"] == 26, "one for each 55 minutes"

    run_in_virtual_time(main)


def test_workers_go_on_while_one_renews() -> None:
    async def main() -> None:
        caches = Caches()
        cache = cache_at(caches)
        await cache.name()
        await asyncio.sleep(3400)
        renewing = asyncio.create_task(cache.name())
        await asyncio.sleep(0)
        start = now()
        assert await cache.name() == "cachedContents/c1"
        assert now() == start
        assert await renewing == "cachedContents/c1"
        assert now() > start

    run_in_virtual_time(main)


def test_it_is_not_renewed_if_it_shall_not_be() -> None:
    async def main() -> None:
        caches = Caches()
        cache = cache_at(caches, auto_renew=False)
        await cache.name()
        await asyncio.sleep(3590)
        assert await cache.name() == "cachedContents/c1"
        await asyncio.sleep(20)
        names = await asyncio.gather(*(cache.name() for _ in range(50)))
        assert set(names) == {"cachedContents/c2"}
        assert caches.calls == {"list": 2, "create": 2}

    run_in_virtual_time(main)


def test_after_a_long_pause_it_is_made_again_once() -> None:
    async def main() -> None:
        caches = Caches()
        cache = cache_at(caches)
        await cache.name()
        await asyncio.sleep(7200)
        names = await asyncio.gather(*(cache.name() for _ in range(50)))
        assert set(names) == {"cachedContents/c2"}
        assert caches.calls == {"list": 2, "create": 2}

    run_in_virtual_time(main)


def test_a_renewal_that_fails_leaves_the_cache_in_use(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        caches = Caches()
        cache = cache_at(caches)
        await cache.name()
        await asyncio.sleep(3400)
        caches.failures["update"] = SdkError(503, "The model is overloaded.")
        for _ in range(10):
            assert await cache.name() == "cachedContents/c1"
        assert caches.calls["update"] == 1, "not with every call"
        await asyncio.sleep(100)
        del caches.failures["update"]
        assert await cache.name() == "cachedContents/c1"
        assert caches.calls["update"] == 2
        await asyncio.sleep(1000)
        assert caches.alive("cachedContents/c1")
        assert caches.calls["create"] == 1

    with caplog.at_level(logging.WARNING, "batch_llm"):
        run_in_virtual_time(main)
    (record,) = caplog.records
    assert record.getMessage() == (
        "A cache for gemini-2.5-flash could not be renewed yet (ServerError); it stays in use "
        "until it expires."
    )


def test_of_those_that_fit_the_one_with_the_longest_life_is_adopted() -> None:
    async def main() -> None:
        caches = Caches()
        caches.add(CacheLabel(content_digest("another"), LABEL.tags), 9000)
        caches.add(CacheLabel(LABEL.digest, {"customer": "globex"}), 9000)
        caches.add(LABEL, 9000, model="models/gemini-2.5-pro")
        caches.add(LABEL, -10)
        caches.add(LABEL, 1000)
        best = caches.add(
            LABEL, 2000, model=f"projects/p/locations/l/publishers/google/models/{MODEL}"
        )
        caches.there["nameless"] = SimpleNamespace(**{**vars(caches.there[best]), "name": None})
        caches.there["for ever"] = SimpleNamespace(
            **{**vars(caches.there[best]), "expire_time": None}
        )
        assert await cache_at(caches).name() == best
        assert caches.calls == {"list": 1}

    run_in_virtual_time(main)


@pytest.mark.parametrize(
    ("auto_renew", "expected"),
    [(True, {"list": 1, "update": 1}), (False, {"list": 1, "create": 1})],
)
def test_one_that_is_about_to_expire_is_renewed_or_left(
    auto_renew: bool, expected: dict[str, int]
) -> None:
    async def main() -> None:
        caches = Caches()
        caches.add(LABEL, 100)
        name = await cache_at(caches, auto_renew=auto_renew).name()
        assert caches.calls == expected
        await asyncio.sleep(1000)
        assert caches.alive(name or "")

    run_in_virtual_time(main)


def test_only_the_current_cache_is_forgotten() -> None:
    async def main() -> None:
        caches = Caches()
        cache = cache_at(caches)
        await cache.name()
        caches.there.clear()
        cache.forget("cachedContents/c1")
        assert await cache.name() == "cachedContents/c2"
        cache.forget("cachedContents/c1")  # by a worker that learned of it late
        assert await cache.name() == "cachedContents/c2"

    run_in_virtual_time(main)


def test_a_cache_that_is_gone_but_still_listed_is_not_adopted_again() -> None:
    async def main() -> None:
        caches = Caches()
        cache = cache_at(caches)
        first = await cache.name() or ""
        cache.forget(first)
        second = await cache.name() or ""
        assert caches.alive(first)
        assert second != first
        deleted = caches.there[second]
        await cache.delete()
        caches.there[second] = deleted
        assert await cache.name() not in (first, second)

    run_in_virtual_time(main)


def test_a_worker_that_is_cancelled_leaves_the_work_to_the_next() -> None:
    async def main() -> None:
        caches = Caches()
        cache = cache_at(caches)
        first = asyncio.create_task(cache.name())
        others = [asyncio.create_task(cache.name()) for _ in range(5)]
        await asyncio.sleep(1.5)
        assert caches.calls["create"] == 1
        first.cancel()
        assert set(await asyncio.gather(*others)) == {"cachedContents/c1"}
        assert caches.calls["create"] == 2

    run_in_virtual_time(main)


def test_delete_keeps_the_cache_where_gemini_fails() -> None:
    async def main() -> None:
        caches = Caches()
        cache = cache_at(caches)
        await cache.name()
        caches.failures["delete"] = SdkError(500, "Internal error.")
        with pytest.raises(ServerError):
            await cache.delete()
        del caches.failures["delete"]
        await cache.delete()
        assert not caches.there

    run_in_virtual_time(main)


def test_a_failure_to_make_one_reaches_all_who_wait() -> None:
    async def main() -> None:
        caches = Caches()
        caches.failures["create"] = SdkError(429, "Quota exceeded.")
        cache = cache_at(caches)
        ends = await asyncio.gather(*(cache.name() for _ in range(3)), return_exceptions=True)
        assert {type(end) for end in ends} == {RateLimitedError}
        assert caches.calls["create"] == 1
        with pytest.raises(RateLimitedError):
            await cache.name()
        assert caches.calls["create"] == 2, "whoever comes later tries again"
        del caches.failures["create"]
        assert await cache.name() == "cachedContents/c1"

    run_in_virtual_time(main)


def test_a_cache_without_a_name_is_refused() -> None:
    class Nameless(Caches):
        async def create(self, *, model: str, config: dict[str, Any]) -> SimpleNamespace:
            return SimpleNamespace(name=None)

    async def main() -> None:
        with pytest.raises(ProviderError, match="no name"):
            await cache_at(Nameless()).name()

    run_in_virtual_time(main)


def test_a_lifetime_in_the_form_of_the_api() -> None:
    async def main() -> None:
        for seconds, expected in ((3600, "3600s"), (2_000_000.0, "2000000s"), (90.5, "90.5s")):
            seen: list[str] = []

            class Listening(Caches):
                async def create(self, *, model: str, config: dict[str, Any]) -> SimpleNamespace:
                    seen.append(config["ttl"])  # noqa: B023 - called within the round
                    return await super().create(model=model, config=config)

            lifetime = CacheLifetime(seconds, 0, True, now)
            caches = Listening()
            cache = GeminiCache(lambda c=caches: cast("Any", c), MODEL, {}, LABEL, lifetime)  # type: ignore[misc]
            await cache.name()
            assert seen == [expected]

    run_in_virtual_time(main)


# --- the strategy's own checks -------------------------------------------------------------


def strategy(**settings: Any) -> GeminiCachedStrategy[Any]:
    return GeminiCachedStrategy(
        model=MODEL, client=None, response_parser=str, **{"cached_content": [], **settings}
    )


@pytest.mark.parametrize(("ttl", "buffer"), [(300, 300), (300, 301), (300, -1), (0, 0)])
def test_a_buffer_that_is_not_below_the_lifetime_is_refused(ttl: int, buffer: int) -> None:
    with pytest.raises(ValueError, match="cache_renewal_buffer_seconds"):
        strategy(cache_ttl_seconds=ttl, cache_renewal_buffer_seconds=buffer)


def test_tags_are_public() -> None:
    assert strategy(cache_tags={"customer": "acme"}).cache_tags == {"customer": "acme"}
    assert strategy().cache_tags == {}


async def test_nothing_to_cache() -> None:
    with pytest.raises(ConfigurationError, match="nothing to cache"):
        await strategy().prepare()


async def test_no_client() -> None:
    uncalled = strategy(cached_content=["manual"])
    await uncalled.delete_cache()
    with pytest.raises(ConfigurationError, match="client=None"):
        await uncalled.prepare()


def test_a_function_among_the_tools_cannot_be_cached() -> None:
    with pytest.raises(ConfigurationError, match="function"):
        strategy(cached_content=["manual"], config={"tools": [test_tags_are_public]})
