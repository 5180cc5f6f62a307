"""Anthropic's prompt cache: what is found, what is written, and for how long."""

from __future__ import annotations

from batch_llm.testing.simulator.anthropic import prompt_cache
from batch_llm.testing.simulator.anthropic.prompt_cache import CacheUse, Piece, PromptCache
from batch_llm.testing.simulator.clock import Clock

LEAST = 100


def _clock() -> Clock:
    return Clock(speed=1e-9)  # stands still, but for what a test moves it


def _piece(name: str, tokens: int = LEAST, seconds: int = 0) -> Piece:
    return Piece(name.encode(), tokens, seconds)


def _use(cache: PromptCache, *pieces: Piece, root: bytes = b"key, model") -> CacheUse:
    use = cache.look_up(root, pieces, LEAST)
    cache.commit(use)
    return use


def test_nothing_happens_without_a_mark() -> None:
    cache = PromptCache(_clock())
    assert _use(cache, _piece("a")) == CacheUse()
    assert len(cache) == 0


def test_two_times_to_live_in_one_request_are_told_apart() -> None:
    cache = PromptCache(_clock())
    pieces = [_piece("a", 200, 3_600), _piece("b", 300, 300), _piece("c", 50)]
    first = _use(cache, *pieces)
    assert (first.read_tokens, first.written_1h_tokens, first.written_5m_tokens) == (0, 200, 300)
    second = _use(cache, *pieces)
    assert (second.read_tokens, second.written_tokens) == (500, 0)


def test_only_the_part_that_is_still_kept_is_read() -> None:
    clock = _clock()
    cache = PromptCache(clock)
    pieces = [_piece("a", 200, 3_600), _piece("b", 300, 300)]
    _use(cache, *pieces)
    clock.advance(301)
    again = _use(cache, *pieces)
    assert (again.read_tokens, again.written_5m_tokens, again.written_1h_tokens) == (200, 300, 0)


def test_another_beginning_is_another_prefix() -> None:
    cache = PromptCache(_clock())
    _use(cache, _piece("a"), _piece("b", seconds=300))
    assert _use(cache, _piece("A"), _piece("b", seconds=300)).read_tokens == 0
    assert _use(cache, _piece("ab"), _piece("", seconds=300)).read_tokens == 0
    assert _use(cache, _piece("a"), _piece("b", seconds=300), root=b"other").read_tokens == 0


def test_a_prefix_is_found_up_to_twenty_blocks_before_a_mark() -> None:
    cache = PromptCache(_clock())
    _use(cache, _piece("a", seconds=300))
    near = [_piece(str(number)) for number in range(19)]
    assert _use(cache, _piece("a"), *near, _piece("end", seconds=300)).read_tokens == LEAST
    far = [_piece(f"far {number}") for number in range(20)]
    assert _use(cache, _piece("a"), *far, _piece("end", seconds=300)).read_tokens == 0


def test_a_prefix_that_is_too_short_is_not_cached() -> None:
    cache = PromptCache(_clock())
    assert _use(cache, _piece("a", LEAST - 1, 300)) == CacheUse()
    assert len(cache) == 0


def test_looking_up_writes_nothing() -> None:
    cache = PromptCache(_clock())
    cache.look_up(b"", [_piece("a", seconds=300)], LEAST)
    assert cache.look_up(b"", [_piece("a", seconds=300)], LEAST).read_tokens == 0


def test_memory_is_bounded_and_the_oldest_go_first() -> None:
    cache = PromptCache(_clock())
    kept = prompt_cache.KEPT
    for number in range(kept + 10):
        _use(cache, _piece(str(number), seconds=300))
    assert len(cache) == kept
    assert _use(cache, _piece("0", seconds=300)).read_tokens == 0
    assert _use(cache, _piece(str(kept), seconds=300)).read_tokens == LEAST
