"""The cache of prompts."""

from __future__ import annotations

import pytest

from batch_llm.testing.simulator.clock import Clock
from batch_llm.testing.simulator.openai import prompt_cache
from batch_llm.testing.simulator.openai.prompt_cache import PromptCache


@pytest.fixture
def cache() -> PromptCache:
    return PromptCache(Clock(speed=1e-6))


def ask(cache: PromptCache, text: str) -> int:
    """Look a prompt of one turn up, as if it was answered; return what was cached."""
    found = cache.look_up("key", "model", ["user", text], 4 + len(text) // 4)
    cache.keep(found)
    return found.cached_tokens


def test_a_short_prompt_is_not_cached(cache: PromptCache) -> None:
    assert [ask(cache, "x" * 4 * 1_019) for _ in range(2)] == [0, 0]


def test_never_more_is_cached_than_the_prompt_has(cache: PromptCache) -> None:
    for tokens in (1_028, 1_151, 1_152, 5_000):
        text = chr(tokens % 90 + 33) * 4 * (tokens - 4)
        assert ask(cache, text) == 0
        cached = ask(cache, text)
        assert 1_024 <= cached <= tokens
        assert cached % 128 == 0


def test_what_was_not_answered_is_not_cached(cache: PromptCache) -> None:
    for _ in range(2):
        assert cache.look_up("key", "model", ["x" * 8_000], 2_000).cached_tokens == 0


def test_only_the_latest_starts_are_remembered(
    cache: PromptCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_cache, "_REMEMBERED", 10)
    first, second = "a" * 4 * 2_048, "b" * 4 * 2_048
    assert ask(cache, first) == 0
    assert ask(cache, second) == 0
    assert len(cache._seen) == 10
    assert ask(cache, first) == 0


def test_use_keeps_a_prompt_for_another_day() -> None:
    clock = Clock(speed=1e-6)
    cache = PromptCache(clock)
    text = "x" * 8_000
    assert ask(cache, text) == 0
    for _ in range(3):
        clock.advance(86_000)
        assert ask(cache, text) == 1_920
    clock.advance(86_401)
    assert ask(cache, text) == 0
