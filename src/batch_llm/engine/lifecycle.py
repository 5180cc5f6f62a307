"""One item's life, from its worker's hand to its result."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic

from ..base import (
    RetryState,
    TContext,
    TInput,
    TOutput,
    WorkItemResult,
)
from ..observers.base import ProcessingEvent
from ..strategies import ErrorInfo, backoff_seconds
from . import attempt
from .attempt import CallCancelledError
from .chain import Chain
from .faults import logged_faults
from .life import CANCELLED, ItemLife, unstarted
from .tracebacks import forget_frames
from .usage_reading import failed_usage, usage_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..base import LLMWorkItem, PostProcessorFunc, ProcessingStats
    from ..core import ProcessorConfig
    from ..middleware import Middleware
    from ..strategies import ErrorClassifier
    from .deadlines import Deadlines
    from .events import Events
    from .gate import Gate
    from .leases import Leases

logger = logging.getLogger("batch_llm")

_UNKNOWN = ErrorInfo(
    is_retryable=True, is_rate_limit=False, is_timeout=False, error_category="unknown"
)


class Lifecycle(Generic[TInput, TOutput, TContext]):
    """Takes items through their lives, one run long.

    enter (middleware) → attempts (gate, prepare, call, and after a failure: on_error, classify,
    wait) → end (success, or middleware's answer, or failure) → leave (middleware, post-processor,
    counts, event).

    Every step that the user's code takes part in is guarded: its fault ends the item, or is
    logged, and touches no other item.

    Attributes:
        waiting: tasks that wait between two attempts; they can be cancelled at no loss.
        fatal: what the user's code raised to end the program (`SystemExit`, say); the run ends
            with it, once the item is accounted for.
    """

    def __init__(
        self,
        *,
        config: ProcessorConfig,
        gate: Gate,
        deadlines: Deadlines,
        leases: Leases,
        events: Events,
        stats: ProcessingStats,
        classifier: ErrorClassifier,
        middlewares: Sequence[Middleware[TInput, TOutput, TContext]],
        post_processor: PostProcessorFunc[TOutput, TContext] | None,
    ) -> None:
        self._retry = config.retry
        self._dry_run = config.dry_run
        self._detailed = config.enable_detailed_logging
        self._gate = gate
        self._deadlines = deadlines
        self._now = deadlines.now
        self._leases = leases
        self._events = events
        self._stats = stats
        self._classifier = classifier
        self._chain = Chain(middlewares)
        self._post_processor = post_processor
        self._has_after_steps = bool(middlewares) or post_processor is not None
        self.fatal: BaseException | None = None
        self._stopping = False
        self.waiting: set[asyncio.Task[Any]] = set()

    def stop(self) -> None:
        """Let calls in flight finish, and start no other."""
        self._stopping = True
        for task in tuple(self.waiting):
            task.cancel()

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
        life = ItemLife(item, worker_id, self._now(), self._leases.of(item.strategy), RetryState())
        try:
            try:
                if not self._chain or await self._enter(life):
                    if (heard := self._started(life)) is not None:
                        await heard
                    output = await (
                        self._dry(life) if self._dry_run else self._attempts(life, task)
                    )
                    result = life.end = life.succeeded(output, self._now())
                else:
                    result = life.end = life.skipped(self._now())
            except BaseException as error:  # told apart there: one item ends, and no other
                result = life.end = await self._ended_by(error, life, task)
            finally:
                if life.lease.cleans:
                    await self._clean(life)
            if self._has_after_steps and result.error_category != CANCELLED:
                result = await self._leave(life, result)
        except asyncio.CancelledError:
            result = life.end or life.cancelled(self._now())
        self._count(result)
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
        result: WorkItemResult[TOutput, TContext] = unstarted(item)
        self._count(result)
        return result

    # -- enter

    async def _enter(self, life: ItemLife[TInput, TOutput, TContext]) -> bool:
        """Hand the item through the middlewares; return whether it goes on."""
        changed = await self._chain.enter(life.item)
        if changed is None:
            return False
        life.item = changed
        life.lease = self._leases.of(changed.strategy)
        return True

    async def _dry(self, life: ItemLife[TInput, TOutput, TContext]) -> TOutput:
        # The prompt was checked against the strategy by LLMWorkItem.
        answer = await life.item.strategy.dry_run(life.item.prompt)  # type: ignore[arg-type]
        output, usage = attempt.checked(answer, "dry_run", life)
        life.count(usage_of(usage, life.item.item_id))
        return output  # type: ignore[no-any-return]  # typed by the strategy alone

    # -- attempts

    async def _attempts(
        self, life: ItemLife[TInput, TOutput, TContext], task: asyncio.Task[Any]
    ) -> TOutput:
        """Call until an attempt succeeds; raise the last error where none may follow."""
        gate, deadlines = self._gate, self._deadlines
        while True:
            lease = life.lease
            try:
                if not lease.ready:
                    await self._prepare(life, task)
                if (turn := gate.admit(lease.scope)) is not None:
                    await self._wait(turn, task)
                self._begin_call(life, task)
                try:
                    answer = await life.item.strategy.execute(
                        life.item.prompt,  # type: ignore[arg-type]  # checked by LLMWorkItem
                        life.attempt,
                        deadlines.limit_seconds,
                        life.state,
                    )
                except BaseException as error:  # told apart there, and raised again
                    raise attempt.failed(error, life, task, deadlines)  # noqa: B904 - has its cause
                finally:
                    gate.leave(lease.scope, self._now() - life.called)
                output, usage = attempt.finished(answer, life, task, deadlines)
                gate.succeeded(lease.scope, life.epoch)
                life.count(usage_of(usage, life.item.item_id))
            except Exception as error:  # a strategy may raise anything; the classifier judges it
                wait_seconds = await self._after_failure(life, error)
                if wait_seconds is None:
                    raise
            else:
                return output  # type: ignore[no-any-return]  # typed by the strategy alone
            if self._stopping:
                raise asyncio.CancelledError
            if wait_seconds:
                await self._wait(asyncio.sleep(wait_seconds), task)

    async def _prepare(
        self, life: ItemLife[TInput, TOutput, TContext], task: asyncio.Task[Any]
    ) -> None:
        """Make the strategy ready, out of any pause: it may call the provider too."""
        lease, gate = life.lease, self._gate
        if (pause := gate.pause(lease.scope)) is not None:
            await self._wait(pause, task)
        if not lease.ready:
            life.epoch = gate.epoch
            await self._wait(lease.prepare(self._deadlines.limit_seconds), task)

    def _begin_call(
        self, life: ItemLife[TInput, TOutput, TContext], task: asyncio.Task[Any]
    ) -> None:
        life.epoch = self._gate.epoch
        life.calls += 1
        if life.calls > 1:
            self._stats.retries += 1
        if self._detailed:
            logger.debug("%s: attempt %d", life.item.item_id, life.attempt)
        life.called = self._now()
        self._deadlines.begin(task, life.called)

    async def _wait(self, awaitable: Awaitable[None], task: asyncio.Task[Any]) -> None:
        """Wait where a stop may cut in: nothing is in flight."""
        if self._stopping:
            if asyncio.iscoroutine(awaitable):
                awaitable.close()
            raise asyncio.CancelledError
        self.waiting.add(task)
        try:
            await awaitable
        finally:
            self.waiting.discard(task)

    async def _after_failure(
        self, life: ItemLife[TInput, TOutput, TContext], error: Exception
    ) -> float | None:
        """Return the seconds to wait before the next attempt, or None if none may follow.

        A rate limit is waited out at the gate, with all others of its scope.
        """
        life.last_error = error
        if (usage := failed_usage(error)) is not None:
            life.count(usage)
        if life.lease.listens:
            await self._tell_strategy(life, error)
        info = self._classify(error)
        life.category = info.error_category
        if self._detailed:
            logger.debug(
                "%s: attempt %d failed as %s (%s)",
                life.item.item_id,
                life.attempt,
                info.error_category,
                type(error).__name__,
            )
        if info.is_rate_limit:
            return await self._refused(life, info)
        return self._next_wait(life, error, info)

    async def _tell_strategy(
        self, life: ItemLife[TInput, TOutput, TContext], error: Exception
    ) -> None:
        with logged_faults(
            "on_error of %s failed for %s.", type(life.item.strategy).__name__, life.item.item_id
        ):
            await life.item.strategy.on_error(error, life.attempt, life.state)

    def _classify(self, error: Exception) -> ErrorInfo:
        with logged_faults(
            "%s failed on a %s; taken as unknown.",
            type(self._classifier).__name__,
            type(error).__name__,
        ):
            info = self._classifier.classify(error)
            if isinstance(info, ErrorInfo):
                return _with_sensible_wait(info)
            raise TypeError(f"classify() must return an ErrorInfo, not a {type(info).__name__}.")
        return _UNKNOWN

    async def _refused(
        self, life: ItemLife[TInput, TOutput, TContext], info: ErrorInfo
    ) -> float | None:
        """Tell the gate of a rate limit; it does not count as an attempt."""
        life.refusals += 1
        self._stats.rate_limit_count += 1
        self._gate.rate_limited(life.lease.scope, info.suggested_wait, life.epoch, life.worker_id)
        hit = self._events.emit(
            ProcessingEvent.RATE_LIMIT_HIT,
            {
                "item_id": life.item.item_id,
                "worker_id": life.worker_id,
                "consecutive": self._gate.consecutive,
                "duration": info.suggested_wait,
            },
        )
        if hit is not None:
            await hit
        if life.refusals > self._retry.max_rate_limit_retries:
            return None
        # "Come back at once" says no time: without a wait, all refusals would be spent at once.
        return 0.0 if info.suggested_wait != 0 else self._backoff(life.refusals)

    def _next_wait(
        self, life: ItemLife[TInput, TOutput, TContext], error: Exception, info: ErrorInfo
    ) -> float | None:
        if not info.is_retryable:
            if not life.lease.ready and not self._dry_run:
                life.lease.give_up(error)
            return None
        if life.attempt >= self._retry.max_attempts:
            return None
        failed_attempt = life.attempt
        life.attempt += 1
        if info.error_category == "validation_error":
            return info.suggested_wait or 0.0
        return max(self._backoff(failed_attempt), info.suggested_wait or 0.0)

    def _backoff(self, failures: int) -> float:
        return backoff_seconds(
            failures,
            initial=self._retry.initial_wait,
            base=self._retry.exponential_base,
            longest=self._retry.max_wait,
            jitter=self._retry.jitter,
        )

    # -- end

    async def _ended_by(
        self,
        error: BaseException,
        life: ItemLife[TInput, TOutput, TContext],
        task: asyncio.Task[Any],
    ) -> WorkItemResult[TOutput, TContext]:
        """Return the result of an item that ended without an output."""
        if isinstance(error, asyncio.CancelledError):
            if self._stopping or task.cancelling():
                return life.cancelled(self._now())
            error = CallCancelledError(f"A step around {life.item.item_id} cancelled itself.")
        if not isinstance(error, Exception):
            self.fatal = error
            return life.failed(error, "unknown", self._now())
        if error is not life.last_error:
            # It came from middleware or a dry run, and no attempt has judged it.
            life.category = self._classify(error).error_category
        answer = await self._chain.answer(life.item, error) if self._chain else None
        if answer is None:
            if not self._detailed:
                forget_frames(error)
            return life.failed(error, life.category, self._now())
        # What a middleware makes up need not know what the item went through.
        answer.attempts = answer.attempts or life.calls
        answer.duration_seconds = answer.duration_seconds or self._now() - life.began
        if answer.context is None:
            answer.context = life.item.context
        if life.usage is not None and not answer.token_usage["total_tokens"]:
            answer.token_usage = life.usage
        return answer

    async def _clean(self, life: ItemLife[TInput, TOutput, TContext]) -> None:
        strategy = life.lease.strategy
        with logged_faults(
            "cleanup of %s failed for %s.", type(strategy).__name__, life.item.item_id
        ):
            await strategy.cleanup()

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
        stats.count_tokens(result.token_usage)
        if result.success:
            stats.succeeded += 1
        else:
            stats.failed += 1
            stats.error_counts[error_type(result)] += 1


def _with_sensible_wait(info: ErrorInfo) -> ErrorInfo:
    """Take a suggested wait that is no time at all, such as nan, as none."""
    wait = info.suggested_wait
    if wait is None or (isinstance(wait, (int, float)) and 0 <= wait < math.inf):
        return info
    return replace(info, suggested_wait=None)


def error_type(result: WorkItemResult[Any, Any]) -> str:
    """Return the name of what a failed result failed with."""
    if result.error_category == CANCELLED:
        return "CancelledError"
    if result.exception is None:
        return "Skipped" if result.error_category == "skipped" else "Unknown"
    return type(result.exception).__name__
