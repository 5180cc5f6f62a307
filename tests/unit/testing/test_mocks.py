"""Mock agents: what they answer, and how they fail when told to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.core import AgentLike, ResultLike, UsageLike
from batch_llm.exceptions import ConfigurationError, RateLimitedError, ServerError
from batch_llm.llm_strategies.pydantic_ai.strategy import PydanticAIStrategy
from batch_llm.strategies import DefaultErrorClassifier
from batch_llm.testing import (
    MockAgent,
    MockResult,
    MockUsage,
    VirtualTimeLoop,
    mock_strategy,
    run_in_virtual_time,
)

if TYPE_CHECKING:
    from collections.abc import Collection


async def outcomes(agent: MockAgent[Any], calls: int) -> list[str]:
    """Return for each call the output or what the classifier takes its failure for."""
    seen = []
    for call in range(1, calls + 1):
        try:
            seen.append((await agent.run(f"p{call}")).output)
        except Exception as error:
            seen.append(DefaultErrorClassifier().classify(error).error_category)
    return seen


async def test_answers_a_strategy_as_users_write_it() -> None:
    agent = MockAgent(response_factory=str.upper, latency=0)
    strategy = PydanticAIStrategy(agent=agent)
    assert await strategy.execute("oslo", 1, 10.0) == (
        "OSLO",
        {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150},
    )
    assert (agent.call_count, agent.prompts) == (1, ["oslo"])


async def test_echoes_where_it_has_no_factory() -> None:
    output, _ = await mock_strategy(MockAgent(latency=0)).execute("x" * 60, 1, 10.0)
    assert output == {"response": f"Mock response to: {'x' * 50}"}


async def test_takes_an_async_factory_and_whatever_else_run_takes() -> None:
    async def answer(prompt: str) -> int:
        return len(prompt)

    result = await MockAgent(answer, latency=0).run("four", deps=1)
    assert result.output == 4
    assert result.all_messages() == []


@pytest.mark.parametrize(("calls", "refused"), [(2, {2}), ([1, 3], {1, 3}), (range(2, 4), {2, 3})])
async def test_is_refused_on_the_calls_named(
    calls: int | Collection[int], refused: set[int]
) -> None:
    agent = MockAgent(lambda _: "ok", latency=0, rate_limit_on_call=calls)
    expected = ["rate_limit" if call in refused else "ok" for call in range(1, 5)]
    assert await outcomes(agent, 4) == expected


async def test_times_out_on_the_calls_named() -> None:
    agent = MockAgent(lambda _: "ok", latency=0, timeout_on_call=1, rate_limit_on_call={3})
    assert await outcomes(agent, 4) == ["timeout", "ok", "rate_limit", "ok"]


async def test_calls_are_numbered_in_the_order_in_which_they_start() -> None:
    agent = MockAgent(lambda prompt: prompt, latency=0, rate_limit_on_call=2)
    runs = [agent.run(prompt) for prompt in "abc"]
    first, second, third = await asyncio.gather(*runs, return_exceptions=True)
    assert isinstance(first, MockResult)
    assert isinstance(second, RateLimitedError)
    assert second.status_code == 429
    assert isinstance(third, MockResult)


async def test_fails_by_chance_and_the_same_way_for_a_seed() -> None:
    def agent(seed: int) -> MockAgent[str]:
        return MockAgent(lambda _: "ok", latency=0, failure_rate=0.5, seed=seed)

    first = await outcomes(agent(7), 200)
    assert first == await outcomes(agent(7), 200)
    assert first != await outcomes(agent(8), 200)
    assert 60 < first.count("server_error") < 140
    with pytest.raises(ServerError):
        await MockAgent(failure_rate=1, latency=0).run("x")


@pytest.mark.parametrize(
    ("tokens", "usage"),
    [
        (None, (100, 50, 150)),
        (150, (100, 50, 150)),
        (10, (7, 3, 10)),
        (0, (0, 0, 0)),
        ((8, 2), (8, 2, 10)),
        (MockUsage(3, 4), (3, 4, 7)),
    ],
)
async def test_uses_the_tokens_it_was_told(tokens: Any, usage: tuple[int, int, int]) -> None:
    agent = MockAgent[str](lambda _: "ok", latency=0, tokens_per_call=tokens)
    used = (await agent.run("x")).usage()
    assert (used.request_tokens, used.response_tokens, used.total_tokens) == usage
    assert (used.input_tokens, used.output_tokens) == usage[:2]


@pytest.mark.parametrize("settings", [{"failure_rate": 1.5}, {"latency": -1}])
def test_refuses_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        MockAgent(**settings)


def test_has_the_shape_of_an_agent() -> None:
    assert isinstance(MockAgent[str](), AgentLike)
    assert isinstance(MockResult("x"), ResultLike)
    assert isinstance(MockUsage(), UsageLike)
    assert repr(MockUsage(3, 4)) == "MockUsage(3, 4)"


def test_takes_its_latency_of_virtual_time() -> None:
    async def main() -> float:
        await mock_strategy().execute("x", 1, 10.0)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        return loop.time()

    assert run_in_virtual_time(main) == pytest.approx(0.1)
