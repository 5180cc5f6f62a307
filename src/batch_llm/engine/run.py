"""One run: its workers, from the first item to the last result."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Generic

from ..base import TContext, TInput, TOutput
from ..observers.base import ProcessingEvent
from .collector import seldom_collected
from .life import CANCELLED

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ..base import LLMWorkItem, ProcessingStats, WorkItemResult
    from .deadlines import Deadlines
    from .events import Events
    from .intake import Intake
    from .lifecycle import Lifecycle
    from .outlet import Outlet
    from .progress_reports import ProgressReports

logger = logging.getLogger("batch_llm")

_ITEMS_BETWEEN_YIELDS = 128
_TELLING_SECONDS = 5.0

# All runs that a task works inside of, the outermost first: a processor may be used within another.
_enclosing_runs: ContextVar[tuple[Run[Any, Any, Any], ...]] = ContextVar(
    "batch_llm_runs", default=()
)


class Run(Generic[TInput, TOutput, TContext]):
    """Workers that take items from an intake and put results into an outlet.

    Workers are spawned as there is work for them, and go when there is none; the run ends when
    the last has gone and nothing is left.

    Args:
        is_open: whether more may come although nothing is left; `close_intake` ends that.
        deadline_seconds: how long it may take; what has not ended by then is cut off.

    Attributes:
        is_joined: whether someone waits for its results, or has them.
        began: the loop's time at its start.
        ended: the loop's time at its end; None while it goes on.
    """

    def __init__(
        self,
        *,
        intake: Intake[TInput, TOutput, TContext],
        outlet: Outlet[TOutput, TContext],
        lifecycle: Lifecycle[TInput, TOutput, TContext],
        deadlines: Deadlines,
        events: Events,
        stats: ProcessingStats,
        progress: ProgressReports | None,
        max_workers: int,
        is_open: bool,
        deadline_seconds: float | None = None,
    ) -> None:
        self.is_open = is_open
        self.intake = intake
        self.outlet = outlet
        self.stats = stats
        self._lifecycle = lifecycle
        self._deadlines = deadlines
        self._events = events
        self._progress = progress
        self._max_workers = max_workers
        self._workers: set[asyncio.Task[None]] = set()
        self._free_ids = list(range(max_workers - 1, -1, -1))
        self._reader: asyncio.Task[None] | None = None
        self._room_to_read: asyncio.Future[None] | None = None
        # Copied for each worker, so that all know whose they are and none sees another's variables.
        self._context = copy_context()
        self._enclosing = (*_enclosing_runs.get(), self)
        self._context.run(_enclosing_runs.set, self._enclosing)
        self._is_ramping = True
        self._gone = asyncio.Event()
        self._stopping = False
        self._aborted = False
        self._crash: BaseException | None = None
        self._supervisor = asyncio.create_task(self._supervise())
        self.is_joined = not is_open
        self.began = self._deadlines.now()
        self.ended: float | None = None
        self._deadline_seconds = deadline_seconds
        self._deadline: asyncio.TimerHandle | None = None

    # -- from outside

    async def start(self) -> None:
        """Spawn the first workers."""
        self.stats.total = self.intake.known
        if self._deadline_seconds is not None:
            loop = asyncio.get_running_loop()
            self._deadline = loop.call_later(self._deadline_seconds, self._run_out)
        await self._announce(ProcessingEvent.BATCH_STARTED, total=self.stats.total)
        for _ in range(min(self._max_workers, max(1, self.intake.known))):
            self.spawn_if_useful()
        self.read()
        self._see_whether_all_gone()

    def read(self) -> None:
        """Begin to read the intake's source, if it has one."""
        if self.intake.has_stream and self._reader is None and not self._stopping:
            self._reader = asyncio.create_task(self._read())
            self._reader.add_done_callback(self._reader_gone)

    def close_intake(self) -> None:
        """End once all that has come is done."""
        self.is_open = False
        self._see_whether_all_gone()

    def spawn_if_useful(self) -> None:
        """Spawn a worker if there is work for it and room among the workers."""
        if self._free_ids and not self._stopping and self.intake.may_have_more:
            worker_id = self._free_ids.pop()
            worker = asyncio.create_task(self._work(worker_id), context=self._context.copy())
            self._workers.add(worker)
            worker.add_done_callback(lambda task: self._worker_gone(task, worker_id))

    def stop(self) -> None:
        """Let calls in flight finish, and start nothing else; the rest ends as cancelled."""
        self._stopping = True
        self._lifecycle.stop()
        if self._reader is not None:
            self._reader.cancel()
        self.outlet.release()
        self.close_intake()

    async def join(self) -> None:
        """Wait for the end; cancelled while waiting, cancel the run and see it end.

        Raises:
            BaseException: what broke the run itself; never what failed an item.
        """
        self.close_intake()
        try:
            await asyncio.shield(self._supervisor)
        except asyncio.CancelledError:
            await self.abort()
            raise
        if self._crash is not None:
            raise self._crash

    async def abort(self) -> None:
        """Cancel what is in flight, and wait until all is accounted for.

        Cancelled while it waits, it waits no longer: the items' clean-up is cut off as well.
        """
        self.cancel()
        try:
            await asyncio.wait([self._supervisor])
        except asyncio.CancelledError:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Cancel what is in flight, except for the task that asks for it."""
        self._aborted = True
        self.stop()
        for worker in self._workers:
            if worker is not asyncio.current_task():
                worker.cancel()
        if self.ended is not None and not self.is_called_from_within:
            # Only the telling is left, and whoever hears may hang.
            self._supervisor.cancel()

    def _run_out(self) -> None:
        """Cut off what the run's deadline has come upon."""
        if self.ended is None:
            self._lifecycle.stopped_by = (
                f"the run's deadline of {self._deadline_seconds:g} s passed"
            )
            self.cancel()

    @property
    def is_stopping(self) -> bool:
        """Whether nothing else is started."""
        return self._stopping

    @property
    def is_over(self) -> bool:
        """Whether all is accounted for and told."""
        return self._supervisor.done()

    @property
    def duration_seconds(self) -> float:
        """Seconds since its start, up to its end."""
        return (self._deadlines.now() if self.ended is None else self.ended) - self.began

    @property
    def is_called_from_within(self) -> bool:
        """Whether the caller runs inside one of this run's tasks, and so cannot wait for it."""
        return self in _enclosing_runs.get()

    # -- workers

    async def _work(self, worker_id: int) -> None:
        task = asyncio.current_task()
        assert task is not None, "a worker is a task"
        await self._announce(ProcessingEvent.WORKER_STARTED, worker_id=worker_id)
        lifecycle, intake = self._lifecycle, self.intake
        try:
            while (item := self._take()) is not None:
                number = intake.taken - 1
                self._let_read()
                if self._is_ramping:
                    self._ramp()
                result = await lifecycle.live(item, worker_id, task)
                if (pause := self._hand_over(result, number, worker_id)) is not None:
                    await pause
                if task.cancelling() or lifecycle.fatal is not None:
                    break
        finally:
            await self._announce(ProcessingEvent.WORKER_STOPPED, worker_id=worker_id)
        fatal, lifecycle.fatal = lifecycle.fatal, None
        if fatal is not None:
            # Raised by one worker alone: a second time would cut off the first one's clean-up.
            self.stop()
            raise fatal

    def _take(self) -> LLMWorkItem[TInput, TOutput, TContext] | None:
        return None if self._stopping else self.intake.take()

    def _ramp(self) -> None:
        """Spawn one more worker, as long as that is of use: a source's length may be unknown."""
        before = len(self._workers)
        self.spawn_if_useful()
        self._is_ramping = len(self._workers) > before

    def _hand_over(
        self, result: WorkItemResult[TOutput, TContext], number: int, worker_id: int
    ) -> Awaitable[None] | None:
        """Pass a result on and tell of it; await what comes back, unless it is None."""
        full = self.outlet.put(result, number)
        heard = self._lifecycle.announce(result, worker_id)
        if self._progress is not None and result.error_category != CANCELLED:
            # Before any wait, so that each count is reported once and in order.
            self._progress.item_done(self.stats.processed, self.intake.known, result.item_id)
        if heard is not None or full is not None:
            return _both(heard, full)
        # Calls that never wait (a dry run) must not keep the loop from all else.
        return asyncio.sleep(0) if number % _ITEMS_BETWEEN_YIELDS == 0 else None

    async def _read(self) -> None:
        """Read the async source, one item ahead of the workers.

        In a task of its own: a source may be slow, and may itself wait for what a worker does.
        """
        _enclosing_runs.set(self._enclosing)
        while not self._stopping and await self.intake.fetch():
            self.spawn_if_useful()
            while self.intake.waiting and not self._free_ids:
                self._room_to_read = asyncio.get_running_loop().create_future()
                await self._room_to_read

    def _let_read(self) -> None:
        room, self._room_to_read = self._room_to_read, None
        if room is not None and not room.done():
            room.set_result(None)

    def _reader_gone(self, reader: asyncio.Task[None]) -> None:
        self._reader = None
        if not reader.cancelled() and (error := reader.exception()) is not None:
            self._break(error)
        self.spawn_if_useful()
        self._see_whether_all_gone()

    def _worker_gone(self, worker: asyncio.Task[None], worker_id: int) -> None:
        self._workers.discard(worker)
        self._free_ids.append(worker_id)
        if not worker.cancelled() and (error := worker.exception()) is not None:
            self._break(error)
        # Work may have come between its last look and its end.
        self.spawn_if_useful()
        self._let_read()
        self._see_whether_all_gone()

    def _break(self, error: BaseException) -> None:
        self._crash = self._crash or error
        self.stop()

    def _see_whether_all_gone(self) -> None:
        if not self._workers and self._reader is None and not self.is_open:
            if not self._stopping:
                # All is done: what is added from now on belongs to the next run.
                self.intake.is_sealed = True
            self._gone.set()

    # -- end

    async def _supervise(self) -> None:
        """Account for all once the workers have gone, then tell of it."""
        _enclosing_runs.set(self._enclosing)
        cut_short: list[WorkItemResult[TOutput, TContext]] = []
        try:
            with seldom_collected(self._max_workers):
                await self._gone.wait()
        finally:
            # Also where the program ends and cancels all its tasks, this one included.
            cut_short = self._account()
        try:
            # What is told of an aborted run must not hold up the one who aborts it.
            async with asyncio.timeout(_TELLING_SECONDS if self._aborted else None):
                await self._tell(cut_short)
        except TimeoutError:
            logger.warning("Observers of an aborted run took too long and were cut off.")

    def _account(self) -> list[WorkItemResult[TOutput, TContext]]:
        """Close the books; return the results of items that no worker came to."""
        self._stopping = True
        cut_short = self._cut_short()
        self._deadlines.close()
        self._lifecycle.close()
        if self._deadline is not None:
            self._deadline.cancel()
        self.stats.total = self.intake.taken
        self.ended = self._deadlines.now()
        self.outlet.close()
        if self._progress is not None and cut_short:
            self._progress.ended_at(self.stats.processed, self.stats.total, cut_short[-1].item_id)
        return cut_short

    def _cut_short(self) -> list[WorkItemResult[TOutput, TContext]]:
        """Account for the items that no worker came to."""
        first = self.intake.taken
        results = []
        for number, item in enumerate(self.intake.abandon(), first):
            result = self._lifecycle.cut_short(item)
            self.outlet.put(result, number)
            results.append(result)
        return results

    async def _tell(self, cut_short: list[WorkItemResult[TOutput, TContext]]) -> None:
        for result in cut_short:
            if (heard := self._lifecycle.announce(result, None)) is not None:
                await heard
        await self.intake.aclose()
        if self._progress is not None:
            await self._progress.finish()
        await self._announce(
            ProcessingEvent.BATCH_COMPLETED,
            total=self.stats.total,
            succeeded=self.stats.succeeded,
            failed=self.stats.failed,
            duration=self.duration_seconds,
        )

    async def _announce(self, event: ProcessingEvent, **data: object) -> None:
        if (heard := self._events.emit(event, data)) is not None:
            await heard


async def _both(first: Awaitable[None] | None, second: Awaitable[None] | None) -> None:
    if first is not None:
        await first
    if second is not None:
        await second
