"""What an item remembers."""

from __future__ import annotations

import pytest

from batch_llm import RetryState


def test_what_is_set_can_be_got_and_deleted() -> None:
    state = RetryState()
    assert state.get("key") is None
    assert state.get("key", 7) == 7
    assert "key" not in state
    state.set("key", [1])
    assert "key" in state
    assert state.get("key") == [1]
    state.delete("key")
    assert "key" not in state


def test_none_is_a_value() -> None:
    state = RetryState()
    state.set("key", None)
    assert "key" in state
    assert state.get("key", 7) is None


def test_deleting_what_is_not_there() -> None:
    state = RetryState()
    state.delete("key")
    state.delete("key", raise_if_missing=False)
    with pytest.raises(KeyError):
        state.delete("key", raise_if_missing=True)
    state.set("key", 1)
    state.delete("key", raise_if_missing=True)
    assert "key" not in state


def test_clear_forgets_everything() -> None:
    state = RetryState()
    state.set("a", 1)
    state.set("b", 2)
    state.clear()
    assert "a" not in state
    assert "b" not in state


def test_states_share_nothing() -> None:
    one, other = RetryState(), RetryState()
    one.set("key", 1)
    assert "key" not in other


def test_its_repr_shows_no_value() -> None:
    state = RetryState()
    state.set("prompt", "the-secret")
    assert "prompt" in repr(state)
    assert "the-secret" not in repr(state)
