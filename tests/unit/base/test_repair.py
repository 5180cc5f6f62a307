"""What an item remembers of an answer that did not fit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batch_llm.base.repair import (
    LONGEST_ANSWER_BYTES,
    LONGEST_PROBLEM,
    Misfit,
    forget_misfit,
    remember_misfit,
    repair_bytes,
    with_misfit,
)
from batch_llm.base.request import LLMRequest, Message
from batch_llm.base.retry_state import REPAIR, RetryState

REQUEST = LLMRequest("What?", system="Be brief.", temperature=0, stop=["END"])


def test_the_conversation_goes_on_behind_the_request() -> None:
    state = RetryState()
    assert with_misfit(REQUEST, state) is REQUEST
    remember_misfit(state, "no JSON", "- red: missing")
    asked = with_misfit(REQUEST, state)
    assert asked.messages[:2] == (Message("user", "What?"), Message("assistant", "no JSON"))
    assert asked.messages[2].role == "user"
    assert "- red: missing" in asked.messages[2].text
    assert (asked.system, asked.temperature, asked.stop) == ("Be brief.", 0, ("END",))
    forget_misfit(state)
    assert with_misfit(REQUEST, state) is REQUEST


def test_without_a_memory_there_is_none() -> None:
    remember_misfit(None, "a", "b")
    forget_misfit(None)
    assert with_misfit(REQUEST, None) is REQUEST
    assert repair_bytes(None) == 0


def test_one_that_is_not_shown_takes_the_place_of_one_that_was() -> None:
    for answer in ("", " \n", "é" * LONGEST_ANSWER_BYTES):
        state = RetryState()
        remember_misfit(state, "first", "wrong")
        remember_misfit(state, answer, "wrong too")
        assert REPAIR not in state


def test_no_repr_shows_it() -> None:
    assert "secret" not in repr(Misfit("secret", "secret"))


@given(st.text(), st.text())
def test_its_bytes_are_a_bound_and_bounded(answer: str, problem: str) -> None:
    state = RetryState()
    remember_misfit(state, answer, problem * 50)
    asked = with_misfit(REQUEST, state)
    added = sum(len(message.text.encode("utf-8", "replace")) for message in asked.messages[1:])
    assert repair_bytes(state) >= added
    assert repair_bytes(state) <= LONGEST_ANSWER_BYTES + 4 * LONGEST_PROBLEM + 1_000
