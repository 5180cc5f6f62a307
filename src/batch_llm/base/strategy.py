"""The seam between an item and the way a model is called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, cast

from typing_extensions import TypeVar

if TYPE_CHECKING:
    from .request import Prompt
    from .retry_state import RetryState
    from .usage import TokenUsage

TOutput = TypeVar("TOutput", default=str)


class LLMCallStrategy(ABC, Generic[TOutput]):
    """One way to call a model, shared by as many items as use it.

    Create one instance and give it to every item: it is prepared once, lazily, however many
    workers race for it. Subclasses need not call `super().__init__()`.

    Lifecycle: `prepare()` once → for each item `execute()` once an attempt, `on_error()` after
    each failed one, `cleanup()` at its end → `aclose()` once, when the last processor that used
    the strategy closes. After `aclose()`, a later processor prepares it again.

    Attributes:
        quota_scope: names the quota that its calls draw on (model and key). A Retry-After stops
            the calls of one scope and no others. None: the processor's common scope.
    """

    quota_scope: str | None = None

    async def prepare(self) -> None:
        """Get ready: open connections, load a model, create a cache."""

    @abstractmethod
    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[TOutput, TokenUsage]:
        """Call the model once.

        Args:
            prompt: the item's prompt.
            attempt: 1 for the first attempt; attempts refused by a rate limit are not counted.
            timeout: seconds this attempt may take; it is cancelled after them.
            state: the item's memory, the same object in every attempt.

        Returns:
            The output, and the tokens used (missing counts are taken as 0).

        Raises:
            Exception: whatever failed; the processor's `ErrorClassifier` says what it means.
        """

    async def cleanup(self) -> None:
        """Release what one item held. Called once an item, also where `prepare()` failed."""

    async def on_error(
        self, exception: Exception, attempt: int, state: RetryState | None = None
    ) -> None:
        """Learn from a failed attempt, before it is classified. Errors raised here are logged."""

    async def aclose(self) -> None:
        """Release what the strategy holds."""

    async def dry_run(self, prompt: str) -> tuple[TOutput, TokenUsage]:
        """Return a stand-in for `execute`, without a call.

        The default output is a text that says so; override it where outputs are not strings.
        The usage is an estimate of four characters a token.
        """
        tokens = max(1, len(prompt) // 4)
        output = f"[dry run] {len(prompt)} characters of prompt"
        usage: TokenUsage = {"input_tokens": tokens, "output_tokens": 0, "total_tokens": tokens}
        return cast("TOutput", output), usage


class RequestStrategy(LLMCallStrategy[TOutput]):
    """A strategy that also takes an `LLMRequest` as prompt.

    All built-in strategies do. An item whose prompt is an `LLMRequest` is refused where its
    strategy is not one of these, since it would not know what to do with it.
    """

    @abstractmethod
    async def execute(
        self, prompt: Prompt, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[TOutput, TokenUsage]:
        """Call the model once; see `LLMCallStrategy.execute`."""

    async def dry_run(self, prompt: Prompt) -> tuple[TOutput, TokenUsage]:
        """Return a stand-in for `execute`, without a call."""
        return await super().dry_run(prompt if isinstance(prompt, str) else prompt.text)
