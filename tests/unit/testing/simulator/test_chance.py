"""Chance: even, repeatable, and the same whoever comes first."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_llm.testing.simulator import chance as chance_module
from batch_llm.testing.simulator.chance import Chance, Occurrences

DRAWS = 20_000


def draws(seed: int | str, purpose: str = "fault") -> list[float]:
    chance = Chance(seed)
    return [chance.uniform(purpose, number.to_bytes(8, "big")) for number in range(DRAWS)]


@settings(deadline=None)
@given(st.integers() | st.text(), st.text(), st.binary())
def test_a_draw_is_repeatable_and_below_one(seed: int | str, purpose: str, subject: bytes) -> None:
    drawn = Chance(seed).uniform(purpose, subject)
    assert 0 <= drawn < 1
    assert drawn == Chance(seed).uniform(purpose, subject)


@pytest.mark.parametrize("seed", range(5))
def test_draws_are_even(seed: int) -> None:
    """Twenty bins of a thousand: chi-squared with 19 degrees stays below 43.8 in 99.9 %."""
    counts = [0] * 20
    for drawn in draws(seed):
        counts[int(drawn * 20)] += 1
    assert sum((count - 1_000) ** 2 / 1_000 for count in counts) < 43.8


def _correlation(first: list[float], second: list[float]) -> float:
    pairs = zip(first, second, strict=True)
    return sum((one - 0.5) * (other - 0.5) for one, other in pairs) * 12 / DRAWS


def test_seeds_purposes_and_neighbours_have_nothing_to_do_with_each_other() -> None:
    """Of independent draws it stays below 4 / sqrt(20,000) = 0.028 but once in 15,000."""
    first = draws(1)
    assert abs(_correlation(first, draws(2))) < 0.028
    assert abs(_correlation(first, draws(1, "latency"))) < 0.028
    assert abs(_correlation(first, first[1:] + first[:1])) < 0.028


@settings(deadline=None)
@given(st.permutations([(purpose, bytes([number])) for purpose in "ab" for number in range(4)]))
def test_the_order_of_draws_changes_nothing(order: list[tuple[str, bytes]]) -> None:
    chance = Chance(7)
    drawn = {asked: chance.uniform(*asked) for asked in order}
    assert drawn == {asked: Chance(7).uniform(*asked) for asked in order}


def test_the_largest_digest_stays_below_one() -> None:
    with patch.object(Chance, "digest", return_value=b"\xff" * 16):
        assert Chance().uniform("any", b"") < 1


def test_a_number_and_its_digits_are_one_seed() -> None:
    assert Chance(7).digest("a", b"b") == Chance("7").digest("a", b"b")
    assert len(Chance().digest("a", b"b")) == 16


def test_occurrences_count_each_request() -> None:
    seen = Occurrences()
    assert [seen.next(name) for name in (b"a", b"b", b"a", b"a", b"b")] == [1, 1, 2, 3, 2]


def test_occurrences_remember_the_latest_and_forget_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chance_module, "_REMEMBERED", 2)
    seen = Occurrences()
    for name in (b"a", b"b", b"a", b"c"):
        seen.next(name)
    assert [seen.next(b"a"), seen.next(b"c")] == [3, 2]
    for name in (b"d", b"e", b"f"):
        seen.next(name)
    assert [seen.next(b"e"), seen.next(b"f"), seen.next(b"a")] == [2, 2, 1]


def test_occurrences_do_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chance_module, "_REMEMBERED", 100)
    seen = Occurrences()
    for number in range(10_000):
        seen.next(number.to_bytes(4, "big"))
        assert len(seen) <= 200
    assert [seen.next(number.to_bytes(4, "big")) for number in range(9_900, 10_000)] == [2] * 100
