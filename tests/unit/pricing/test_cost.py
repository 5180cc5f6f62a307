"""What a call cost, and the most that it can."""

from __future__ import annotations

import pytest
from genai_prices import Usage, calc_price
from hypothesis import given
from hypothesis import strategies as st

from batch_llm import TokenUsage
from batch_llm.base import PricedModel, TokenBound
from batch_llm.pricing import cost_usd, most_usd, price_list

GPT = PricedModel("openai", "gpt-5-mini")
CLAUDE = PricedModel("anthropic", "claude-haiku-4-5")
GEMINI = PricedModel("gemini", "gemini-2.5-pro")
LOCAL = PricedModel("local", "smollm2")


def _usage(given: int, made: int, cached: int = 0, written: int = 0, hour: int = 0) -> TokenUsage:
    return {
        "input_tokens": given,
        "output_tokens": made,
        "total_tokens": given + made,
        "cached_input_tokens": cached,
        "cache_write_tokens": written,
        "hour_cache_write_tokens": hour,
    }


@pytest.mark.parametrize(
    ("priced", "usage", "by_hand"),
    [
        # 0.25 USD a million in, 0.025 cached, 2 out
        (GPT, _usage(1_000, 100), 0.00045),
        (GPT, _usage(1_000, 100, 800), 0.00027),
        # 1 in, 0.1 cached, 1.25 written, 2 for an hour, 5 out
        (CLAUDE, _usage(1_000, 100, 500, 400, 300), 0.001375),
        # 1.25 in and 10 out up to 200,000; 2.5 and 15 above
        (GEMINI, _usage(200_000, 1_000), 0.26),
        (GEMINI, _usage(200_001, 1_000), 0.5150025),
    ],
)
def test_costs_worked_out_by_hand_and_by_the_list_itself(
    priced: PricedModel, usage: TokenUsage, by_hand: float
) -> None:
    listed = calc_price(
        Usage(
            input_tokens=usage["input_tokens"],
            output_tokens=usage["output_tokens"],
            cache_read_tokens=usage["cached_input_tokens"],
            cache_write_tokens=usage["cache_write_tokens"],
            cache_write_1h_tokens=usage["hour_cache_write_tokens"] or None,
        ),
        priced.model,
        provider_id="google" if priced.provider == "gemini" else priced.provider,
    ).total_price
    cost = cost_usd(priced, usage)
    assert cost == pytest.approx(float(listed), abs=1e-15)
    assert cost == pytest.approx(by_hand, abs=1e-12)


def test_counts_that_are_missing_are_none_of_these_tokens() -> None:
    assert cost_usd(GPT, {"input_tokens": 1_000, "output_tokens": 100}) == pytest.approx(0.00045)
    assert cost_usd(GPT, {"output_tokens": 100}) == pytest.approx(0.0002)


@pytest.mark.parametrize("usage", [{}, _usage(0, 0)])
def test_an_answer_without_a_bill_is_not_free(usage: TokenUsage) -> None:
    assert cost_usd(GPT, usage) is None


@pytest.mark.parametrize(
    "priced",
    [
        PricedModel("openai", "gpt-none"),
        PricedModel("nobody", "gpt-5"),
        PricedModel("openai", "gpt-4o-search-preview"),  # each call has a fee
        PricedModel("openai", "gpt-4o-audio-preview"),  # sound has a price of its own
        PricedModel("gemini", "gemini-2.5-flash-image"),
        PricedModel("perplexity", "sonar"),  # so has each request
    ],
)
def test_what_is_not_known_is_none(priced: PricedModel) -> None:
    assert cost_usd(priced, _usage(1_000, 100)) is None
    assert most_usd(priced, TokenBound(1_000, 100)) is None


def test_a_model_in_this_process_costs_nothing() -> None:
    assert cost_usd(LOCAL, {}) == 0.0
    assert most_usd(LOCAL, TokenBound(1_000, None)) == 0.0


def test_the_most_is_none_without_an_end_of_the_answer() -> None:
    assert most_usd(GPT, TokenBound(1_000, None)) is None


def test_nothing_bounds_what_a_router_of_models_costs() -> None:
    priced = PricedModel("openrouter", "openai/gpt-4o-mini")
    assert cost_usd(priced, _usage(1_000, 100)) is not None
    assert most_usd(priced, TokenBound(1_000, 100)) is None


@pytest.mark.parametrize(
    ("priced", "bound", "by_hand"),
    [
        (GPT, TokenBound(1_000, 100), 0.00045),
        (CLAUDE, TokenBound(1_000, 100), 0.0025),  # all of it written for an hour
        (GEMINI, TokenBound(200_000, 1_000), 0.26),
        (GEMINI, TokenBound(200_001, 1_000), 0.5150025),  # the dearer prices may apply
    ],
)
def test_the_most_worked_out_by_hand(
    priced: PricedModel, bound: TokenBound, by_hand: float
) -> None:
    assert most_usd(priced, bound) == pytest.approx(by_hand, abs=1e-12)


MODELS = [
    GPT,
    CLAUDE,
    GEMINI,
    PricedModel("openai", "gpt-5.6-sol"),
    PricedModel("anthropic", "claude-sonnet-4-5"),
    PricedModel("gemini", "gemini-2.5-flash"),
    PricedModel("x-ai", "grok-4-1-fast"),
    PricedModel("deepseek", "deepseek-chat"),
]


@given(
    priced=st.sampled_from(MODELS),
    bound=st.builds(TokenBound, st.integers(0, 10**6), st.integers(0, 10**5)),
    data=st.data(),
)
def test_no_call_within_its_bound_costs_more(
    priced: PricedModel, bound: TokenBound, data: st.DataObject
) -> None:
    given = data.draw(st.integers(0, bound.input_tokens))
    cached = data.draw(st.integers(0, given))
    written = data.draw(st.integers(0, given - cached))
    hour = data.draw(st.integers(0, written))
    made = data.draw(st.integers(0, bound.output_tokens or 0))
    cost = cost_usd(priced, _usage(given, made, cached, written, hour)) or 0.0
    most = most_usd(priced, bound)
    assert most is not None, "every model above has a price"
    assert cost <= most + 1e-15


def test_a_price_that_rises_within_the_hour_is_in_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DeepSeek's once rose at 00:30 UTC: a call admitted before may be billed after."""
    priced = PricedModel("deepseek", "deepseek-chat")
    half_hour = 1_800
    night = next(
        at
        for at in range(1_744_000_000 // half_hour * half_hour, 1_744_100_000, half_hour)
        if _price_at(monkeypatch, priced, at) < _price_at(monkeypatch, priced, at + half_hour)
    )
    after = _price_at(monkeypatch, priced, night + half_hour)
    monkeypatch.setattr(price_list.time, "time", lambda: float(night))
    most = most_usd(priced, TokenBound(1_000, 0))
    assert most is not None
    assert most >= after


def _price_at(monkeypatch: pytest.MonkeyPatch, priced: PricedModel, at: int) -> float:
    monkeypatch.setattr(price_list.time, "time", lambda: float(at))
    cost = cost_usd(priced, _usage(1_000, 0))
    assert cost is not None
    return cost
