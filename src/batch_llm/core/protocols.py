"""Shapes of agents and their results, for libraries that are not imported."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

TResult_co = TypeVar("TResult_co", covariant=True)


@runtime_checkable
class UsageLike(Protocol):
    """Tokens of an agent's run.

    Libraries name the counts differently: `request_tokens` and `response_tokens`, or
    `input_tokens` and `output_tokens`. Either pair is read.
    """

    @property
    def total_tokens(self) -> int | None:
        """Input plus output tokens."""


@runtime_checkable
class ResultLike(Protocol[TResult_co]):
    """The result of an agent's run; its `usage` is an attribute or a method."""

    @property
    def output(self) -> TResult_co:
        """What the agent answered."""
        ...

    @property
    def usage(self) -> Any:
        """A `UsageLike`, or a method that returns one."""


@runtime_checkable
class AgentLike(Protocol[TResult_co]):
    """Anything that answers a prompt with `await agent.run(prompt)`."""

    async def run(self, user_prompt: Any, /) -> ResultLike[TResult_co]:
        """Answer one prompt."""
        ...
