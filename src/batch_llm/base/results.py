"""What comes out: one result an item, and all results of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, cast

from .strategy import TOutput
from .usage import empty_usage
from .work_item import TContext

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .usage import TokenUsage

ERROR_MESSAGE_MAX_LENGTH = 200
"""Characters of an exception's message kept in `WorkItemResult.error`."""

CACHED_TOKEN_DISCOUNT = 0.9
"""Share of the input price that a cached token does not cost."""

Outcome = Literal["succeeded", "failed", "cancelled", "expired"]

Origin = Literal["call", "ledger", "cache", "twin"]
"""Where an answer came from: calls of its own, an earlier run's ledger, the answer that a ledger
keeps for an equal request, or the call that an equal item made at the same time."""


def describe_error(exception: BaseException) -> str:
    """Return "ExceptionType: message", the message cut at `ERROR_MESSAGE_MAX_LENGTH`."""
    try:
        message = str(exception)
    except Exception as error:  # a foreign __str__ may raise anything
        message = f"(its message raised {type(error).__name__})"
    return f"{type(exception).__name__}: {message[:ERROR_MESSAGE_MAX_LENGTH]}"


@dataclass(slots=True)
class WorkItemResult(Generic[TOutput, TContext]):
    """The end of one item.

    Attributes:
        item_id: the item's id.
        success: whether it has an output.
        output: what the strategy returned; None where it failed.
        error: "ExceptionType: message" where it failed.
        context: the item's context, as given.
        token_usage: tokens of all attempts, failed ones included.
        gemini_safety_ratings: where a Gemini strategy was asked for metadata.
        exception: the original exception, where there was one.
        error_category: what the failure means ("rate_limit", "validation_error", …, and
            "cancelled" where the run ended before the item did).
        attempts: calls made, those refused by a rate limit included.
        duration_seconds: from the item's start to its end, waits included.
        cost_usd: what all answered calls cost, failed ones included; None where a price is not
            known. Where `origin` is not "call", what they cost then; nothing was paid anew.
        unanswered_calls: calls whose answer never came. They may have been billed, and are not in
            `cost_usd`.
        origin: where the answer came from.
    """

    item_id: str
    success: bool
    output: TOutput | None = None
    error: str | None = None
    context: TContext = cast("TContext", None)  # noqa: RUF009 - a constant, typed for mypy
    token_usage: TokenUsage = field(default_factory=empty_usage)
    gemini_safety_ratings: Any = None
    exception: BaseException | None = field(default=None, repr=False)
    error_category: str | None = None
    attempts: int = 0
    duration_seconds: float = 0.0
    cost_usd: float | None = None
    unanswered_calls: int = 0
    origin: Origin = "call"

    @property
    def outcome(self) -> Outcome:
        """How the item ended."""
        if self.success:
            return "succeeded"
        return "cancelled" if self.error_category == "cancelled" else "failed"


@dataclass(slots=True)
class BatchResult(Generic[TOutput, TContext]):
    """All results of a run.

    Args:
        results: one for each item that went in.
    """

    results: list[WorkItemResult[TOutput, TContext]]

    @property
    def total_items(self) -> int:
        """Items that went in."""
        return len(self.results)

    @property
    def succeeded(self) -> int:
        """Items with an output."""
        return sum(1 for result in self.results if result.success)

    @property
    def failed(self) -> int:
        """Items without an output, cancelled ones included: `total_items - succeeded`."""
        return sum(1 for result in self.results if not result.success)

    @property
    def cancelled(self) -> int:
        """The part of `failed` that the end of the run cut short."""
        return sum(1 for result in self.results if result.outcome == "cancelled")

    @property
    def total_input_tokens(self) -> int:
        """Input tokens of all attempts."""
        return self._sum("input_tokens")

    @property
    def total_output_tokens(self) -> int:
        """Output tokens of all attempts."""
        return self._sum("output_tokens")

    @property
    def total_cached_tokens(self) -> int:
        """Input tokens that the provider read from a cache."""
        return self._sum("cached_input_tokens")

    def _sum(self, key: Literal["input_tokens", "output_tokens", "cached_input_tokens"]) -> int:
        return sum(result.token_usage.get(key) or 0 for result in self.results)

    def cache_hit_rate(self) -> float:
        """Return the share of input tokens read from a cache, 0 to 100."""
        total = self.total_input_tokens
        return self.total_cached_tokens / total * 100 if total else 0.0

    def effective_input_tokens(self) -> float:
        """Return input tokens at full price: a cached one counts a tenth."""
        return self.total_input_tokens - CACHED_TOKEN_DISCOUNT * self.total_cached_tokens

    def __iter__(self) -> Iterator[WorkItemResult[TOutput, TContext]]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)
