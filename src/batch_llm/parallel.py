"""`ParallelBatchProcessor`: work items in, one result each out, many at a time."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from .base import (
    BatchProcessor,
    BatchResult,
    LLMWorkItem,
    ProcessingStats,
    TContext,
    TInput,
    TOutput,
    describe_error,
)
from .core import LedgerConfig, ProcessorConfig
from .engine.attempts import Attempts
from .engine.budget import Budget
from .engine.deadlines import Deadlines
from .engine.events import Events
from .engine.gate import Gate, new_gate
from .engine.intake import Intake
from .engine.interrupts import graceful_interrupts
from .engine.leases import Leases
from .engine.lifecycle import Lifecycle
from .engine.outlet import Outlet
from .engine.payments import Payments
from .engine.progress_reports import ProgressReports
from .engine.run import Run
from .engine.waits import Waits
from .exceptions import ConfigurationError, LedgerError, ProcessorClosedError, SourceError
from .strategies import DefaultErrorClassifier, ExponentialBackoffStrategy, listening
from .strategies.concurrency_finder import MOST

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Sequence
    from pathlib import Path

    from .base import PostProcessorFunc, ProgressCallbackFunc, WorkItemResult
    from .core import RateLimitConfig
    from .engine.intake import Source
    from .engine.journal import Journal
    from .engine.outlet import Order
    from .middleware import Middleware
    from .observers import ProcessorObserver
    from .strategies import ErrorClassifier, RateLimitStrategy

logger = logging.getLogger("batch_llm")

_LONGEST_COOLDOWN_SECONDS = 600.0


class ParallelBatchProcessor(BatchProcessor[TInput, TOutput, TContext]):
    """Calls models for many work items at once; paces, retries and counts.

        async with ParallelBatchProcessor(max_workers=20) as processor:
            for document in documents:
                await processor.add_work(LLMWorkItem(document.id, strategy, document.text))
            result = await processor.process_all()

    Every item ends in exactly one result, and one bad item fails alone. Leaving the `async with`
    early, `shutdown()` and a cancellation keep what has succeeded: see `results`.

    Args:
        max_workers: calls in flight at once, or "auto"; overrides the config, as the next two do.
        post_processor: called with each result as it ends, sync or async.
        timeout_per_item: seconds one attempt may take.
        rate_limit_cooldown: seconds all workers pause after a rate limit that names no time.
        config: all settings; a copy is taken.
        error_classifier: says what an exception means; default `DefaultErrorClassifier`.
        rate_limit_strategy: how to cool down; default is made of `config.rate_limit`.
        middlewares: steps around each item.
        observers: hear of every event.
        progress_callback: called with items ended, items known and the last id, sync or async.
        ledger: the file that keeps what has been done, so that a later run need not do it again;
            overrides the config, as the next does.
        max_cost_usd: what all calls may cost at the most.
        payments: in the place of `max_cost_usd`, a limit that others draw on too, and which is
            theirs to keep.

    Raises:
        ConfigurationError: for a setting that cannot work.
    """

    def __init__(
        self,
        max_workers: int | Literal["auto"] | None = None,
        post_processor: PostProcessorFunc[TOutput, TContext] | None = None,
        timeout_per_item: float | None = None,
        rate_limit_cooldown: float | None = None,
        config: ProcessorConfig | None = None,
        error_classifier: ErrorClassifier | None = None,
        rate_limit_strategy: RateLimitStrategy | None = None,
        middlewares: Sequence[Middleware[TInput, TOutput, TContext]] | None = None,
        observers: Sequence[ProcessorObserver] | None = None,
        progress_callback: ProgressCallbackFunc | None = None,
        ledger: str | Path | LedgerConfig | None = None,
        max_cost_usd: float | None = None,
        *,
        payments: Payments | None = None,
    ) -> None:
        self.config = _settled(
            config, max_workers, timeout_per_item, rate_limit_cooldown, ledger, max_cost_usd
        )
        self._post_processor = post_processor
        self._classifier = error_classifier or DefaultErrorClassifier()
        self._rate_limits = rate_limit_strategy or _cooldown_of(self.config.rate_limit)
        self._middlewares = tuple(middlewares or ())
        self._events = Events(observers or ())
        self._progress_callback = progress_callback
        self._leases = Leases()
        # Of the processor, not of a run: limits of a minute hold across runs.
        self._gate: Gate | None = None
        self._journal: Journal | None = None
        self._budget: Budget | None = None
        self._shared_payments = payments
        if payments is not None and self.config.max_cost_usd is not None:
            raise ConfigurationError("Give either max_cost_usd or payments: each is a limit.")
        # The loop that the two above were opened on; None where they are still to be opened.
        self._books_loop: asyncio.AbstractEventLoop | None = None
        self._intake = self._new_intake()
        self._run: Run[TInput, TOutput, TContext] | None = None
        self._last_run: Run[TInput, TOutput, TContext] | None = None
        self._order: Order = "completion"
        self._interrupts = ExitStack()
        # One run begins at a time: to open the ledger takes a while.
        self._beginning = asyncio.Lock()
        self._is_stop_asked = False
        self._closed = False

    # -- work

    async def add_work(self, item: LLMWorkItem[TInput, TOutput, TContext]) -> None:
        """Queue one item, before or while the queue is processed.

        Where the queue is full, wait for room. If nothing is being processed yet, processing
        starts then, since room comes of nothing else; its results are those of the `process_all`
        or `stream` that follows. A worker's own code (a post-processor, a middleware) never waits.

        Raises:
            ProcessorClosedError: after `shutdown()` or `cleanup()`.
            TypeError: for something that is no `LLMWorkItem`.
            ConfigurationError: for an item whose result no ledger could keep.
        """
        if not isinstance(item, LLMWorkItem):
            raise TypeError(f"add_work takes an LLMWorkItem, not a {type(item).__name__}.")
        self._refuse_closed()
        if self.config.ledger is not None:
            _check_keepable(item)
        if self._intake.is_full and not self._is_inside_run():
            run = self._run or await self._begun_by_queue()
            # The last run may still be told of: then no one makes room, and none is waited for.
            if self._intake is run.intake:
                await self._intake.wait_for_room()
            self._refuse_closed()
        if self._intake.is_sealed:
            # The run has just ended: this is work for the next one.
            self._intake = self._new_intake()
        self._intake.put(item)
        if self._run is not None and self._intake is self._run.intake:
            self._run.spawn_if_useful()

    async def process_all(
        self,
        source: Source[TInput, TOutput, TContext] | None = None,
        *,
        order: Order = "completion",
    ) -> BatchResult[TOutput, TContext]:
        """Process the queue, and `source` after it, to the end.

        Each call starts fresh: its results and counts are its own. Cancelled while it waits, it
        cancels what is in flight; what had succeeded by then is in `results`.

        Args:
            source: more work items: a list, an iterator or an async iterator, read as workers get
                free.
            order: "completion", or "input" for the order in which items went in.

        Returns:
            One result for each item that went in.

        Raises:
            SourceError: if `source` raised; its `result` holds what finished, and that is all that
                was taken from it.
            LedgerError: if the ledger cannot be opened, or can no longer be written: its `result`
                holds what finished.
            ProcessorClosedError: after `shutdown()` or `cleanup()`.
            RuntimeError: while another `process_all` or `stream` goes on.
        """
        run = await self._begin(source, order, capacity=None)
        try:
            await self._join(run)
        finally:
            self._end(run)
        self._raise_fault(run)
        return self.results

    async def stream(
        self,
        source: Source[TInput, TOutput, TContext] | None = None,
        *,
        order: Order = "completion",
    ) -> AsyncGenerator[WorkItemResult[TOutput, TContext], None]:
        """Yield each result as its item ends; memory does not grow with the number of items.

        A slow reader slows the workers. A reader that leaves early cancels what is in flight; what
        had ended by then and was not yielded is in `results`. Use `contextlib.aclosing` to
        have that happen at the `break` and not at the end of the `async with`.

        Args and errors: as for `process_all`.
        """
        run = await self._begin(source, order, capacity=max(64, 2 * _worker_count(self.config)))
        try:
            while (result := await run.outlet.next(order)) is not None:
                yield result
            await self._join(run)
        finally:
            if run.ended is None:
                await run.abort()
            self._end(run)
        self._raise_fault(run)

    @property
    def results(self) -> BatchResult[TOutput, TContext]:
        """Results of the present or last run that `stream` has not yielded."""
        run = self._run or self._last_run
        return BatchResult([] if run is None else run.outlet.peek(self._order))

    async def get_stats(self) -> dict[str, Any]:
        """Return the counts of the present or last run, as `ProcessingStats.copy` gives them.

        Besides: `duration`, seconds since its start, up to its end.
        """
        run = self._run or self._last_run
        if run is None:
            return {**ProcessingStats(total=self._intake.known).copy(), "duration": 0.0}
        stats = run.stats.copy()
        if run.ended is None:
            stats["total"] = run.intake.known
        return {**stats, "duration": run.duration_seconds}

    # -- the end

    def stop(self) -> None:
        """Let calls in flight finish and start nothing else; return at once.

        What was not started ends as cancelled, and the `process_all` or `stream` under way comes
        to its end with all results.
        """
        if self._run is not None:
            self._run.stop()
        elif self._beginning.locked():
            self._is_stop_asked = True

    async def shutdown(self) -> None:
        """Stop as `stop` does, wait for the calls in flight, and close.

        Called from a worker's own code (a post-processor, say), it cannot wait, and returns at
        once; the processor closes with its `async with`.
        """
        self._closed = True
        self.stop()
        if self._is_inside_run():
            return
        run = self._run
        if run is not None:
            await run.join()
            if not run.is_joined:
                self._end(run)
        await self._close()

    async def cleanup(self) -> None:
        """Cancel what is in flight, and close. The `async with` ends with it.

        Called from a worker's own code, it cannot wait, and returns at once.
        """
        self._closed = True
        if self._is_inside_run():
            if self._run is not None:
                self._run.cancel()
            return
        for run in (self._run, self._last_run):
            if run is not None and not run.is_over:
                await run.abort()
        if self._run is not None:
            self._end(self._run)
        await self._close()

    async def _close(self) -> None:
        # All of them, whatever becomes of one: a ledger that stays open locks out the next run.
        async with AsyncExitStack() as parts:
            journal, self._journal = self._journal, None
            if journal is not None:
                parts.push_async_callback(journal.aclose)
            parts.push_async_callback(self._leases.aclose)
            if self._gate is not None:
                parts.push_async_callback(self._gate.aclose)

    async def _join(self, run: Run[TInput, TOutput, TContext]) -> None:
        try:
            await run.join()
            if self._journal is not None:
                await self._journal.end_run(run.stats)
        except LedgerError as error:
            error.result = self.results
            raise

    # -- wiring

    async def _begin(
        self,
        source: Source[TInput, TOutput, TContext] | None,
        order: Order,
        capacity: int | None,
    ) -> Run[TInput, TOutput, TContext]:
        if order not in ("completion", "input"):
            raise ConfigurationError(f"order must be 'completion' or 'input', not {order!r}.")
        return await self._begun(self._begin_alone(source, order, capacity))

    async def _begun_by_queue(self) -> Run[TInput, TOutput, TContext]:
        async def begin() -> Run[TInput, TOutput, TContext]:
            self._refuse_closed()
            return self._run or await self._start(numbered=True, is_open=True)

        return await self._begun(begin())

    async def _begun(
        self, beginning: Coroutine[Any, Any, Run[TInput, TOutput, TContext]]
    ) -> Run[TInput, TOutput, TContext]:
        async with self._beginning:
            self._is_stop_asked = False
            run = await beginning
            if self._is_stop_asked:  # before there was a run
                run.stop()
            return run

    async def _begin_alone(
        self,
        source: Source[TInput, TOutput, TContext] | None,
        order: Order,
        capacity: int | None,
    ) -> Run[TInput, TOutput, TContext]:
        self._refuse_closed()
        if self._run is not None and self._run.is_joined:
            raise RuntimeError(
                "This processor is already processing. Wait for the process_all() or stream() "
                "under way, or use a second processor."
            )
        if self._run is not None and self._run.is_stopping and source is not None:
            raise RuntimeError(
                "What add_work() had begun was stopped. Call process_all() without a source for "
                "its results first."
            )
        self._order = order
        if source is not None:
            if self.config.ledger is not None and isinstance(source, (list, tuple)):
                for item in source:
                    _check_keepable(item)
            self._intake.read_from(source)
        run = self._run
        if run is None:
            run = await self._start(numbered=order == "input", is_open=False, capacity=capacity)
        else:
            run.is_joined = True
            run.outlet.capacity = None if run.is_stopping else capacity
            run.read()
            run.spawn_if_useful()
            run.close_intake()
        if self.config.graceful_interrupt:
            self._interrupts.enter_context(graceful_interrupts(self._interrupted))
        return run

    async def _start(
        self, *, numbered: bool, is_open: bool, capacity: int | None = None
    ) -> Run[TInput, TOutput, TContext]:
        config = self.config
        self._leases.forgive()
        # What belongs to an event loop is of no use on the next one.
        loop = asyncio.get_running_loop()
        if self._books_loop is not loop:
            await self._open_books()
            self._books_loop = loop
        if self._gate is None or self._gate.loop is not loop:
            self._gate = new_gate(config, self._rate_limits, self._events, earlier=self._gate)
            self._leases = Leases()
        if self._journal is not None:
            await self._journal.begin_run()
        stats = ProcessingStats()
        deadlines = Deadlines(config.timeout_per_item)
        lifecycle = self._new_lifecycle(self._gate, deadlines, stats)
        # A run copies the context that it begins in, for its workers.
        with listening(self._gate.heard):
            run = self._run = Run(
                intake=self._intake,
                outlet=Outlet(numbered=numbered, capacity=capacity),
                lifecycle=lifecycle,
                deadlines=deadlines,
                events=self._events,
                stats=stats,
                progress=self._new_progress(),
                max_workers=_worker_count(config),
                is_open=is_open,
                deadline_seconds=config.run_deadline_seconds,
            )
        try:
            await run.start()
        except BaseException:
            # Cancelled before it began: its items end as cancelled, and the next run is free.
            await run.abort()
            self._end(run)
            raise
        return run

    def _end(self, run: Run[TInput, TOutput, TContext]) -> None:
        if self._run is run:
            self._run = None
            self._last_run = run
            if self._intake is run.intake:
                self._intake = self._new_intake()
        self._interrupts.close()

    def _new_intake(self) -> Intake[TInput, TOutput, TContext]:
        return Intake(self.config.max_queue_size)

    def _new_lifecycle(
        self, gate: Gate, deadlines: Deadlines, stats: ProcessingStats
    ) -> Lifecycle[TInput, TOutput, TContext]:
        waits = Waits()
        ledger = None if self._journal is None else self._journal.ledger
        attempts = Attempts(
            config=self.config,
            gate=gate,
            deadlines=deadlines,
            leases=self._leases,
            events=self._events,
            stats=stats,
            classifier=self._classifier,
            payments=(
                self._shared_payments if self._budget is None else Payments(self._budget, ledger)
            ),
            waits=waits,
        )
        return Lifecycle(
            config=self.config,
            attempts=attempts,
            waits=waits,
            now=deadlines.now,
            leases=self._leases,
            events=self._events,
            stats=stats,
            journal=self._journal,
            middlewares=self._middlewares,
            post_processor=self._post_processor,
        )

    async def _open_books(self) -> None:
        """Open the ledger, and count what earlier runs in it have spent against the cap."""
        config = self.config
        journal, self._journal, self._books_loop = self._journal, None, None
        if journal is not None:
            await journal.aclose()
        spent = held = 0.0
        if config.ledger is not None and not config.dry_run:
            # Here, since what keeps outputs takes long to import.
            from .engine.journal import Journal

            self._journal = await Journal.open(config.ledger)
            spent, held = self._journal.ledger.spent_usd, self._journal.ledger.held_usd
        elif self._budget is not None:
            spent, held = self._budget.spent_usd, self._budget.held_usd
        if config.max_cost_usd is not None:
            self._budget = Budget(config.max_cost_usd, spent_usd=spent, held_usd=held)

    def _new_progress(self) -> ProgressReports | None:
        if self._progress_callback is None:
            return None
        config = self.config
        return ProgressReports(
            self._progress_callback, config.progress_interval, config.progress_callback_timeout
        )

    def _interrupted(self) -> None:
        logger.warning(
            "Interrupted: calls in flight will finish, nothing else is started. "
            "Interrupt once more to stop at once."
        )
        self.stop()

    def _is_inside_run(self) -> bool:
        return any(
            run is not None and run.is_called_from_within for run in (self._run, self._last_run)
        )

    def _refuse_closed(self) -> None:
        if self._closed:
            raise ProcessorClosedError(
                "This processor has been closed. Make a new one for more work."
            )

    def _raise_fault(self, run: Run[TInput, TOutput, TContext]) -> None:
        fault = run.intake.fault
        if fault is None:
            return
        raise SourceError(
            f"The source of work items failed after {run.intake.taken} items with "
            f"{describe_error(fault)}. What finished is in this error's `result`.",
            self.results,
        ) from fault


def _check_keepable(item: LLMWorkItem[Any, Any, Any]) -> None:
    from .engine.journal import check_keepable

    check_keepable(item)


def _settled(
    config: ProcessorConfig | None,
    max_workers: int | Literal["auto"] | None,
    timeout_per_item: float | None,
    rate_limit_cooldown: float | None,
    ledger: str | Path | LedgerConfig | None,
    max_cost_usd: float | None,
) -> ProcessorConfig:
    """Return a checked copy of `config`, the single settings put over it."""
    settled = replace(config) if config is not None else ProcessorConfig()
    settled.retry = replace(settled.retry)
    settled.rate_limit = replace(settled.rate_limit)
    if max_workers is not None:
        settled.max_workers = max_workers
    if timeout_per_item is not None:
        settled.timeout_per_item = timeout_per_item
    if rate_limit_cooldown is not None:
        settled.rate_limit.cooldown_seconds = rate_limit_cooldown
    if ledger is not None:
        settled.ledger = ledger if isinstance(ledger, LedgerConfig) else LedgerConfig(ledger)
    if max_cost_usd is not None:
        settled.max_cost_usd = max_cost_usd
    settled.validate()
    return settled


def _cooldown_of(config: RateLimitConfig) -> ExponentialBackoffStrategy:
    return ExponentialBackoffStrategy(
        initial_cooldown=config.cooldown_seconds,
        max_cooldown=max(_LONGEST_COOLDOWN_SECONDS, config.cooldown_seconds),
        backoff_multiplier=config.backoff_multiplier,
        slow_start_items=config.slow_start_items,
        slow_start_initial_delay=config.slow_start_initial_delay,
        slow_start_final_delay=config.slow_start_final_delay,
    )


def _worker_count(config: ProcessorConfig) -> int:
    return MOST if config.max_workers == "auto" else config.max_workers
