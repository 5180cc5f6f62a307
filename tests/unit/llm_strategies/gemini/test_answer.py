"""Answers of stand-ins, such as those of users' tests; the SDK's own are in test_gemini.py."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import AsyncMock, MagicMock

import pytest

from batch_llm.exceptions import ConfigurationError, MalformedAnswerError
from batch_llm.llm_strategies.gemini.answer import (
    check_answer,
    finish_reason_of,
    safety_ratings_of,
    usage_of,
)
from batch_llm.llm_strategies.gemini.response import GeminiResponse
from batch_llm.llm_strategies.gemini.strategy import GeminiStrategy

NOTHING = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


def test_a_stand_in_needs_only_what_it_is_about() -> None:
    response = SimpleNamespace(text="Eight.")
    check_answer(response, wants_json=True)
    assert usage_of(response) == NOTHING
    assert finish_reason_of(response) is None
    assert safety_ratings_of(response) is None


async def test_a_mocked_client() -> None:
    client = MagicMock()
    client.aio.models.generate_content = AsyncMock()
    response = client.aio.models.generate_content.return_value
    response.text = "Eight."
    response.usage_metadata.prompt_token_count = 10
    strategy = GeminiStrategy("gemini-2.5-flash", client, lambda r: r.text)
    output, usage = await strategy.execute("How many legs?", 1, 10.0)
    assert output == "Eight."
    assert usage == {"input_tokens": 10, "output_tokens": 0, "total_tokens": 10}


def test_results_of_tools_are_input_and_a_missing_total_is_the_sum() -> None:
    counts = SimpleNamespace(
        prompt_token_count=10,
        tool_use_prompt_token_count=5,
        candidates_token_count=2,
        thoughts_token_count=1,
        total_token_count=None,
    )
    assert usage_of(SimpleNamespace(usage_metadata=counts)) == {
        "input_tokens": 15,
        "output_tokens": 3,
        "total_tokens": 18,
        "reasoning_tokens": 1,
    }


def test_the_ratings_of_a_blocked_prompt() -> None:
    rating = SimpleNamespace(category="HARM_CATEGORY_HATE_SPEECH", probability="HIGH")
    response = SimpleNamespace(prompt_feedback=SimpleNamespace(safety_ratings=[rating]))
    assert safety_ratings_of(response) == {"HARM_CATEGORY_HATE_SPEECH": "HIGH"}


def test_an_empty_answer_is_none() -> None:
    with pytest.raises(MalformedAnswerError, match="empty"):
        check_answer(SimpleNamespace(text=None, candidates=[]), wants_json=False)


async def test_without_a_client_only_a_call_fails() -> None:
    strategy = GeminiStrategy("gemini-2.5-flash", None)
    await strategy.prepare()
    with pytest.raises(ConfigurationError, match="client=None"):
        await strategy.execute("How many legs?", 1, 10.0)
    await strategy.aclose()


async def test_a_dry_run_makes_no_call_and_has_the_shape_of_one() -> None:
    output, _ = await GeminiStrategy("m", None).dry_run("How many legs?")
    assert isinstance(output, str)
    wrapped, usage = await GeminiStrategy("m", None, include_metadata=True).dry_run("How many?")
    assert isinstance(wrapped, GeminiResponse)
    assert wrapped.raw_response is None
    assert wrapped.token_usage == usage


def test_a_quota_is_that_of_a_model_and_a_client() -> None:
    one, two = MagicMock(), MagicMock()
    assert GeminiStrategy("m", one).quota_scope == GeminiStrategy("models/m", one).quota_scope
    others = {
        GeminiStrategy(model, client).quota_scope for model in ("m", "n") for client in (one, two)
    }
    assert len(others) == 4
