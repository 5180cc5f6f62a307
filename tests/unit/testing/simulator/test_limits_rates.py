"""Requests and tokens a minute: who may start, when the others may, and what headers tell."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import pytest

from batch_llm.testing.simulator.call import ModelCall, Usage
from batch_llm.testing.simulator.clock import Clock
from batch_llm.testing.simulator.limits import Admission, Limit, Limits, Quota, Slope

START = 1_763_800_000.0


class HandClock(Clock):
    """Stands still, but for what the test moves it by."""

    def __init__(self) -> None:
        super().__init__(start=START)
        self.passed = 0.0

    def now(self) -> float:
        return START + self.passed


def _call(**changes: Any) -> ModelCall:
    fields: dict[str, Any] = {
        "provider": "openai",
        "operation": "chat.completions",
        "model": "gpt-5",
        "key": "k",
        "messages": [("user", "hello")],
        "input_tokens": 100,
    }
    return ModelCall(**{**fields, **changes})


def _limits(*limits: Limit) -> tuple[Limits, HandClock]:
    clock = HandClock()
    return Limits(clock, limits), clock


def _started(limits: Limits, most: int = 1_000, **changes: Any) -> list[ModelCall]:
    """Return the calls that start at this moment."""
    calls = [_call(**changes) for _ in range(most)]
    return list(takewhile(lambda call: limits.admit(call).exceeded is None, calls))


def _starts(limits: Limits, **changes: Any) -> int:
    """Return how many calls start at this moment."""
    return len(_started(limits, **changes))


def _quota(limit: int, remaining: int, reset_seconds: float) -> Quota:
    near: Any = pytest.approx(reset_seconds)
    return Quota(limit, remaining, near)


# --- requests ------------------------------------------------------------------------------


def test_without_a_limit_every_call_starts_and_no_quota_is_told() -> None:
    limits, _ = _limits()
    assert _starts(limits) == 1_000
    assert limits.settle(_call(), Usage(100, 10)) == Admission()


def test_a_full_minute_may_start_at_once_and_one_more_each_time_a_share_has_passed() -> None:
    limits, clock = _limits(Limit(requests_per_minute=60))
    assert _starts(limits) == 60
    refused = limits.admit(_call())
    assert (refused.exceeded, refused.requested, refused.too_large) == ("requests", 1, False)
    assert refused.retry_after_seconds == pytest.approx(1.0)
    clock.passed += 0.9
    assert _starts(limits) == 0
    clock.passed += 0.1
    assert _starts(limits) == 1
    clock.passed += 60
    assert _starts(limits) == 60


def test_a_small_burst_spreads_the_starts() -> None:
    limits, clock = _limits(Limit(requests_per_minute=600, burst_seconds=1))
    assert _starts(limits) == 10
    clock.passed += 1
    assert _starts(limits) == 10


@pytest.mark.parametrize(("rate", "burst"), [(0.5, 60), (6, 1), (0.01, 0.001)])
def test_one_call_may_always_start_when_nothing_is_used(rate: float, burst: float) -> None:
    limits, clock = _limits(Limit(requests_per_minute=rate, burst_seconds=burst))
    for _ in range(3):
        assert _starts(limits) == 1
        clock.passed += 60 / rate


def test_a_refused_call_counts_nothing() -> None:
    limits, clock = _limits(Limit(requests_per_minute=60, tokens_per_minute=200))
    assert _starts(limits) == 2
    for _ in range(100):
        assert limits.admit(_call()).exceeded == "tokens"
    clock.passed += 30
    assert _starts(limits) == 1, "58 requests are left, and 100 tokens have come back"


def test_each_key_model_and_provider_has_its_own() -> None:
    limits, _ = _limits(Limit(requests_per_minute=2))
    assert _starts(limits) == 2
    assert _starts(limits, key="other") == 2
    assert _starts(limits, model="gpt-4o") == 2
    assert _starts(limits, provider="gemini") == 2
    assert _starts(limits) == 0


def test_the_first_limit_that_fits_counts() -> None:
    limits, _ = _limits(
        Limit(provider="openai", model="gpt-5", requests_per_minute=3),
        Limit(key="poor", requests_per_minute=1),
        Limit(provider="openai", requests_per_minute=2),
    )
    assert _starts(limits) == 3
    assert _starts(limits, model="gpt-4o") == 2
    assert _starts(limits, model="gpt-4o", key="poor") == 1
    assert _starts(limits, provider="gemini") == 1_000


# --- tokens --------------------------------------------------------------------------------


def test_openai_holds_the_most_output_and_gives_back_what_was_not_used() -> None:
    limits, _ = _limits(Limit(tokens_per_minute=1_000))
    first, _ = _started(limits, max_output_tokens=400)
    told = limits.settle(first, Usage(100, 50))
    assert told.quotas == {"tokens": _quota(1_000, 350, 39.0)}
    assert limits.admit(_call(input_tokens=0, max_output_tokens=351)).exceeded == "tokens"
    assert limits.admit(_call(input_tokens=0, max_output_tokens=350)).exceeded is None


def test_openai_holds_the_most_output_of_each_choice() -> None:
    limits, _ = _limits(Limit(tokens_per_minute=1_000))
    refused = limits.admit(_call(max_output_tokens=301, choices=3))
    assert (refused.requested, refused.too_large) == (1_003, True)
    assert limits.admit(_call(max_output_tokens=300, choices=3)).exceeded is None


def test_openai_holds_only_the_input_where_no_most_is_named() -> None:
    limits, _ = _limits(Limit(tokens_per_minute=1_000))
    started = _started(limits)
    assert len(started) == 10
    for call in started:
        limits.settle(call, Usage(100, 50))
    refused = limits.admit(_call())
    assert refused.retry_after_seconds == pytest.approx(36.0), "1,500 are used, 900 may be"
    assert refused.requested == 100
    assert refused.quotas == {"tokens": _quota(1_000, 0, 90.0)}


def test_anthropic_counts_input_without_what_a_cache_gave_and_output_as_it_is_made() -> None:
    limits, clock = _limits(
        Limit(input_tokens_per_minute=1_000, output_tokens_per_minute=600),
    )
    call = {"provider": "anthropic", "input_tokens": 5_000, "cached_input_tokens": 4_800}
    started = _started(limits, most=4, max_output_tokens=100_000, **call)
    assert len(started) == 4
    told = limits.settle(started[0], Usage(5_000, 700, 4_800))
    assert told.quotas == {
        "input_tokens": _quota(1_000, 200, 48.0),
        "output_tokens": _quota(600, 0, 70.0),
    }
    refused = limits.admit(_call(**call))
    assert refused.exceeded == "output_tokens"
    assert refused.retry_after_seconds == pytest.approx(10.1), "101 of 10 a second"
    clock.passed += 10.1
    assert limits.admit(_call(**call)).exceeded is None


def test_gemini_counts_input_alone() -> None:
    limits, _ = _limits(Limit(tokens_per_minute=1_000))
    started = _started(limits, provider="gemini", max_output_tokens=5_000)
    assert len(started) == 10
    told = limits.settle(started[0], Usage(100, 5_000))
    assert told.quotas["tokens"].remaining == 0
    refused = limits.admit(_call(provider="gemini", input_tokens=1))
    assert refused.retry_after_seconds == pytest.approx(0.06)


def test_a_call_larger_than_a_whole_minute_may_never_start() -> None:
    limits, _ = _limits(Limit(tokens_per_minute=1_000))
    refused = limits.admit(_call(max_output_tokens=901))
    assert (refused.exceeded, refused.too_large) == ("tokens", True)
    assert (refused.requested, refused.retry_after_seconds) == (1_001, 0.0)
    assert refused.quotas["tokens"] == Quota(1_000, 1_000, 0.0)
    assert limits.admit(_call(max_output_tokens=900)).exceeded is None


def test_a_call_larger_than_the_burst_waits_until_nothing_is_used_and_pays_after() -> None:
    limits, clock = _limits(Limit(tokens_per_minute=6_000, burst_seconds=1))
    assert limits.admit(_call(input_tokens=3_000)).exceeded is None
    assert limits.admit(_call(input_tokens=3_000)).retry_after_seconds == pytest.approx(30.0)
    assert limits.admit(_call(input_tokens=1)).retry_after_seconds == pytest.approx(29.01)
    clock.passed += 30
    assert limits.admit(_call(input_tokens=3_000)).exceeded is None


def test_a_call_that_ran_long_is_not_counted_twice() -> None:
    limits, clock = _limits(Limit(requests_per_minute=60, tokens_per_minute=600))
    (call,) = _started(limits, most=1, max_output_tokens=100)
    clock.passed += 120
    told = limits.settle(call, Usage(100, 100))
    assert told.quotas == {"requests": Quota(60, 60, 0.0), "tokens": Quota(600, 600, 0.0)}


def test_what_stands_in_the_way_longest_is_told() -> None:
    limits, clock = _limits(Limit(requests_per_minute=60, tokens_per_minute=100))
    limits.admit(_call())
    refused = limits.admit(_call())
    assert refused.exceeded == "tokens"
    assert refused.retry_after_seconds == pytest.approx(60.0)
    assert refused.quotas["requests"].remaining == 59
    clock.passed += refused.retry_after_seconds
    assert limits.admit(_call()).exceeded is None


# --- slope ---------------------------------------------------------------------------------


def test_use_may_grow_only_so_fast() -> None:
    limits, clock = _limits(Limit(slope=Slope(factor=1.5, window_seconds=10, floor=4)))
    seen = []
    for _ in range(4):
        seen.append(_starts(limits))
        clock.passed += 10
    assert seen == [4, 6, 9, 13]
    clock.passed += 10
    assert _starts(limits) == 4, "after a window without use it begins anew"


def test_a_refusal_for_its_slope_says_when_the_next_window_begins() -> None:
    limits, clock = _limits(Limit(slope=Slope(window_seconds=10, floor=1)))
    clock.passed = 3.0
    assert _starts(limits) == 1
    refused = limits.admit(_call())
    assert refused.exceeded == "slope"
    assert refused.retry_after_seconds == pytest.approx(7.0)
    clock.passed += refused.retry_after_seconds
    assert limits.admit(_call()).exceeded is None


# --- memory --------------------------------------------------------------------------------


def test_keys_that_used_nothing_of_late_are_forgotten() -> None:
    limits, clock = _limits(
        Limit(requests_per_minute=60, slope=Slope(floor=100), tokens_per_minute=6_000_000)
    )
    most = 0
    for number in range(20_000):
        assert limits.admit(_call(key=str(number))).exceeded is None
        clock.passed += 0.1
        most = max(most, len(limits._allowances))
    assert most <= 1_100
    assert _starts(limits, key="19999") == 59, "the latest is remembered"


def test_what_has_leaked_away_is_not_given_back() -> None:
    limits, clock = _limits(Limit(tokens_per_minute=1_000))
    slow = _started(limits, input_tokens=10, max_output_tokens=990)
    assert len(slow) == 1
    clock.passed += 60
    others = _started(limits, input_tokens=1_000)
    assert len(others) == 1
    limits.settle(slow[0], Usage(10, 0))
    assert _starts(limits, input_tokens=100) == 0, "the bucket is full of what others used"


def test_what_is_still_held_is_given_back_in_part() -> None:
    limits, clock = _limits(Limit(tokens_per_minute=1_000))
    slow = _started(limits, input_tokens=10, max_output_tokens=990)
    clock.passed += 30  # half of it has leaked away
    told = limits.settle(slow[0], Usage(100, 0))
    assert told.quotas["tokens"] == _quota(1_000, 950, 3.0)
