"""What is known of OpenAI's models."""

from __future__ import annotations

from typing import get_args

import pytest
from openai.types import ChatModel, EmbeddingModel

from batch_llm.testing.simulator.openai.catalogue import LISTED, facts_of, is_openai_model


def test_every_model_that_the_sdk_names_is_one() -> None:
    named = [*get_args(ChatModel), *get_args(EmbeddingModel)]
    assert [name for name in named if not is_openai_model(name)] == []
    assert set(LISTED) <= set(named)


@pytest.mark.parametrize(
    "name", ["", "claude-5", "gemini-3-pro", "gpt", "gpt-", "o", "llama", "a gpt-5"]
)
def test_other_names_are_none(name: str) -> None:
    assert not is_openai_model(name)


@pytest.mark.parametrize(
    ("name", "effort", "reasons"),
    [
        ("gpt-4o", None, False),
        ("gpt-5", None, True),
        ("gpt-5-chat-latest", None, False),
        ("gpt-5.1", None, False),
        ("gpt-5.1", "none", False),
        ("gpt-5.1", "low", True),
        ("gpt-5.6-sol", None, True),
        ("gpt-5.6-sol", "none", False),
        ("gpt-6-astra", None, True),
        ("o3-mini", None, True),
        ("llama", None, False),
        ("ft:gpt-5-mini:me::1", None, True),
    ],
)
def test_which_models_reason(name: str, effort: str | None, reasons: bool) -> None:
    assert facts_of(name).reasons(effort) is reasons


@pytest.mark.parametrize(
    ("name", "context", "output"),
    [
        ("gpt-4", 8_192, 8_192),
        ("gpt-4-turbo-2024-04-09", 128_000, 4_096),
        ("gpt-4.1-mini", 1_047_576, 32_768),
        ("o1-mini", 128_000, 65_536),
        ("o4-mini", 200_000, 100_000),
        ("gpt-5-mini", 400_000, 128_000),
        ("gpt-5.4", 1_050_000, 128_000),
        ("ft:gpt-4o-mini:me::1", 128_000, 16_384),
    ],
)
def test_how_many_tokens_models_take(name: str, context: int, output: int) -> None:
    facts = facts_of(name)
    assert (facts.context_tokens, facts.output_tokens) == (context, output)


def test_an_alias_is_answered_by_a_dated_model() -> None:
    assert facts_of("gpt-4o").snapshot == "gpt-4o-2024-08-06"
    assert facts_of("gpt-4o-2024-05-13").snapshot == "gpt-4o-2024-05-13"
    assert facts_of("text-embedding-3-large").dimensions == 3_072
    assert facts_of("gpt-4o").dimensions is None
