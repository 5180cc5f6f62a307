"""Several keys or endpoints of one model."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.llm_strategies.test_escalation import Named

from batch_llm import RetryState, StrategyPool
from batch_llm.base.strategy import resolve

MEMBERS = [Named(name) for name in "abc"]


def route(pool: StrategyPool[Any], headroom: dict[str, float], times: int = 1) -> str:
    """Return the names of those chosen, in order."""
    state = RetryState()
    chosen = (resolve(pool, 1, state, lambda member: headroom[repr(member)]) for _ in range(times))
    return "".join(map(repr, chosen))


def test_the_freest_is_taken() -> None:
    pool = StrategyPool(MEMBERS)
    assert route(pool, {"a": 0.2, "b": 0.9, "c": 0.5}, 3) == "bbb"
    assert route(pool, {"a": 0.2, "b": 0.1, "c": 0.5}) == "c"


def test_equals_take_turns() -> None:
    assert route(StrategyPool(MEMBERS), dict.fromkeys("abc", 1.0), 6) == "abcabc"
    assert route(StrategyPool(MEMBERS), {"a": 1.0, "b": 0.5, "c": 1.0}, 4) == "acac"


def test_one_out_of_order_is_left_out_while_another_is_left() -> None:
    pool = StrategyPool(MEMBERS)
    assert route(pool, {"a": -1, "b": 0.0, "c": -2}, 3) == "bbb"
    assert route(pool, {"a": -1, "b": -2, "c": -2}, 2) == "aa"


def test_pools_may_stand_in_pools() -> None:
    pool = StrategyPool([StrategyPool(MEMBERS[:2]), MEMBERS[2]])
    assert route(pool, {"a": 0.1, "b": 0.9, "c": 0.5}) == "b"
    assert route(pool, {"a": 0.1, "b": 0.2, "c": 0.5}) == "c"
    assert route(pool, {"a": -2, "b": -2, "c": 0.0}) == "c"


def test_a_headroom_that_is_no_number_stops_nobody() -> None:
    assert route(StrategyPool(MEMBERS), dict.fromkeys("abc", float("nan"))) == "a"


@given(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0]), min_size=3, max_size=3))
def test_none_below_zero_is_taken_unless_all_are(free: list[float]) -> None:
    headroom = dict(zip("abc", free, strict=True))
    chosen = route(StrategyPool(MEMBERS), headroom, 12)
    assert {headroom[name] for name in chosen} == {max(free)}
    shares = Counter(chosen).values()
    assert max(shares) == min(shares)


def test_what_it_says_of_itself() -> None:
    assert repr(StrategyPool(MEMBERS)) == "StrategyPool([a, b, c])"
    assert StrategyPool(MEMBERS).fingerprint() is None


class Told(Named):
    def fingerprint(self) -> str:
        return f"{self.name} at home"


def test_fingerprints_of_other_kinds_are_not_cut() -> None:
    alike = StrategyPool([Told("a"), Told("a")]).fingerprint()
    assert alike == "a at home"
    other = StrategyPool([Told("a"), Told("b")]).fingerprint()
    assert other is not None
    assert other.startswith("pool 2 ")


def test_members_come_from_anything_that_can_be_gone_through() -> None:
    assert StrategyPool(iter(MEMBERS)).members == tuple(MEMBERS)
    with pytest.raises(TypeError, match="makes no calls itself"):
        StrategyPool(MEMBERS).execute("", 1, 1).send(None)
