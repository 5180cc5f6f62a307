"""One item's life, from its worker's hand to its result."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Generic

from ..base import (
    RetryState,
    TContext,
    TInput,
    TOutput,
    WorkItemResult,
    complete_usage,
)
from ..observers.base import ProcessingEvent
from ..strategies import ErrorInfo, backoff_seconds
from . import attempt
from .failed_usage import failed_usage
from .life import CANCELLED, ItemLife, unstarted

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
        self._middlewares = tuple(middlewares)
        self._post_processor = post_processor
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
                if not self._middlewares or await self._enter(life):
                    if (heard := self._started(life)) is not None:
                        await heard
                    output = await (
                        self._dry(life) if self._dry_run else self._attempts(life, task)
                    )
                    result = life.end = life.succeeded(output, self._now())
                else:
                    result = life.end = life.skipped(self._now())
            except Exception as error:  # the user's code may raise anything: one item, no other
                result = life.end = await self._fail(life, error)
            finally:
                if life.lease.cleans:
                    await self._clean(life)
            if self._middlewares:
                result = await self._after(life, result)
            if self._post_processor is not None:
                await self._post_process(result)
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
        for middleware in self._middlewares:
            changed = await middleware.before_process(life.item)
            if changed is None:
                return False
            life.item = changed
        life.lease = self._leases.of(life.item.strategy)
        return True

    async def _dry(self, life: ItemLife[TInput, TOutput, TContext]) -> TOutput:
        # The prompt was checked against the strategy by LLMWorkItem.
        output, usage = await life.item.strategy.dry_run(life.item.prompt)  # type: ignore[arg-type]
        life.count(complete_usage(usage))
        return output

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
                    await self._wait(lease.prepare(deadlines.limit_seconds), task)
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
                    gate.leave()
                output, usage = attempt.finished(answer, life, task, deadlines)
                gate.succeeded(life.epoch)
                life.count(complete_usage(usage))
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
        try:
            await life.item.strategy.on_error(error, life.attempt, life.state)
        except Exception:  # a fault in listening must not hide the error listened to
            logger.warning(
                "on_error of %s failed for %s.",
                type(life.item.strategy).__name__,
                life.item.item_id,
                exc_info=True,
            )

    def _classify(self, error: Exception) -> ErrorInfo:
        try:
            return self._classifier.classify(error)
        except Exception:  # a fault in judging must not hide the error judged
            logger.warning(
                "%s failed on a %s; taken as unknown.",
                type(self._classifier).__name__,
                type(error).__name__,
                exc_info=True,
            )
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
            },
        )
        if hit is not None:
            await hit
        return None if life.refusals > self._retry.max_rate_limit_retries else 0.0

    def _next_wait(
        self, life: ItemLife[TInput, TOutput, TContext], error: Exception, info: ErrorInfo
    ) -> float | None:
        if not info.is_retryable:
            if not life.lease.ready and not self._dry_run:
                life.lease.broken = error
            return None
        if life.attempt >= self._retry.max_attempts:
            return None
        failed_attempt = life.attempt
        life.attempt += 1
        if info.error_category == "validation_error":
            return info.suggested_wait or 0.0
        wait_seconds = backoff_seconds(
            failed_attempt,
            initial=self._retry.initial_wait,
            base=self._retry.exponential_base,
            longest=self._retry.max_wait,
            jitter=self._retry.jitter,
        )
        return max(wait_seconds, info.suggested_wait or 0.0)

    # -- end

    async def _fail(
        self, life: ItemLife[TInput, TOutput, TContext], error: Exception
    ) -> WorkItemResult[TOutput, TContext]:
        """Return what a middleware answers for the failure, or the failure."""
        if error is not life.last_error:
            # It came from middleware or a dry run, and no attempt has judged it.
            life.category = self._classify(error).error_category
        for middleware in self._middlewares:
            try:
                answer = await middleware.on_error(life.item, error)
            except Exception:  # a fault in answering must not hide the error answered for
                _log_middleware_fault(middleware, "on_error", life.item.item_id)
                continue
            if answer is not None:
                return answer
        return life.failed(error, life.category, self._now())

    async def _clean(self, life: ItemLife[TInput, TOutput, TContext]) -> None:
        try:
            await life.lease.strategy.cleanup()
        except Exception:  # the item has ended; what it held cannot change how
            logger.warning(
                "cleanup of %s failed for %s.",
                type(life.lease.strategy).__name__,
                life.item.item_id,
                exc_info=True,
            )

    # -- leave

    async def _after(
        self,
        life: ItemLife[TInput, TOutput, TContext],
        result: WorkItemResult[TOutput, TContext],
    ) -> WorkItemResult[TOutput, TContext]:
        for middleware in reversed(self._middlewares):
            try:
                result = life.end = await middleware.after_process(result)
            except Exception:  # the result is paid for; a fault after it must not lose it
                _log_middleware_fault(middleware, "after_process", life.item.item_id)
        return result

    async def _post_process(self, result: WorkItemResult[TOutput, TContext]) -> None:
        try:
            done = self._post_processor(result)  # type: ignore[misc]  # the caller has checked
            if isinstance(done, Awaitable):
                await done
        except Exception:  # the result is paid for; a fault after it must not lose it
            logger.exception("The post-processor failed for %s; its result stands.", result.item_id)

    def _count(self, result: WorkItemResult[TOutput, TContext]) -> None:
        stats = self._stats
        stats.processed += 1
        stats.count_tokens(result.token_usage)
        if result.success:
            stats.succeeded += 1
        else:
            stats.failed += 1
            stats.error_counts[error_type(result)] += 1


def error_type(result: WorkItemResult[Any, Any]) -> str:
    """Return the name of what a failed result failed with."""
    if result.error_category == CANCELLED:
        return "CancelledError"
    if result.exception is None:
        return "Skipped" if result.error_category == "skipped" else "Unknown"
    return type(result.exception).__name__


def _log_middleware_fault(middleware: object, step: str, item_id: str) -> None:
    logger.warning(
        "%s.%s failed for %s; the item goes on.",
        type(middleware).__name__,
        step,
        item_id,
        exc_info=True,
    )
