"""One run: its workers, from the first item to the last result."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Generic

from ..base import TContext, TInput, TOutput
from ..observers.base import ProcessingEvent
from .life import CANCELLED

if TYPE_CHECKING:
    from ..base import LLMWorkItem, ProcessingStats
    from .deadlines import Deadlines
    from .events import Events
    from .intake import Intake
    from .lifecycle import Lifecycle
    from .outlet import Outlet
    from .progress_reports import ProgressReports

_ITEMS_BETWEEN_YIELDS = 128

_current_run: ContextVar[Run[Any, Any, Any] | None] = ContextVar("batch_llm_run", default=None)


class Run(Generic[TInput, TOutput, TContext]):
    """Workers that take items from an intake and put results into an outlet.

    Workers are spawned as there is work for them, and go when there is none; the run ends when
    the last has gone and nothing is left.

    Args:
        is_open: whether more may come although nothing is left; `join` ends that.

    Attributes:
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
        self._gone = asyncio.Event()
        self._stopping = False
        self._crash: BaseException | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self.began = self._deadlines.now()
        self.ended: float | None = None

    # -- from outside

    async def start(self) -> None:
        """Spawn the first workers."""
        self.stats.total = self.intake.known
        await self._announce(ProcessingEvent.BATCH_STARTED, total=self.stats.total)
        for _ in range(min(self._max_workers, max(1, self.intake.known))):
            self.spawn_if_useful()
        self._supervisor = asyncio.create_task(self._supervise())
        self._see_whether_all_gone()

    def spawn_if_useful(self) -> None:
        """Spawn a worker if there is work for it and room among the workers."""
        if self._free_ids and not self._stopping and self.intake.may_have_more:
            worker_id = self._free_ids.pop()
            worker = asyncio.create_task(self._work(worker_id))
            self._workers.add(worker)
            worker.add_done_callback(lambda task: self._worker_gone(task, worker_id))

    def stop(self) -> None:
        """Let calls in flight finish, and start nothing else; the rest ends as cancelled."""
        self._stopping = True
        self.is_open = False
        self._lifecycle.stop()
        self.outlet.release()
        self._see_whether_all_gone()

    async def join(self) -> None:
        """Wait for the end; cancelled while waiting, cancel the run and see it end.

        Raises:
            Exception: what broke the run itself; never what failed an item.
        """
        assert self._supervisor is not None, "a run is started before it is joined"
        self.is_open = False
        self._see_whether_all_gone()
        try:
            await asyncio.shield(self._supervisor)
        except asyncio.CancelledError:
            await self.abort()
            raise
        if self._crash is not None:
            raise self._crash

    async def abort(self) -> None:
        """Cancel what is in flight, and wait until all is accounted for."""
        self.stop()
        for worker in self._workers:
            worker.cancel()
        if self._supervisor is not None:
            try:
                await asyncio.shield(self._supervisor)
            except asyncio.CancelledError:
                self._supervisor.cancel()
                raise

    @property
    def duration_seconds(self) -> float:
        """Seconds since its start, up to its end."""
        return (self._deadlines.now() if self.ended is None else self.ended) - self.began

    @property
    def is_joined_from_within(self) -> bool:
        """Whether the caller runs inside one of this run's workers, and so cannot wait for it."""
        return _current_run.get() is self

    # -- workers

    async def _work(self, worker_id: int) -> None:
        _current_run.set(self)
        task = asyncio.current_task()
        assert task is not None, "a worker is a task"
        await self._announce(ProcessingEvent.WORKER_STARTED, worker_id=worker_id)
        try:
            await self._take_and_live(worker_id, task)
        finally:
            await self._announce(ProcessingEvent.WORKER_STOPPED, worker_id=worker_id)

    async def _take_and_live(self, worker_id: int, task: asyncio.Task[Any]) -> None:
        intake, outlet, lifecycle, stats = self.intake, self.outlet, self._lifecycle, self.stats
        progress = self._progress
        is_first = True
        while not self._stopping:
            item = intake.take() or await self._wait_for_item(task)
            if item is None:
                return
            number = intake.taken - 1
            if is_first:
                is_first = False
                self.spawn_if_useful()
            result = await lifecycle.live(item, worker_id, task)
            full = outlet.put(result, number)
            if (heard := lifecycle.announce(result, worker_id)) is not None:
                await heard
            if progress is not None and result.error_category != CANCELLED:
                progress.item_done(stats.processed, intake.known, result.item_id)
            if task.cancelling():
                return
            if full is not None:
                await full
            elif number % _ITEMS_BETWEEN_YIELDS == 0:
                # Calls that never wait (a dry run) must not keep the loop from all else.
                await asyncio.sleep(0)

    async def _wait_for_item(
        self, task: asyncio.Task[Any]
    ) -> LLMWorkItem[TInput, TOutput, TContext] | None:
        """Read from an async source, if no other worker does."""
        if not self.intake.must_wait:
            return None
        self._lifecycle.waiting.add(task)
        try:
            item = await self.intake.wait()
        except asyncio.CancelledError:
            if self._stopping:
                return None
            raise
        finally:
            self._lifecycle.waiting.discard(task)
        if item is not None:
            # Another follows as reader, while this one works.
            self.spawn_if_useful()
        return item or self.intake.take()

    def _worker_gone(self, worker: asyncio.Task[None], worker_id: int) -> None:
        self._workers.discard(worker)
        self._free_ids.append(worker_id)
        if not worker.cancelled() and (error := worker.exception()) is not None:
            self._crash = self._crash or error
            self.stop()
        if not self._workers:
            self.spawn_if_useful()
        self._see_whether_all_gone()

    def _see_whether_all_gone(self) -> None:
        if not self._workers and not self.is_open:
            self._gone.set()

    # -- end

    async def _supervise(self) -> None:
        try:
            await self._gone.wait()
            self._stopping = True
            await self._cut_short()
            await self.intake.aclose()
        finally:
            self._deadlines.close()
            self.stats.total = self.intake.taken
            self.ended = self._deadlines.now()
            self.outlet.close()
        if self._progress is not None:
            await self._progress.finish()
        await self._announce(
            ProcessingEvent.BATCH_COMPLETED,
            total=self.stats.total,
            succeeded=self.stats.succeeded,
            failed=self.stats.failed,
            duration=self.ended - self.began,
        )

    async def _cut_short(self) -> None:
        """Account for the items that no worker came to."""
        first = self.intake.taken
        for number, item in enumerate(self.intake.abandon(), first):
            result = self._lifecycle.cut_short(item)
            self.outlet.put(result, number)
            if (heard := self._lifecycle.announce(result, None)) is not None:
                await heard

    async def _announce(self, event: ProcessingEvent, **data: object) -> None:
        if (heard := self._events.emit(event, data)) is not None:
            await heard
