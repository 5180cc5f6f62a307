"""What a run would take, told without a call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm import LLMCallStrategy, OpenAICompatibleStrategy
from batch_llm.base import ImagePart, LLMRequest, Message, TextPart
from batch_llm.pricing import Estimate, estimate_tokens, most_usd


def _strategy(**options: Any) -> OpenAICompatibleStrategy[Any]:
    return OpenAICompatibleStrategy("gpt-5-mini", api_key="k", **options)


class Unknown(LLMCallStrategy[str]):
    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        raise AssertionError("an estimate makes no call")


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2)])
def test_a_token_is_taken_for_four_bytes(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_characters_of_many_bytes_are_more_tokens() -> None:
    assert estimate_tokens("歴史歴史") == 3


def test_nothing_takes_nothing() -> None:
    estimate = Estimate(_strategy(), requests_per_minute=10)
    assert (estimate.rows, estimate.low_usd, estimate.high_usd, estimate.low_minutes) == (
        0,
        0.0,
        0.0,
        0.0,
    )


def test_both_ends_worked_out_by_hand() -> None:
    strategy = _strategy(system="s" * 400, max_output_tokens=1_000)
    estimate = Estimate(strategy, requests_per_minute=5, tokens_per_minute=100)
    for prompt in ("a" * 400, "b" * 800):
        estimate.add(prompt)
    assert (estimate.rows, estimate.input_tokens) == (2, 100 + 100 + 100 + 200)
    assert (estimate.low_output_tokens, estimate.high_output_tokens) == (2, 2_000)
    assert estimate.low_usd == pytest.approx(500 * 0.25e-6 + 2 * 2e-6)
    bounds = [strategy.token_bound(prompt) for prompt in ("a" * 400, "b" * 800)]
    assert strategy.priced_as is not None
    assert estimate.high_usd == pytest.approx(
        sum(most_usd(strategy.priced_as, bound) or 0 for bound in bounds)
    )
    assert estimate.input_tokens_bound == sum(bound.input_tokens for bound in bounds)
    assert estimate.low_minutes == pytest.approx(5.02)
    assert estimate.high_minutes == pytest.approx((estimate.input_tokens_bound + 2_000) / 100)
    assert estimate.unbounded is None


@pytest.mark.parametrize(
    ("limits", "minutes"),
    [({}, None), ({"requests_per_minute": 2}, 0.5), ({"tokens_per_minute": 1}, 2.0)],
)
def test_minutes_come_from_the_limits_alone(limits: dict[str, float], minutes: Any) -> None:
    estimate = Estimate(_strategy(), **limits)
    estimate.add("a")
    assert estimate.low_minutes == minutes


def test_one_item_without_a_bound_leaves_no_high_end_and_says_why() -> None:
    estimate = Estimate(_strategy(), tokens_per_minute=10)
    estimate.add(LLMRequest([Message("user", (TextPart("a"), ImagePart(url="https://h/a")))]))
    estimate.add("a")
    high = (estimate.input_tokens_bound, estimate.high_output_tokens, estimate.high_usd)
    assert high == (None, None, None)
    assert estimate.high_minutes is None
    assert "ImagePart" in (estimate.unbounded or "")
    assert (estimate.rows, estimate.low_usd is None) == (2, False)


def test_a_strategy_that_tells_nothing_has_an_estimate_of_tokens_alone() -> None:
    estimate = Estimate(Unknown(), requests_per_minute=1)
    estimate.add("a" * 40)
    assert (estimate.input_tokens, estimate.low_usd, estimate.high_usd) == (10, None, None)
    assert (estimate.low_minutes, estimate.high_minutes) == (1, 1)
    assert estimate.unbounded is not None


def test_an_output_without_end_names_the_setting() -> None:
    estimate = Estimate(OpenAICompatibleStrategy("m", base_url="http://127.0.0.1:1"))
    estimate.add("a")
    assert "max_output_tokens" in (estimate.unbounded or "")
    assert estimate.input_tokens_bound is not None


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=20))
def test_the_low_end_is_never_above_the_high_one(prompts: list[str]) -> None:
    estimate = Estimate(_strategy(), requests_per_minute=7, tokens_per_minute=70)
    for prompt in prompts:
        estimate.add(prompt)
    low = (estimate.low_usd, estimate.input_tokens, estimate.low_output_tokens)
    high = (estimate.high_usd, estimate.input_tokens_bound, estimate.high_output_tokens)
    assert all(one <= other for one, other in zip(low, high, strict=True))  # type: ignore[operator]
    assert (estimate.low_minutes or 0) <= (estimate.high_minutes or 0)
