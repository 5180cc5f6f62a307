"""The seam between an item and a model."""

from __future__ import annotations

from typing import Any

import pytest

from batch_llm import LLMCallStrategy, LLMRequest, RequestStrategy


class Least(LLMCallStrategy[str]):
    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        return prompt, {}


def test_only_execute_must_be_written() -> None:
    assert LLMCallStrategy.__abstractmethods__ == {"execute"}
    with pytest.raises(TypeError):
        LLMCallStrategy()  # type: ignore[abstract]
    Least()


async def test_all_else_does_nothing() -> None:
    strategy = Least()
    assert await strategy.prepare() is None  # type: ignore[func-returns-value]
    assert await strategy.cleanup() is None  # type: ignore[func-returns-value]
    assert await strategy.aclose() is None  # type: ignore[func-returns-value]
    assert await strategy.on_error(ValueError(), 1) is None  # type: ignore[func-returns-value]
    assert strategy.quota_scope is None


@pytest.mark.parametrize(("length", "tokens"), [(0, 1), (3, 1), (4, 1), (400, 100)])
async def test_a_dry_run_estimates_four_characters_a_token(length: int, tokens: int) -> None:
    output, usage = await Least().dry_run("x" * length)
    assert str(length) in output
    assert usage == {"input_tokens": tokens, "output_tokens": 0, "total_tokens": tokens}


async def test_a_dry_run_takes_a_request_too() -> None:
    class Takes(RequestStrategy[str]):
        async def execute(
            self, prompt: Any, attempt: int, timeout: float, state: Any = None
        ) -> Any:
            return "", {}

    output, usage = await Takes().dry_run(LLMRequest("x" * 40))
    assert usage["input_tokens"] == 10
    assert "x" * 10 not in output
