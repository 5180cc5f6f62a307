"""What tokens cost, checked against the price list's own sums."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from genai_prices import Usage, calc_price, data_snapshot

from batch_llm.base import PricedModel
from batch_llm.pricing import lacks_batch_price, price, price_list


@dataclass
class Billed:
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    hour_cache_write_tokens: int = 0


SIZES = [
    Billed(0, 5),
    Billed(1_000, 100),
    Billed(200_000, 10, 100_000, 3),
    Billed(200_001, 10, 1_000, 30),
    Billed(300_000, 10, 1_000, 0),
]


def _listed(provider: str, model: str, usage: Billed, lane: Literal["live", "batch"]) -> float:
    total = calc_price(
        Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cached_input_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            cache_write_1h_tokens=usage.hour_cache_write_tokens or None,
        ),
        model,
        provider_id=provider,
        price_context={"processing": "batch"} if lane == "batch" else None,
    ).total_price
    return float(total)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
@pytest.mark.parametrize("lane", ["live", "batch"])
def test_every_model_of_the_list_costs_what_the_list_says(
    provider: str, lane: Literal["live", "batch"]
) -> None:
    listed_as = "google" if provider == "gemini" else provider
    models = next(p.models for p in data_snapshot.get_snapshot().providers if p.id == listed_as)
    priced = [model.id for model in models if price(provider, model.id, SIZES[0]) is not None]
    assert len(priced) > 20
    for model in priced:
        for usage in SIZES:
            expected = _listed(listed_as, model, usage, lane)
            assert price(provider, model, usage, lane=lane) == pytest.approx(expected), model


@pytest.mark.parametrize(
    ("provider", "model", "usage", "live", "batch"),
    [
        ("openai", "gpt-5", Billed(1_000, 100), 0.00225, 0.001125),
        ("openai", "gpt-5-2025-08-07", Billed(1_000, 100, 800), 0.00135, 0.000675),
        ("openai", "text-embedding-3-small", Billed(1_000), 0.00002, 0.00002),
        ("anthropic", "claude-haiku-4-5", Billed(1_000, 100, 500, 400), 0.00115, 0.000575),
        ("anthropic", "claude-haiku-4-5", Billed(1_000, 0, 0, 500, 400), 0.001425, 0.0007125),
        ("anthropic", "claude-haiku-4-5-20251001", Billed(1_000, 100), 0.0015, 0.00075),
        ("gemini", "gemini-2.5-flash", Billed(1_000, 100, 500), 0.000415, 0.000215),
        ("gemini", "models/gemini-2.5-flash", Billed(1_000, 100, 500), 0.000415, 0.000215),
        ("gemini", "gemini-2.5-pro", Billed(200_000, 0), 0.25, 0.125),
        ("gemini", "gemini-2.5-pro", Billed(200_001, 0), 0.5000025, 0.25000125),
        ("openai", "gpt-5", Billed(), 0.0, 0.0),
    ],
)
def test_prices_worked_out_by_hand(
    provider: str, model: str, usage: Billed, live: float, batch: float
) -> None:
    assert price(provider, model, usage) == pytest.approx(live)
    assert price(provider, model, usage, lane="batch") == pytest.approx(batch)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-none"),
        ("none", "gpt-5"),
        ("gemini", "gpt-5"),
        ("openai", ""),
        ("openai", "whisper-1"),
    ],
)
def test_an_unknown_price_is_none_and_never_nothing(provider: str, model: str) -> None:
    assert price(provider, model, Billed(1_000, 100)) is None


def test_the_list_is_asked_once_for_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    price_list._tiers.cache_clear()
    asked: list[Any] = []
    listed = price_list._listed

    def ask(*words: Any) -> Any:
        asked.append(words)
        return listed(*words)

    monkeypatch.setattr(price_list, "_listed", ask)
    monkeypatch.setattr("batch_llm.pricing.price_list.time.time", lambda: 1_763_800_000.0)
    for _ in range(100):
        price("openai", "gpt-5", Billed(1, 1))
        price("openai", "gpt-none", Billed(1, 1))
    assert [words[1] for words in asked] == ["gpt-5", "gpt-none"]
    monkeypatch.setattr("batch_llm.pricing.price_list.time.time", lambda: 1_763_801_800.0)
    price("openai", "gpt-5", Billed(1, 1))
    assert len(asked) == 3, "half an hour later it may have changed"
    assert asked[2][3] > asked[0][3]
    price_list._tiers.cache_clear()


def test_importing_the_package_does_not_load_the_list() -> None:
    code = "import sys, batch_llm, batch_llm.pricing; print('genai_prices' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("provider", "model", "lacks"),
    [
        ("openai", "gpt-4o-mini", False),
        ("anthropic", "claude-sonnet-4-5", False),
        ("gemini", "models/gemini-2.5-flash", False),
        ("openai", "text-embedding-3-small", True),
        ("gemini", "gemini-embedding-001", True),
        ("anthropic", "claude-opus-4-1", True),
        ("openai", "gpt-none", False),
        ("local", "any", False),
    ],
)
def test_without_a_listed_price_batches_count_at_the_live_one(
    provider: str, model: str, lacks: bool
) -> None:
    assert lacks_batch_price(PricedModel(provider, model)) == lacks
    usage = Billed(1_000, 100)
    live, batch = price(provider, model, usage), price(provider, model, usage, lane="batch")
    assert (live is not None and live == batch) == lacks
