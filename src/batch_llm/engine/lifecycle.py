"""One item's life, from its worker's hand to its result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Generic

from ..base import RetryState, TContext, TInput, TOutput, WorkItemResult
from ..exceptions import LedgerError
from ..observers.base import ProcessingEvent
from ..strategies import FrameworkTimeoutError
from . import attempt
from .attempt import CallCancelledError
from .chain import Chain
from .deadlines import Deadlines
from .faults import logged_faults
from .life import CANCELLED, ItemLife, unstarted
from .tracebacks import forget_frames
from .twins import Twins, copied
from .usage_reading import usage_of

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from ..base import LLMWorkItem, PostProcessorFunc, ProcessingStats
    from ..core import ProcessorConfig
    from ..middleware import Middleware
    from .attempts import Attempts
    from .events import Events
    from .journal import Journal
    from .leases import Leases
    from .waits import Waits

logger = logging.getLogger("batch_llm")


class Lifecycle(Generic[TInput, TOutput, TContext]):
    """Takes items through their lives, one run long.

    enter (middleware) → answer (the ledger, an equal item's call, or attempts of its own) → end
    (success, or middleware's answer, or failure) → keep (the ledger) → leave (middleware,
    post-processor, counts, event).

    Every step that the user's code takes part in is guarded: its fault ends the item, or is
    logged, and touches no other item.

    Attributes:
        fatal: what ends the run, once the item is accounted for: what the user's code raised to
            end the program (`SystemExit`, say), or a ledger that can no longer be written.
        stopped_by: why nothing else is started, for the results that say so.
    """

    def __init__(
        self,
        *,
        config: ProcessorConfig,
        attempts: Attempts,
        waits: Waits,
        now: Callable[[], float],
        leases: Leases,
        events: Events,
        stats: ProcessingStats,
        journal: Journal | None,
        middlewares: Sequence[Middleware[TInput, TOutput, TContext]],
        post_processor: PostProcessorFunc[TOutput, TContext] | None,
    ) -> None:
        self._dry_run = config.dry_run
        self._detailed = config.enable_detailed_logging
        self._attempts = attempts
        self._waits = waits
        self._now = now
        self._leases = leases
        self._events = events
        self._stats = stats
        self._journal = journal
        self._twins = None if config.share_identical is False else Twins(config.share_identical)
        longest = config.item_deadline_seconds
        self._clock = None if longest is None else Deadlines(longest)
        self._chain = Chain(middlewares)
        self._post_processor = post_processor
        self._has_after_steps = bool(middlewares) or post_processor is not None
        self.fatal: BaseException | None = None
        self.stopped_by = "the run was stopped"

    def stop(self) -> None:
        """Let calls in flight finish, and start no other."""
        self._waits.stop()

    def close(self) -> None:
        """Stop the timer of the items' deadlines."""
        if self._clock is not None:
            self._clock.close()

    async def live(
        self,
        item: LLMWorkItem[TInput, TOutput, TContext],
        worker_id: int,
        task: asyncio.Task[Any],
    ) -> WorkItemResult[TOutput, TContext]:
        """Return the item's result, already counted.

        A cancellation ends the item, and is the caller's to see by `task.cancelling()`: what the
        item had reached by then is returned, a success included.

        Args:
            item: the item.
            worker_id: the worker that has it.
            task: the worker's task, which is the current one.
        """
        lease = self._leases.of(item.strategy)
        life = ItemLife(item, worker_id, self._now(), lease, lease, RetryState())
        if self._clock is not None:
            self._clock.begin(task, life.began)
        try:
            try:
                result = await self._reached(life, task)
            finally:
                if life.lease.cleans or life.used is not None:
                    await self._clean(life)
            if self._has_after_steps and result.error_category != CANCELLED:
                result = await self._leave(life, result)
        except asyncio.CancelledError:
            result = life.end or life.cancelled(self._now(), self.stopped_by)
        if self._journal is not None and result.error_category == CANCELLED:
            self._note_cost(self._journal, life)
        self._count(result)
        return result

    async def _reached(
        self, life: ItemLife[TInput, TOutput, TContext], task: asyncio.Task[Any]
    ) -> WorkItemResult[TOutput, TContext]:
        """Return the item's end, which is in the ledger then, where there is one."""
        try:
            result = life.end = await self._answer(life, task)
            if self._clock is not None:
                attempt.stop_clock(task, self._clock)
        except BaseException as error:  # told apart there: one item ends, and no other
            result = life.end = await self._ended_by(error, life, task)
        if self._journal is not None and result.error_category != CANCELLED:
            await self._keep(self._journal, life, result)
        return result

    def _started(self, life: ItemLife[TInput, TOutput, TContext]) -> Awaitable[None] | None:
        data = {"item_id": life.item.item_id, "worker_id": life.worker_id}
        return self._events.emit(ProcessingEvent.ITEM_STARTED, data)

    def announce(
        self, result: WorkItemResult[TOutput, TContext], worker_id: int | None
    ) -> Awaitable[None] | None:
        """Tell the observers of an item's end; await what comes back, unless it is None."""
        data = {
            "item_id": result.item_id,
            "worker_id": worker_id,
            "duration": result.duration_seconds,
            "tokens": result.token_usage["total_tokens"],
        }
        if result.success:
            return self._events.emit(ProcessingEvent.ITEM_COMPLETED, data)
        data["error_type"] = error_type(result)
        return self._events.emit(ProcessingEvent.ITEM_FAILED, data)

    def cut_short(
        self, item: LLMWorkItem[TInput, TOutput, TContext]
    ) -> WorkItemResult[TOutput, TContext]:
        """Return the result, already counted, of an item that was never started."""
        result: WorkItemResult[TOutput, TContext] = unstarted(item, self.stopped_by)
        self._count(result)
        return result

    # -- enter

    async def _enter(self, life: ItemLife[TInput, TOutput, TContext]) -> bool:
        """Hand the item through the middlewares; return whether it goes on."""
        changed = await self._chain.enter(life.item)
        if changed is None:
            return False
        life.item = changed
        life.home = life.lease = self._leases.of(changed.strategy)
        return True

    async def _dry(self, life: ItemLife[TInput, TOutput, TContext]) -> TOutput:
        # The prompt was checked against the strategy by LLMWorkItem.
        answer = await life.item.strategy.dry_run(life.item.prompt)  # type: ignore[arg-type]
        output, usage = attempt.checked(answer, "dry_run", life)
        life.count(usage_of(usage, life.item.item_id))
        return output  # type: ignore[no-any-return]  # typed by the strategy alone

    # -- answer

    async def _answer(
        self, life: ItemLife[TInput, TOutput, TContext], task: asyncio.Task[Any]
    ) -> WorkItemResult[TOutput, TContext]:
        if self._chain and not await self._enter(life):
            return life.skipped(self._now())
        if (heard := self._started(life)) is not None:
            await heard
        if self._dry_run:
            return life.succeeded(await self._dry(life), self._now())
        if self._journal is not None and (kept := self._journal.replay(life)) is not None:
            return kept
        if self._twins is not None and (key := self._twins.key_of(life)) is not None:
            return await self._shared(self._twins, key, life, task)
        return life.succeeded(await self._attempts.until_success(life, task), self._now())

    async def _shared(
        self,
        twins: Twins,
        key: Hashable,
        life: ItemLife[TInput, TOutput, TContext],
        task: asyncio.Task[Any],
    ) -> WorkItemResult[TOutput, TContext]:
        """Take the answer of an equal item's call, or make the call for all that wait for one."""
        while (leader := twins.leader_of(key)) is not None:
            answer = await self._waits.out(asyncio.shield(leader), task)
            if answer is not None:
                return life.answered_by_twin(copied(answer[0]), self._now())
        answer = None
        try:
            output = await self._attempts.until_success(life, task)
            answer = (output,)
        finally:
            twins.ended(key, answer)
        return life.succeeded(output, self._now())

    # -- end

    async def _ended_by(
        self,
        error: BaseException,
        life: ItemLife[TInput, TOutput, TContext],
        task: asyncio.Task[Any],
    ) -> WorkItemResult[TOutput, TContext]:
        """Return the result of an item that ended without an output."""
        # Its time is over or stopped: what is made of the failure takes what it takes.
        is_late = self._clock is not None and self._clock.end(task)
        was_cancelled = not is_late or bool(task.uncancel())
        if isinstance(error, asyncio.CancelledError):
            error = self._reason_of(error, life, task, is_late=is_late and not was_cancelled)
            if isinstance(error, asyncio.CancelledError):
                return life.cancelled(self._now(), self.stopped_by)
        if not isinstance(error, Exception) or isinstance(error, LedgerError):
            self.fatal = error
            return life.failed(error, "unknown", self._now())
        if error is not life.last_error:
            # It came from middleware or a dry run, and no attempt has judged it.
            life.category = self._attempts.classify(error).error_category
        answer = await self._chain.answer(life.item, error) if self._chain else None
        if answer is None:
            if not self._detailed:
                forget_frames(error)
            return life.failed(error, life.category, self._now())
        life.is_made_up = True
        # What a middleware makes up need not know what the item went through.
        answer.attempts = answer.attempts or life.calls
        answer.duration_seconds = answer.duration_seconds or self._now() - life.began
        if answer.context is None:
            answer.context = life.item.context
        if life.usage is not None and not answer.token_usage["total_tokens"]:
            answer.token_usage = life.usage
        return answer

    def _reason_of(
        self,
        error: asyncio.CancelledError,
        life: ItemLife[TInput, TOutput, TContext],
        task: asyncio.Task[Any],
        *,
        is_late: bool,
    ) -> Exception | asyncio.CancelledError:
        """Return what a cancellation stands for; itself where the run ended."""
        if is_late and self._clock is not None:
            return self._too_late(self._clock.limit_seconds, life)
        if self._waits.stopping or task.cancelling():
            return error
        return CallCancelledError(f"A step around {life.item.item_id} cancelled itself.")

    def _too_late(
        self, limit_seconds: float, life: ItemLife[TInput, TOutput, TContext]
    ) -> FrameworkTimeoutError:
        elapsed = self._now() - life.began
        late = FrameworkTimeoutError(
            f"Item {life.item.item_id!r} took longer than {limit_seconds:g} s with all its waits "
            f"and {life.calls} calls (item_deadline_seconds).",
            item_id=life.item.item_id,
            elapsed=elapsed,
            timeout_limit=limit_seconds,
        )
        late.__cause__ = life.last_error
        return late

    async def _clean(self, life: ItemLife[TInput, TOutput, TContext]) -> None:
        for lease in life.used or (life.lease,):
            if lease.cleans:
                with logged_faults(
                    "cleanup of %s failed for %s.",
                    type(lease.strategy).__name__,
                    life.item.item_id,
                ):
                    await lease.strategy.cleanup()

    # -- keep

    async def _keep(
        self,
        journal: Journal,
        life: ItemLife[TInput, TOutput, TContext],
        result: WorkItemResult[TOutput, TContext],
    ) -> None:
        """Write the result down before anyone sees it; a ledger that fails ends the run."""
        try:
            await journal.keep(life, result)
        except LedgerError as error:
            # The result is paid for: it is handed on, and the run ends with the reason.
            self.fatal = error

    def _note_cost(self, journal: Journal, life: ItemLife[TInput, TOutput, TContext]) -> None:
        try:
            journal.note_cost(life)
        except LedgerError as error:
            self.fatal = error

    # -- leave

    async def _leave(
        self,
        life: ItemLife[TInput, TOutput, TContext],
        result: WorkItemResult[TOutput, TContext],
    ) -> WorkItemResult[TOutput, TContext]:
        if self._chain:
            result = life.end = await self._chain.leave(result)
        if self._post_processor is not None:
            with logged_faults(
                "The post-processor failed for %s; its result stands.", result.item_id
            ):
                done = self._post_processor(result)
                if isinstance(done, Awaitable):
                    await done
            result.token_usage = usage_of(result.token_usage, result.item_id)
        return result

    def _count(self, result: WorkItemResult[TOutput, TContext]) -> None:
        stats = self._stats
        stats.processed += 1
        if result.origin == "call":
            stats.count_tokens(result.token_usage)
        else:
            stats.reused += 1
        if result.success:
            stats.succeeded += 1
        else:
            stats.failed += 1
            if result.error_category == CANCELLED:
                stats.cancelled += 1
            stats.error_counts[error_type(result)] += 1


def error_type(result: WorkItemResult[Any, Any]) -> str:
    """Return the name of what a failed result failed with."""
    if result.error_category == CANCELLED:
        return "CancelledError"
    if result.exception is None:
        return "Skipped" if result.error_category == "skipped" else "Unknown"
    return type(result.exception).__name__
