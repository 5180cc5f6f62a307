"""The rules of Anthropic that differ from model to model."""

from __future__ import annotations

from typing import get_args

import anthropic.types
import pytest

from batch_llm.testing.simulator.anthropic.catalogue import Model, model_named


def _model(name: str) -> Model:
    model = model_named(name, ())
    assert model is not None
    return model


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("claude-opus-5", 512),
        ("claude-fable-5-2", 512),
        ("claude-sonnet-5", 1_024),
        ("claude-opus-4-8", 1_024),
        ("claude-opus-4-7", 2_048),
        ("claude-opus-4-6", 4_096),
        ("claude-opus-4-5-20251101", 4_096),
        ("claude-sonnet-4-6", 1_024),
        ("claude-haiku-4-5", 4_096),
        ("claude-sonnet-4-20250514", 1_024),
        ("claude-3-5-haiku-20241022", 2_048),
        ("claude-3-7-sonnet-latest", 1_024),
    ],
)
def test_the_shortest_prefix_that_is_cached(name: str, least: int) -> None:
    assert _model(name).least_cached_tokens == least


@pytest.mark.parametrize(
    ("name", "sampling", "prefill", "budget", "adaptive", "most"),
    [
        ("claude-sonnet-5", False, False, False, True, 128_000),
        ("claude-opus-4-7", False, False, False, True, 128_000),
        ("claude-opus-4-6", True, False, True, True, 128_000),
        ("claude-haiku-4-5", True, True, True, False, 64_000),
        ("claude-opus-4-1-20250805", True, True, True, False, 32_000),
        ("claude-3-5-sonnet-20241022", True, True, True, False, 8_192),
        ("claude-without-version", True, True, True, True, 128_000),
    ],
)
def test_what_a_model_takes(
    name: str, sampling: bool, prefill: bool, budget: bool, adaptive: bool, most: int
) -> None:
    model = _model(name)
    assert model.takes_sampling is sampling
    assert model.takes_prefill is prefill
    assert model.takes_thinking_budget is budget
    assert model.takes_adaptive_thinking is adaptive
    assert model.output_tokens == most


def test_every_model_that_the_sdk_names_is_known() -> None:
    names = [name for arg in get_args(anthropic.types.Model) for name in get_args(arg)]
    assert len(names) > 10
    for name in names:
        assert _model(name).version is not None or name == "claude-mythos-preview"


def test_other_names_are_known_where_they_are_set() -> None:
    assert model_named("my-model", ()) is None
    assert model_named("my-model", ("my-model",)) == Model("my-model")
    assert model_named("gpt-5", ("my-model",)) is None
