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
    from ..ledger import ItemIdentity
    from .leases import Lease

CANCELLED = "cancelled"


@dataclass(slots=True)
class ItemLife(Generic[TInput, TOutput, TContext]):
    """What is known of an item while it lives.

    Attributes:
        item: the item, as middleware may have changed it.
        worker_id: the worker that has it.
        began: the loop's time at its start.
        home: its strategy.
        lease: the strategy of the attempt under way: another than `home` where that one routes.
        attempt: the attempt under way, 1 for the first; refusals by a rate limit do not count.
        calls: calls made.
        called: the loop's time at the last call.
        refusals: calls refused by a rate limit.
        epoch: the gate's epoch at the last admission.
        usage: tokens of all calls so far; None for none.
        cost_usd: of all answered calls so far; None once one of them has no known price.
        unanswered: calls so far whose answer never came.
        used: the strategies of all attempts, where `home` routes.
        last_error: why the last call failed.
        heard_of: the last failure of one of two calls, of which the gate has been told.
        category: what the failure that ended the item means.
        identity: by which a ledger knows the item again; None without one.
        is_made_up: whether the result is a middleware's, in place of a failure.
        is_settled: whether its calls are settled in the ledger one by one.
        end: the result, as soon as there is one; a cancellation after that changes nothing.
    """

    item: LLMWorkItem[TInput, TOutput, TContext]
    worker_id: int
    began: float
    home: Lease
    lease: Lease
    state: RetryState
    attempt: int = 1
    calls: int = 0
    called: float = 0.0
    refusals: int = 0
    epoch: int = 0
    usage: TokenUsage | None = None
    cost_usd: float | None = 0.0
    unanswered: int = 0
    used: list[Lease] | None = None
    last_error: Exception | None = None
    heard_of: Exception | None = None
    category: str = "unknown"
    end: WorkItemResult[TOutput, TContext] | None = None
    identity: ItemIdentity | None = None
    is_made_up: bool = False
    is_settled: bool = False

    def count(self, usage: TokenUsage) -> None:
        """Add the tokens of one call."""
        self.usage = usage if self.usage is None else add_usage(self.usage, usage)

    def add_cost(self, cost_usd: float | None) -> None:
        """Add what one call cost; None for one without a known price."""
        if cost_usd is None or self.cost_usd is None:
            self.cost_usd = None
        else:
            self.cost_usd += cost_usd

    def move_to(self, lease: Lease) -> None:
        """Make the next attempt with another strategy."""
        if lease is self.lease:
            return
        if self.used is None:
            self.used = []
        if lease not in self.used:
            self.used.append(lease)
        self.lease = lease

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
            self.cost_usd,
            self.unanswered,
            "call",
            _finish_reason(self.state),
        )

    def answered_by_twin(self, output: TOutput, now: float) -> WorkItemResult[TOutput, TContext]:
        """Return the item's end with the answer to an equal item: no call of its own, no cost."""
        result = self.succeeded(output, now)
        result.origin = "twin"
        return result

    def failed(
        self, error: BaseException, category: str, now: float
    ) -> WorkItemResult[TOutput, TContext]:
        """Return the item's end without one."""
        return self._without_output(describe_error(error), error, category, now)

    def cancelled(
        self, now: float, why: str = "the run was stopped"
    ) -> WorkItemResult[TOutput, TContext]:
        """Return the item's end where the run ended first."""
        message = f"CancelledError: {why} before this item was done."
        if self.last_error is not None:
            message = (
                f"CancelledError: {why} before this item's next attempt; "
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
            cost_usd=self.cost_usd,
            unanswered_calls=self.unanswered,
        )


def _finish_reason(state: RetryState) -> str | None:
    """Return why the last answer ended, as built-in strategies write it down."""
    reason = state.data.get("finish_reason") if state.data else None
    return reason if isinstance(reason, str) else None


def unstarted(
    item: LLMWorkItem[Any, TOutput, TContext], why: str = "the run was stopped"
) -> WorkItemResult[TOutput, TContext]:
    """Return the end of an item that the run never came to."""
    return WorkItemResult(
        item_id=item.item_id,
        success=False,
        error=f"CancelledError: {why} before this item was started.",
        context=item.context,
        error_category=CANCELLED,
        cost_usd=0.0,
    )
