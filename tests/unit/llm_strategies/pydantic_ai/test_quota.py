"""Limits that the headers of a model's replies tell."""

from __future__ import annotations

import json

import pytest
from pydantic_ai import Agent

from batch_llm import PydanticAIModelStrategy, PydanticAIStrategy
from batch_llm.llm_strategies.pydantic_ai.opening import ModelByName
from batch_llm.strategies import Allowance, QuotaReading, listening

from ....loopback import Answer, loopback

HEADERS = {
    "content-type": "application/json",
    "x-ratelimit-limit-tokens": "1000",
    "x-ratelimit-remaining-tokens": "900",
    "x-ratelimit-reset-tokens": "6s",
}
BODY = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Oslo"}}
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}


@pytest.mark.parametrize("kind", ["model", "agent"])
async def test_they_are_reported_for_the_strategys_scope(kind: str) -> None:
    heard: list[tuple[str | None, QuotaReading]] = []
    answer = Answer(200, HEADERS, json.dumps(BODY).encode())
    async with loopback(answer) as server:
        model = ModelByName("openai-chat:m", "key-of-the-test", server.url + "/v1").open()
        strategy: PydanticAIModelStrategy[str] | PydanticAIStrategy[str] = (
            PydanticAIModelStrategy(model) if kind == "model" else PydanticAIStrategy(Agent(model))
        )
        with listening(lambda scope, reading: heard.append((scope, reading))):
            async with model:
                await strategy.execute("Where?", 1, 30.0)
        await strategy.aclose()
    assert heard == [(strategy.quota_scope, QuotaReading(tokens=Allowance(1_000, 900, 6.0)))]
    assert strategy.quota_scope is not None
