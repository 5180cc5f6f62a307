"""An agent that answers without a model: for tests of code that uses one."""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Generic, cast

from typing_extensions import TypeVar

from ..exceptions import ConfigurationError, RateLimitedError, ServerError
from ..llm_strategies.pydantic_ai.strategy import PydanticAIStrategy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

TOutput = TypeVar("TOutput", default=Any)


class MockUsage:
    """Token counts, under the older names and under today's.

    Args:
        request_tokens: input tokens of one call.
        response_tokens: output tokens of one call.
    """

    def __init__(self, request_tokens: int = 100, response_tokens: int = 50) -> None:
        self.request_tokens = request_tokens
        self.response_tokens = response_tokens

    @property
    def input_tokens(self) -> int:
        """Another name for `request_tokens`."""
        return self.request_tokens

    @property
    def output_tokens(self) -> int:
        """Another name for `response_tokens`."""
        return self.response_tokens

    @property
    def total_tokens(self) -> int:
        """Input plus output tokens."""
        return self.request_tokens + self.response_tokens

    def __repr__(self) -> str:
        return f"MockUsage({self.request_tokens}, {self.response_tokens})"


class MockResult(Generic[TOutput]):
    """The result of a mock agent's run.

    Args:
        output: what the agent answered.
        usage_info: what it used; by default `MockUsage()`.
    """

    def __init__(self, output: TOutput, usage_info: MockUsage | None = None) -> None:
        self.output = output
        self._usage = usage_info or MockUsage()

    def usage(self) -> MockUsage:
        """Return the tokens used."""
        return self._usage

    def all_messages(self) -> list[Any]:
        """Return the messages of the run: none, there was no model."""
        return []


class MockAgent(Generic[TOutput]):
    """Has the shape of a pydantic-ai agent, and fails when told to.

        agent = MockAgent(lambda prompt: prompt.upper(), latency=0.01, rate_limit_on_call=3)
        strategy = PydanticAIStrategy(agent=agent)

    Args:
        response_factory: makes the output for a prompt; sync or async. By default the output is
            `{"response": "Mock response to: <the prompt's start>"}`.
        latency: seconds each call takes.
        failure_rate: share of calls, 0 to 1, that fail with a `ServerError`.
        rate_limit_on_call: number of the call (1 for the first), or numbers of all calls, that
            fail with a `RateLimitedError`.
        timeout_on_call: likewise, with a `TimeoutError`.
        tokens_per_call: what each call uses: input and output tokens, or their total, of which a
            third is output. By default 100 and 50.
        seed: makes the random failures the same in every run.

    Attributes:
        call_count: calls made so far, failed ones included.
        prompts: the prompt of each, in order.

    Raises:
        ConfigurationError: for a share that is none, or a negative latency.
    """

    def __init__(
        self,
        response_factory: Callable[[str], TOutput | Awaitable[TOutput]] | None = None,
        latency: float = 0.1,
        failure_rate: float = 0.0,
        rate_limit_on_call: int | Collection[int] | None = None,
        timeout_on_call: int | Collection[int] | None = None,
        tokens_per_call: MockUsage | tuple[int, int] | int | None = None,
        *,
        seed: int | None = None,
    ) -> None:
        if not 0 <= failure_rate <= 1:
            raise ConfigurationError(f"failure_rate is 0 to 1, not {failure_rate!r}.")
        if latency < 0:
            raise ConfigurationError(f"latency is 0 or more seconds, not {latency!r}.")
        self.response_factory = response_factory
        self.latency = latency
        self.failure_rate = failure_rate
        self.rate_limit_on_call = rate_limit_on_call
        self.timeout_on_call = timeout_on_call
        self.tokens_per_call = _usage_per_call(tokens_per_call)
        self.call_count = 0
        self.prompts: list[str] = []
        self._random = random.Random(seed)  # noqa: S311 - not a secret

    async def run(self, user_prompt: str, /, **kwargs: Any) -> MockResult[TOutput]:
        """Answer one prompt, or fail.

        Args:
            user_prompt: what to answer.
            **kwargs: what else an agent's `run` takes; it changes nothing.

        Raises:
            RateLimitedError: on a call that was told to be refused.
            TimeoutError: on a call that was told to take too long.
            ServerError: on a call that failed by chance.
        """
        self.call_count += 1
        call = self.call_count
        self.prompts.append(user_prompt)
        await asyncio.sleep(self.latency)
        if _is_named(call, self.rate_limit_on_call):
            raise RateLimitedError(f"429 too many requests (mock call {call})", status_code=429)
        if _is_named(call, self.timeout_on_call):
            raise TimeoutError(f"mock call {call} timed out")
        if self.failure_rate and self._random.random() < self.failure_rate:
            raise ServerError(f"500 mock call {call} failed", status_code=500)
        return MockResult(await self._output_for(user_prompt), self.tokens_per_call)

    async def _output_for(self, prompt: str) -> TOutput:
        if self.response_factory is None:
            return cast("TOutput", {"response": f"Mock response to: {prompt[:50]}"})
        output = self.response_factory(prompt)
        if inspect.isawaitable(output):
            return cast("TOutput", await output)
        return output


def mock_strategy(
    agent: MockAgent[TOutput] | None = None, *, fingerprint: str = "mock"
) -> PydanticAIStrategy[TOutput]:
    """Return a strategy that runs a mock agent, by default `MockAgent()`.

    Args:
        agent: the agent.
        fingerprint: what a ledger and a cache know it by; all mocks are one to them unless told
            apart here.
    """
    return PydanticAIStrategy(agent=agent or MockAgent[TOutput](), fingerprint=fingerprint)


def _is_named(call: int, calls: int | Collection[int] | None) -> bool:
    if calls is None:
        return False
    return call in calls if isinstance(calls, Collection) else call == calls


def _usage_per_call(tokens: MockUsage | tuple[int, int] | int | None) -> MockUsage:
    if tokens is None:
        return MockUsage()
    if isinstance(tokens, MockUsage):
        return tokens
    if isinstance(tokens, int):
        output_tokens = tokens // 3
        return MockUsage(tokens - output_tokens, output_tokens)
    return MockUsage(*tokens)
