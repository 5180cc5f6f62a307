"""Whether what calls go to is out of order."""

from __future__ import annotations

from batch_llm.strategies.breaker import Breaker


def opened() -> Breaker:
    breaker = Breaker()
    for _ in range(5):
        breaker.broke(0.0)
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.broke(0.0)
    breaker.succeeded()
    for _ in range(4):
        breaker.broke(0.0)
    assert not breaker.is_open(0.0)
    breaker.broke(0.0)
    assert breaker.is_open(0.0)


def test_after_a_wait_one_call_tries_and_its_success_closes_it() -> None:
    breaker = opened()
    assert breaker.is_open(0.9)
    assert not breaker.is_open(1.0)
    breaker.started(1.0)
    assert breaker.is_open(1.0)
    breaker.succeeded()
    assert not breaker.is_open(1.0)


def test_each_trial_that_fails_doubles_the_wait_up_to_a_minute() -> None:
    breaker, now, waits = opened(), 1.0, []
    for _ in range(9):
        breaker.started(now)
        breaker.broke(now)
        began = now
        while breaker.is_open(now):
            now += 0.5
        waits.append(now - began)
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0]


def test_failures_of_calls_from_before_do_not_lengthen_the_wait() -> None:
    breaker = opened()
    for _ in range(50):
        breaker.broke(0.5)
    assert not breaker.is_open(1.0)


def test_a_trial_of_which_nothing_is_heard_does_not_close_it_for_ever() -> None:
    breaker = opened()
    breaker.started(1.0)
    assert breaker.is_open(1.5)
    breaker.started(2.0)
    breaker.succeeded()
    assert not breaker.is_open(2.0)
