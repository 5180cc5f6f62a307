"""Limits that change while they are in use, and tokens of batches."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from batch_llm.testing.simulator import Answer, SimulatorSettings
from batch_llm.testing.simulator.call import ModelCall, Usage
from batch_llm.testing.simulator.clock import Clock
from batch_llm.testing.simulator.exchange import Response
from batch_llm.testing.simulator.limits import Limit, Limits, Slope
from batch_llm.testing.simulator.openai.dialect import OpenAIDialect
from batch_llm.testing.simulator.serving import respond
from batch_llm.testing.simulator.world import World


class HandClock(Clock):
    """Stands still, but for what the test moves it by."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def now(self) -> float:
        return 1_763_800_000.0 + self.passed


def _call(**changes: Any) -> ModelCall:
    fields: dict[str, Any] = {
        "provider": "openai",
        "operation": "responses",
        "model": "gpt-5",
        "key": "k",
        "messages": [],
        "input_tokens": 10,
    }
    return ModelCall(**{**fields, **changes})


def _limits(*limits: Limit) -> tuple[Limits, HandClock]:
    clock = HandClock()
    return Limits(clock, limits), clock


def _starts(limits: Limits, **changes: Any) -> int:
    for number in range(1_000):
        if limits.admit(_call(**changes)).exceeded is not None:
            return number
    return 1_000


def _rate(rate: float, **fields: Any) -> Limit:
    return Limit(requests_per_minute=rate, **fields)


def test_what_was_used_counts_on_when_a_limit_is_raised() -> None:
    limits, _ = _limits(_rate(60))
    assert _starts(limits) == 60
    limits.set([_rate(100)])
    assert _starts(limits) == 40


def test_a_lower_limit_is_at_most_used_up() -> None:
    limits, clock = _limits(_rate(600))
    assert _starts(limits) == 600
    limits.set([_rate(60)])
    assert limits.admit(_call()).retry_after_seconds == pytest.approx(1.0)
    clock.passed += 60
    assert _starts(limits) == 60


def test_a_limit_that_stays_is_left_as_it_is() -> None:
    limits, _ = _limits(Limit(tokens_per_minute=100))
    call = _call()
    limits.admit(call)
    limits.settle(call, Usage(10, 500))
    limits.set([Limit(tokens_per_minute=100), _rate(5, key="other")])
    assert limits.admit(_call()).retry_after_seconds == pytest.approx(252.0), "510 of 90"


def test_limits_can_be_lifted_and_put_back() -> None:
    limits, clock = _limits(_rate(2))
    assert _starts(limits) == 2
    limits.set([])
    assert limits.in_force() == ()
    assert _starts(limits) == 1_000
    limits.set([_rate(2, slope=Slope(floor=1))])
    assert _starts(limits) == 1
    limits.set([_rate(2)])
    assert _starts(limits) == 1
    clock.passed += 60
    assert _starts(limits) == 2


def test_a_call_that_began_before_its_limit_gives_nothing_back() -> None:
    limits, _ = _limits()
    early = _call(max_output_tokens=900)
    limits.admit(early)
    limits.set([Limit(tokens_per_minute=1_000)])
    limits.admit(_call(input_tokens=500))
    told = limits.settle(early, Usage(10, 40))
    assert told.quotas["tokens"].remaining == 450


def test_limits_come_into_force_by_their_time() -> None:
    limits, clock = _limits(_rate(10), _rate(3, after_seconds=60.1), Limit(after_seconds=120.2))
    assert limits.in_force() == (_rate(10),)
    assert _starts(limits) == 10
    clock.passed = 60.0
    assert _starts(limits) == 10
    clock.passed = 60.1
    assert limits.in_force()[0].requests_per_minute == 3
    assert _starts(limits) == 0
    clock.passed = 80.2
    assert _starts(limits) == 1
    clock.passed = 120.2
    assert _starts(limits) == 1_000, "the last one lifts them"


def test_time_before_a_change_passes_at_the_rate_of_then() -> None:
    limits, clock = _limits(_rate(60), _rate(6, after_seconds=30))
    assert _starts(limits) == 60
    clock.passed = 40
    assert _starts(limits) == 1, "30 of 60 leaked, which a limit of 6 holds 6 of; then 1 of 6"


def test_a_schedule_counts_from_when_it_is_set() -> None:
    limits, clock = _limits()
    clock.passed = 1_000
    limits.set([_rate(1, after_seconds=5)])
    assert _starts(limits) == 1_000
    clock.passed = 1_005
    assert _starts(limits) == 1


def test_of_limits_that_come_together_the_first_counts() -> None:
    limits, clock = _limits(
        _rate(9), _rate(2, after_seconds=1, model="gpt-5"), _rate(5, after_seconds=1)
    )
    clock.passed = 1
    assert _starts(limits) == 2
    assert _starts(limits, model="o3") == 5


async def test_a_call_whose_answer_fails_gives_its_tokens_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Fails:
        async def answer(self, call: ModelCall) -> Answer:
            raise ValueError("no answer")

    caplog.set_level(logging.CRITICAL)
    world = World(SimulatorSettings(limits=(Limit(tokens_per_minute=1_000),)), Fails())
    call = _call(max_output_tokens=900)
    response = await respond(world, call, OpenAIDialect(), lambda _: Response())
    assert response.status == 500
    assert response.headers["x-ratelimit-remaining-tokens"] == "1000"
    assert world.limits.admit(call).exceeded is None


# --- tokens of batches ---------------------------------------------------------------------


def test_batches_count_until_they_end() -> None:
    limits, _ = _limits(Limit(enqueued_tokens=100))
    assert limits.enqueue("openai", "gpt-5", "k", "b1", 60) is None
    assert limits.enqueue("openai", "gpt-5", "k", "b2", 41) == 100
    assert limits.enqueue("openai", "gpt-5", "k", "b3", 40) is None
    assert limits.enqueue("openai", "gpt-5", "other", "b4", 100) is None
    assert limits.enqueue("openai", "o3", "k", "b5", 100) is None
    limits.dequeue("b2")
    assert limits.enqueue("openai", "gpt-5", "k", "b6", 1) == 100
    limits.dequeue("b1")
    limits.dequeue("b1")
    assert limits.enqueue("openai", "gpt-5", "k", "b7", 60) is None
    assert limits.enqueue("openai", "gpt-5", "k", "b8", 1) == 100


def test_batches_of_before_a_limit_count_for_it() -> None:
    limits, _ = _limits()
    assert limits.enqueue("openai", "gpt-5", "k", "b1", 90) is None
    limits.set([Limit(enqueued_tokens=100)])
    assert limits.enqueue("openai", "gpt-5", "k", "b2", 11) == 100
    assert limits.enqueue("openai", "gpt-5", "k", "b2", 10) is None


def test_the_books_of_batches_are_empty_when_all_have_ended() -> None:
    limits, _ = _limits()
    for number in range(10):
        limits.enqueue("openai", "gpt-5", str(number), f"b{number}", number)
        limits.enqueue("openai", "gpt-5", str(number), f"b{number}", 2 * number)
    for number in range(10):
        limits.dequeue(f"b{number}")
    assert not limits._enqueued._batches
    assert not limits._enqueued._tokens
