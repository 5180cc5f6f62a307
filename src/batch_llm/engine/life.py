"""One item on its way through the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic

from ..base import (
    LLMWorkItem,
    RetryState,
    TContext,
    TInput,
    TOutput,
    WorkItemResult,
    add_usage,
    describe_error,
    empty_usage,
)
from ..llm_strategies.gemini.response import GeminiResponse

if TYPE_CHECKING:
    from ..base import TokenUsage
    from .leases import Lease

CANCELLED = "cancelled"


@dataclass(slots=True)
class ItemLife(Generic[TInput, TOutput, TContext]):
    """What is known of an item while it lives.

    Attributes:
        item: the item, as middleware may have changed it.
        worker_id: the worker that has it.
        began: the loop's time at its start.
        lease: its strategy.
        attempt: the attempt under way, 1 for the first; refusals by a rate limit do not count.
        calls: calls made.
        called: the loop's time at the last call.
        refusals: calls refused by a rate limit.
        epoch: the gate's epoch at the last admission.
        usage: tokens of all calls so far; None for none.
        last_error: why the last call failed.
        category: what the failure that ended the item means.
        end: the result, as soon as there is one; a cancellation after that changes nothing.
    """

    item: LLMWorkItem[TInput, TOutput, TContext]
    worker_id: int
    began: float
    lease: Lease
    state: RetryState
    attempt: int = 1
    calls: int = 0
    called: float = 0.0
    refusals: int = 0
    epoch: int = 0
    usage: TokenUsage | None = None
    last_error: Exception | None = None
    category: str = "unknown"
    end: WorkItemResult[TOutput, TContext] | None = None

    def count(self, usage: TokenUsage) -> None:
        """Add the tokens of one call."""
        self.usage = usage if self.usage is None else add_usage(self.usage, usage)

    def succeeded(self, output: TOutput, now: float) -> WorkItemResult[TOutput, TContext]:
        """Return the item's end with an output."""
        ratings = output.safety_ratings if isinstance(output, GeminiResponse) else None
        return WorkItemResult(
            self.item.item_id,
            True,
            output,
            None,
            self.item.context,
            self.usage or empty_usage(),
            ratings,
            None,
            None,
            self.calls,
            now - self.began,
        )

    def failed(
        self, error: BaseException, category: str, now: float
    ) -> WorkItemResult[TOutput, TContext]:
        """Return the item's end without one."""
        return self._without_output(describe_error(error), error, category, now)

    def cancelled(self, now: float) -> WorkItemResult[TOutput, TContext]:
        """Return the item's end where the run ended first."""
        message = "CancelledError: the run was stopped before this item was done."
        if self.last_error is not None:
            message = (
                f"CancelledError: the run was stopped before this item's next attempt; "
                f"the last one failed with {describe_error(self.last_error)}"
            )
        return self._without_output(message, self.last_error, CANCELLED, now)

    def skipped(self, now: float) -> WorkItemResult[TOutput, TContext]:
        """Return the item's end where a middleware said no."""
        return self._without_output("Skipped by middleware", None, "skipped", now)

    def _without_output(
        self, error: str, exception: BaseException | None, category: str, now: float
    ) -> WorkItemResult[TOutput, TContext]:
        return WorkItemResult(
            item_id=self.item.item_id,
            success=False,
            error=error,
            context=self.item.context,
            token_usage=self.usage or empty_usage(),
            exception=exception,
            error_category=category,
            attempts=self.calls,
            duration_seconds=now - self.began,
        )


def unstarted(item: LLMWorkItem[Any, TOutput, TContext]) -> WorkItemResult[TOutput, TContext]:
    """Return the end of an item that the run never came to."""
    return WorkItemResult(
        item_id=item.item_id,
        success=False,
        error="CancelledError: the run was stopped before this item was started.",
        context=item.context,
        error_category=CANCELLED,
    )
