"""Stand-ins for what a user brings to a processor."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

from batch_llm import (
    BaseMiddleware,
    LLMCallStrategy,
    LLMWorkItem,
    ProcessingEvent,
    ProcessorObserver,
    RateLimitedError,
    RetryConfig,
    RetryState,
    TokenUsage,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

NO_WAIT = RetryConfig(initial_wait=0.0, jitter=False)
"""Retries at once."""


class Model(LLMCallStrategy[Any]):
    """Answers every prompt, and remembers all that was asked of it.

    Args:
        answer: a value; an exception, which is raised; a list of these, one a call, the last for
            ever; or a function of prompt and attempt (sync or async) that gives one. By default
            the answer is the prompt.
        seconds: how long each call takes.
        usage: tokens of each call.
    """

    def __init__(
        self, answer: Any = None, *, seconds: float = 0.0, usage: TokenUsage | None = None
    ) -> None:
        self.answer = answer
        self.seconds = seconds
        self.usage: Any = {} if usage is None else usage
        self.starts: list[float] = []
        self.prompts: list[str] = []
        self.attempts: list[int] = []
        self.states: list[RetryState | None] = []
        self.heard: list[tuple[str, int, RetryState | None]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.preparations = 0
        self.cleanups = 0
        self.closings = 0

    async def prepare(self) -> None:
        self.preparations += 1

    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[Any, TokenUsage]:
        call = len(self.starts)
        self.starts.append(now())
        self.prompts.append(prompt)
        self.attempts.append(attempt)
        self.states.append(state)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.seconds:
                await asyncio.sleep(self.seconds)
            output = await self._output(prompt, attempt, call)
        finally:
            self.in_flight -= 1
        if isinstance(output, BaseException):
            raise output
        return output, self.usage

    async def on_error(
        self, exception: Exception, attempt: int, state: RetryState | None = None
    ) -> None:
        self.heard.append((type(exception).__name__, attempt, state))

    async def cleanup(self) -> None:
        self.cleanups += 1

    async def aclose(self) -> None:
        self.closings += 1

    @property
    def calls(self) -> int:
        return len(self.starts)

    async def _output(self, prompt: str, attempt: int, call: int) -> Any:
        answer = self.answer
        if callable(answer) and not isinstance(answer, type):
            answer = answer(prompt, attempt)
            return await answer if inspect.isawaitable(answer) else answer
        if isinstance(answer, list):
            return answer[min(call, len(answer) - 1)]
        return prompt if answer is None else answer


class Ear(ProcessorObserver):
    """Remembers every event, with its time."""

    def __init__(self) -> None:
        self.events: list[tuple[ProcessingEvent, dict[str, Any], float]] = []

    def on_event(self, event: ProcessingEvent, data: Mapping[str, Any]) -> None:
        self.events.append((event, dict(data), now()))

    def heard(self, event: ProcessingEvent) -> list[dict[str, Any]]:
        return [data for kind, data, _ in self.events if kind is event]

    def times(self, event: ProcessingEvent) -> list[float]:
        return [time for kind, _, time in self.events if kind is event]


class Step(BaseMiddleware[Any, Any, Any]):
    """A middleware made of functions, sync or async.

    Args:
        before: of the item; what it returns goes on.
        after: of the result; what it returns goes on.
        error: of item and exception; what it returns stands for the failure.
    """

    def __init__(
        self,
        *,
        before: Callable[[Any], Any] | None = None,
        after: Callable[[Any], Any] | None = None,
        error: Callable[[Any, Exception], Any] | None = None,
    ) -> None:
        self._before, self._after, self._error = before, after, error

    async def before_process(self, work_item: Any) -> Any:
        return work_item if self._before is None else await settle(self._before(work_item))

    async def after_process(self, result: Any) -> Any:
        return result if self._after is None else await settle(self._after(result))

    async def on_error(self, work_item: Any, exception: Exception) -> Any:
        return None if self._error is None else await settle(self._error(work_item, exception))


async def settle(value: Any) -> Any:
    """Return `value`, awaited if that is what it is for."""
    return await value if inspect.isawaitable(value) else value


def now() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


def item(name: str, strategy: LLMCallStrategy[Any], context: Any = None) -> LLMWorkItem:
    """Return an item whose prompt is its name."""
    return LLMWorkItem(name, strategy, name, context)


def items(count: int, strategy: LLMCallStrategy[Any]) -> list[LLMWorkItem]:
    """Return items named "0", "1", …"""
    return [item(str(number), strategy) for number in range(count)]


def names(results: Iterable[Any]) -> list[str]:
    """Return the ids of results, in their order."""
    return [result.item_id for result in results]


def limited(retry_after: float | None = None, **more: Any) -> RateLimitedError:
    """Return a 429."""
    return RateLimitedError("slow down", status_code=429, retry_after=retry_after, **more)
