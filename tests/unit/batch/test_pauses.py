"""How long a run waits before it looks again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.batch.chunks.pauses import Pauses


@given(st.floats(0.01, 3600), st.integers(1, 300))
def test_waits_stay_between_the_interval_and_ten_times_as_much(interval: float, waits: int) -> None:
    pauses = Pauses(interval)
    for _ in range(waits):
        assert 0.8 * interval <= pauses.next_seconds() <= 10 * interval


def test_waits_grow_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch_llm.batch.chunks.pauses.random.uniform", lambda _low, high: high)
    pauses = Pauses(2.0)
    waits = [pauses.next_seconds() for _ in range(30)]
    assert waits[0] == 2.0
    assert waits == sorted(waits)
    assert waits[-1] == 20.0
    pauses.reset()
    assert pauses.next_seconds() == 2.0


def test_two_runs_do_not_look_at_one_moment() -> None:
    assert len({Pauses(1.0).next_seconds() for _ in range(50)}) > 40


def test_without_an_interval_there_is_no_wait() -> None:
    assert Pauses(0.0).next_seconds() == 0.0
