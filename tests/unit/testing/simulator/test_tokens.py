"""The rule by which tokens are counted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_llm.testing.simulator.tokens import (
    TOKENS_OF_FILE,
    TOKENS_OF_IMAGE,
    TOKENS_OF_TURN,
    count_text,
    count_turns,
    cut_text,
)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("four", 1), ("fives", 2), ("é", 1), ("ééé", 2), ("😀", 1), ("😀!", 2)],
)
def test_four_bytes_are_a_token(text: str, tokens: int) -> None:
    assert count_text(text) == tokens


def test_half_of_a_surrogate_pair_is_counted() -> None:
    assert count_text("\ud800") == 1


def test_a_turn_costs_four_more() -> None:
    assert count_turns([("user", "hello"), ("assistant", "")]) == 2 + 4 + 4
    assert count_turns([]) == 0
    assert (TOKENS_OF_TURN, TOKENS_OF_IMAGE, TOKENS_OF_FILE) == (4, 258, 1_000)


@settings(deadline=None)
@given(st.text(), st.integers(0, 20))
def test_a_text_is_cut_at_its_tokens_and_never_in_a_character(text: str, tokens: int) -> None:
    cut = cut_text(text, tokens)
    assert text.startswith(cut)
    assert count_text(cut) <= tokens
    if count_text(text) <= tokens:
        assert cut == text
    else:
        # Not even the next character would have had room.
        assert count_text(text[: len(cut) + 1]) > tokens
