"""A cap in USD under 200 racing workers: it holds by the provider's own books."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm import (
    AnthropicStrategy,
    LLMRequest,
    LLMWorkItem,
    OpenAICompatibleStrategy,
    ParallelBatchProcessor,
    ProcessorConfig,
    RateLimitConfig,
    RetryConfig,
)
from batch_llm.testing.simulator import Answer, Fault, Latency, Simulator

if TYPE_CHECKING:
    from pathlib import Path

    from batch_llm.testing.simulator import ModelCall

FAULTS = [
    Fault(kind="status", status=503, rate=0.05),
    Fault(kind="status", status=429, rate=0.05),
    Fault(kind="dropped", rate=0.05),
    Fault(kind="reset_in_body", rate=0.03),
    Fault(kind="hang", seconds=2, rate=0.02),
    Fault(kind="invalid_json", rate=0.03),
    Fault(kind="error_in_200", rate=0.03),
    Fault(kind="refusal", rate=0.03),
    Fault(kind="empty", rate=0.03),
    Fault(kind="length", rate=0.03),
]


def of_any_length(call: ModelCall) -> Answer:
    """Answer with up to what may be answered, the same for the same prompt."""
    chance = random.Random(call.messages[-1][1])
    return Answer("word " * chance.randrange(1, 60))


def requests(count: int) -> list[LLMRequest]:
    chance = random.Random(1)
    return [
        LLMRequest(
            f"Prompt {number}. " + "é" * chance.randrange(400),
            max_output_tokens=chance.choice((5, 50, 300)),
        )
        for number in range(count)
    ]


def strategy_on(simulator: Simulator, provider: str) -> Any:
    if provider == "openai":
        return OpenAICompatibleStrategy(
            "gpt-4.1-mini",
            base_url=simulator.openai_base_url,
            api_key="any",
            priced_as="openai:gpt-4.1-mini",
        )
    return AnthropicStrategy(
        "claude-haiku-4-5",
        base_url=simulator.anthropic_base_url,
        api_key="any",
        priced_as="anthropic:claude-haiku-4-5",
        system="Be brief. " * 600,
        system_cache_ttl="5m",
    )


@pytest.mark.parametrize("share", [0.1, 0.5, 20.0], ids=["tight", "half", "ample"])
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_two_hundred_workers_never_pass_the_cap(
    provider: str, share: float, tmp_path: Path
) -> None:
    cap_usd = share * (0.04 if provider == "openai" else 0.35)
    config = ProcessorConfig(
        max_workers=200,
        timeout_per_item=1.0,
        retry=RetryConfig(max_attempts=4, initial_wait=0.01),
        rate_limit=RateLimitConfig(cooldown_seconds=0.05, slow_start_items=0),
    )
    with Simulator(
        answers=of_any_length,
        faults=FAULTS,
        latency=Latency(kind="lognormal", seconds=0.05),
        seed=2,
    ) as simulator:
        strategy = strategy_on(simulator, provider)
        work = [
            LLMWorkItem(f"item {number}", strategy, request)
            for number, request in enumerate(requests(600))
        ]
        async with ParallelBatchProcessor(
            config=config, max_cost_usd=cap_usd, ledger=tmp_path / "run.db"
        ) as processor:
            result = await processor.process_all(work)
        books = simulator.books.totals()
    assert result.total_items == 600
    assert books.usd is not None
    assert books.usd <= cap_usd
    known = sum(each.cost_usd or 0.0 for each in result)
    assert known <= books.usd + 1e-9
    ends = Counter(each.error_category for each in result)
    if share > 1:
        assert not ends["budget_exceeded"]
    else:
        assert ends["budget_exceeded"], ends
        assert result.succeeded, "what is left of a cap is used"
