"""What the next call may use."""

from __future__ import annotations

from batch_llm.strategies.usage_guess import UsageGuess


def test_before_there_are_enough_calls_it_is_the_first_guess_or_more() -> None:
    guess = UsageGuess(1_000)
    assert guess.tokens == 1_000
    guess.add(10)
    assert guess.tokens == 1_000
    guess.add(4_000)
    assert guess.tokens == 5_000


def test_then_it_is_a_quarter_above_nearly_all() -> None:
    guess = UsageGuess(1_000)
    for tokens in range(1, 201):
        guess.add(tokens)
    assert 200 <= guess.tokens <= 250


def test_what_is_long_past_is_forgotten() -> None:
    guess = UsageGuess(1_000)
    guess.add(50_000)
    for _ in range(300):
        guess.add(100)
    assert guess.tokens == 125
