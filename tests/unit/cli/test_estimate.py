"""What a run would take, in words."""

from __future__ import annotations

import pytest

from batch_llm.base import LLMCallStrategy, PricedModel, TokenBound
from batch_llm.cli.estimate import cost_line, minutes, time_line
from batch_llm.cli.run_options import PaceOptions
from batch_llm.pricing import Estimate


class Told(LLMCallStrategy[str]):
    """Says what it is told to."""

    def __init__(self, priced_as: PricedModel | None, bound: TokenBound | None) -> None:
        self.priced_as = priced_as
        self._bound = bound

    def expected_input_tokens(self, prompt: object) -> int:
        return 100

    def token_bound(self, prompt: object) -> TokenBound | None:
        return self._bound

    async def execute(self, *_: object) -> object:  # type: ignore[override]
        raise AssertionError("no call is made here")


NANO = PricedModel("openai", "gpt-4.1-nano")


def estimate_of(
    priced: PricedModel | None, bound: TokenBound | None, pace: PaceOptions | None = None
) -> Estimate:
    pace = pace or PaceOptions()
    found = Estimate(
        Told(priced, bound),
        requests_per_minute=pace.requests_per_minute,
        tokens_per_minute=pace.tokens_per_minute,
    )
    for _ in range(10):
        found.add("x")
    return found


def test_the_cost_has_two_ends() -> None:
    assert cost_line(estimate_of(NANO, TokenBound(400, 50))) == (
        "from 0.000104 USD to at most 0.000600 USD."
    )


def test_a_price_that_is_not_known_says_what_to_do() -> None:
    assert "--priced-as" in cost_line(estimate_of(None, TokenBound(400, 50)))


def test_answers_that_nothing_bounds_have_no_upper_end() -> None:
    said = cost_line(estimate_of(NANO, TokenBound(400, None)))

    assert said.startswith("from 0.000104 USD, with no upper bound.")
    assert said.endswith("Set --max-tokens.")


@pytest.mark.parametrize(
    ("limits", "low", "high"),
    [
        ({}, None, None),
        ({"requests_per_minute": 5}, 2, 2),
        ({"tokens_per_minute": 101}, 10, 4_500 / 101),
        ({"input_tokens_per_minute": 100}, 10, 40),
        ({"output_tokens_per_minute": 10}, 1, 50),
        ({"requests_per_minute": 0.5, "input_tokens_per_minute": 100}, 20, 40),
        ({"requests_per_minute": 0.1, "output_tokens_per_minute": 10}, 100, 100),
    ],
)
def test_the_tightest_limit_gives_the_time(
    limits: dict[str, float], low: float | None, high: float | None
) -> None:
    pace = PaceOptions(**limits)  # type: ignore[arg-type]

    assert minutes(pace, estimate_of(NANO, TokenBound(400, 50), pace)) == (low, high)


def test_without_a_bound_the_time_has_no_upper_end() -> None:
    for limit in ("tokens_per_minute", "output_tokens_per_minute"):
        pace = PaceOptions(**{limit: 10})  # type: ignore[arg-type]
        low, high = minutes(pace, estimate_of(NANO, TokenBound(400, None), pace))
        assert low is not None
        assert high is None


def test_the_time_in_words() -> None:
    slow = PaceOptions(requests_per_minute=5)
    assert time_line(slow, estimate_of(NANO, TokenBound(400, 50), slow)) == "at least 2:00."
    spread = PaceOptions(input_tokens_per_minute=100)
    assert (
        time_line(spread, estimate_of(NANO, TokenBound(400, 50), spread)) == "from 10:00 to 40:00."
    )
    free = PaceOptions()
    assert "--rpm and --tpm" in time_line(free, estimate_of(NANO, TokenBound(400, 50)))
