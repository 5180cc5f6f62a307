"""How long calls take: the distributions have the median and the tail that they name."""

from __future__ import annotations

import math
from statistics import median

import pytest
from pydantic import ValidationError

from batch_llm.testing.simulator.chance import Chance
from batch_llm.testing.simulator.latency import Latency

DRAWS = 10_000
SEEDS = range(3)


def drawn(latency: Latency, seed: int, tokens: int = 0) -> list[float]:
    chance = Chance(seed)
    return [latency.draw(chance, number.to_bytes(8, "big"), tokens) for number in range(DRAWS)]


def share_above(values: list[float], bound: float) -> float:
    return sum(value > bound for value in values) / len(values)


@pytest.mark.parametrize("seed", SEEDS)
def test_fixed_is_always_the_same(seed: int) -> None:
    assert set(drawn(Latency(seconds=1.5), seed)) == {1.5}
    assert set(drawn(Latency(), seed)) == {0.0}


@pytest.mark.parametrize("seed", SEEDS)
def test_lognormal_has_its_median_and_sigma(seed: int) -> None:
    """Of 10,000 draws the median's logarithm errs by sigma * 1.25 / 100; four times that here."""
    values = drawn(Latency(kind="lognormal", seconds=2.0, sigma=0.5), seed)
    assert median(values) == pytest.approx(2.0, rel=0.025)
    logarithms = [math.log(value / 2.0) for value in values]
    assert math.sqrt(sum(one**2 for one in logarithms) / DRAWS) == pytest.approx(0.5, rel=0.03)
    # The docstring's: 5 % are above 2.3 times the median; four standard errors are 0.009.
    assert share_above(values, 2.0 * 2.276) == pytest.approx(0.05, abs=0.009)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("share", [0.01, 0.2])
def test_a_long_tail_has_its_share(seed: int, share: float) -> None:
    latency = Latency(kind="long_tail", seconds=1.0, sigma=0.1, tail_share=share, tail_factor=50)
    values = drawn(latency, seed)
    error = 4 * math.sqrt(share * (1 - share) / DRAWS)
    assert share_above(values, 10.0) == pytest.approx(share, abs=error)
    assert median(value for value in values if value > 10.0) == pytest.approx(50.0, rel=0.1)
    assert median(value for value in values if value < 10.0) == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_tail_and_nothing_else(share: float) -> None:
    latency = Latency(kind="long_tail", seconds=1.0, sigma=0.1, tail_share=share, tail_factor=50)
    assert share_above(drawn(latency, 1), 10.0) == share


def test_a_sigma_of_nothing_is_fixed() -> None:
    assert set(drawn(Latency(kind="lognormal", seconds=3.0, sigma=0), 1)) == {3.0}


@pytest.mark.parametrize("kind", ["fixed", "lognormal", "long_tail"])
def test_tokens_take_their_time(kind: str) -> None:
    plain = Latency(kind=kind, seconds=1.0)
    slow = plain.model_copy(update={"seconds_per_output_token": 0.5})
    more = [two - one for one, two in zip(drawn(plain, 1), drawn(slow, 1, 100), strict=True)]
    assert more == pytest.approx([50.0] * DRAWS)
    alone = Latency(kind=kind, seconds_per_output_token=0.5)
    assert alone.draw(Chance(), b"a", 10) == 5.0


def test_one_call_takes_the_same_time_whoever_comes_first() -> None:
    latency = Latency(kind="long_tail", seconds=1.0)
    first, second = Chance(3), Chance(3)
    names = [b"a", b"b", b"c"]
    forward = {name: latency.draw(first, name) for name in names}
    assert forward == {name: latency.draw(second, name) for name in reversed(names)}


@pytest.mark.parametrize(
    "fields",
    [
        {"seconds": -1},
        {"seconds": math.inf},
        {"sigma": math.nan},
        {"sigma": 1_000},
        {"tail_share": 1.5},
        {"tail_factor": 0.5},
        {"kind": "normal"},
        {"median": 1},
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Latency.model_validate(fields)
