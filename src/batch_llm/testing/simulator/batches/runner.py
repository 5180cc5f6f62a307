"""How a batch goes on: validated, run, finished; or cancelled, expired, failed."""

from __future__ import annotations

import asyncio
import logging
import math
from functools import partial
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from ..faults import FaultKind
from .batch import DoneLine
from .lots import drawn_lines, lot

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from collections.abc import Set as AbstractSet

    from ..world import World
    from .batch import BatchState, LineEnd, RemoteBatch

logger = logging.getLogger("batch_llm.simulator")

TLine = TypeVar("TLine")

_WITH_RESULTS: Final[frozenset[BatchState]] = frozenset({"completed", "expired", "cancelled"})

# Between so many lines, other requests get their turn.
_LINES_AT_A_STRETCH = 20


class BatchRunner(Generic[TLine]):
    """Takes one batch through its states, in simulated time.

    All moments are planned, from the batch's creation on, and the batch reaches them as soon as
    the clock has passed them. So a clock that is moved by a day lets a whole batch happen, and
    what the simulator itself computes takes no time: at a speed of 10,000 a second of it would
    else be three of the batch's hours.

    Args:
        world: where it happens.
        batch: what is run; its state, results and failure are written as they come.
        lines: what is executed, one for each of the batch's custom ids.
        execute: runs a line. It gives the call's record with the result, and leaves it open: the
            runner closes it, as answered, failed or lost, when the batch has ended: only then it
            is known whether the client can read the result.
        finish: called once, with the batch and the state in which it will end, when no more lines
            will run and before that state is reached: for result files. None does nothing.
        prepare: called once, while the batch is validated, and may take its time: it may still
            fill `lines` and `batch.custom_ids`, or set `batch.failure`. None does nothing.
        with_results: the last states in which the provider gives the results of lines that ran.
    """

    def __init__(
        self,
        world: World,
        batch: RemoteBatch,
        lines: Sequence[TLine],
        execute: Callable[[TLine], Awaitable[DoneLine]],
        finish: Callable[[RemoteBatch, BatchState], None] | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
        with_results: AbstractSet[BatchState] = _WITH_RESULTS,
    ) -> None:
        self._world = world
        self._batch = batch
        self._lines = lines
        self._execute = execute
        self._finish = finish
        self._prepare = prepare
        self._with_results = with_results
        self._moment = batch.created_at
        self._lost: frozenset[int] = frozenset()
        self._cancelled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reach(batch.state)

    def start(self) -> None:
        """Let it run, in a task of its own."""
        self._world.runners.add(self)
        self._task = asyncio.get_running_loop().create_task(self._run())

    def is_behind(self) -> bool:
        """Return whether it has still to do what the clock says is done."""
        return not self._batch.has_ended and self._moment <= self._world.clock.now()

    def cancel(self) -> None:
        """Ask it to stop: lines that ran are kept, the others end as cancelled."""
        if not self._batch.has_ended and self._batch.state != "cancelling":
            self._moment = self._world.clock.now()
            self._reach("cancelling")
            self._cancelled.set()

    async def aclose(self) -> None:
        """Stop at once, with the world."""
        self._world.runners.discard(self)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            state = await self._pass_through()
            if state == "cancelled":
                self._moment += self._world.batch_times.cancelling_seconds
                await self._world.clock.sleep_until(self._moment)
            self._end(state)
        except Exception as error:  # a defect of ours must not leave a batch that never ends
            logger.exception("The simulator's batch %s failed", self._batch.id)
            self._batch.failure = ("internal_error", f"The simulator has a defect: {error}")
            self._reach("failed")
        finally:
            # Of a batch that the world's end or a defect cut short, nobody reads a result.
            self._close_books(has_results=False)
            self._world.limits.dequeue(self._batch.id)
            self._world.runners.discard(self)

    async def _pass_through(self) -> BatchState:
        """Go through all states but the last one, and return that one."""
        batch, times = self._batch, self._world.batch_times
        if self._prepare is not None:
            await self._prepare()
        if not await self._pass(times.validating_seconds):
            return self._stopped()
        if batch.failure is None and (fault := batch.fault(FaultKind.BATCH_FAILED)):
            batch.failure = (fault.error_type or "internal_error", "The batch failed.")
        if batch.failure is not None:
            return "failed"
        self._reach("in_progress")
        if not await self._run_lines():
            return self._stopped()
        self._reach("finalizing")
        if not await self._pass(times.finalizing_seconds):
            return self._stopped()
        return "completed"

    def _stopped(self) -> BatchState:
        return "cancelled" if self._cancelled.is_set() else "expired"

    async def _run_lines(self) -> bool:
        """Run all lines, spread over the batch's time; return False where it was stopped."""
        world, batch, total = self._world, self._batch, len(self._lines)
        self._lost = self._draw_lost()
        seconds = world.batch_times.running.draw(world.chance, batch.subject)
        slices = min(world.batch_times.slices, max(total, 1))
        expiry = batch.fault(FaultKind.BATCH_EXPIRED)
        most = total if expiry is None else int(total * expiry.share)
        for number in range(slices):
            if not await self._pass(seconds / slices):
                return False
            start, end = total * number // slices, total * (number + 1) // slices
            await self._run_slice(start, min(end, most))
        if expiry is not None:
            await self._pass(math.inf)
            return False
        return not self._cancelled.is_set()

    async def _run_slice(self, start: int, end: int) -> None:
        for number in range(start, end):
            if number % _LINES_AT_A_STRETCH == 0:
                await asyncio.sleep(0)
            if self._cancelled.is_set():
                return
            self._batch.add(await self._execute(self._lines[number]))

    def _close_books(self, *, has_results: bool) -> None:
        """Note how the lines ended that are still open."""
        for number, line in enumerate(self._batch.done):
            if (record := line.record) is not None:
                whole = has_results and number not in self._lost
                fate = record.fate_after(line.status, whole=whole)
                self._world.books.close(record, fate, line.status)
                line.record = None

    async def _pass(self, seconds: float) -> bool:
        """Let time pass; return False where the batch was cancelled or expired meanwhile."""
        if self._cancelled.is_set():
            return False
        self._moment = min(self._moment + seconds, self._batch.expires_at)
        waiting = asyncio.ensure_future(self._world.clock.sleep_until(self._moment))
        stopping = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            stopping.cancel()
        return not self._cancelled.is_set() and self._moment < self._batch.expires_at

    def _end(self, state: BatchState) -> None:
        batch = self._batch
        if state in ("cancelled", "expired"):
            rest: LineEnd = "canceled" if state == "cancelled" else "expired"
            for custom_id in batch.custom_ids[len(batch.done) :]:
                batch.add(DoneLine(custom_id, rest))
        self._close_books(has_results=state in self._with_results and not batch.deleted)
        batch.done = self._as_faults_leave(batch.done)
        if self._finish is not None:
            self._finish(batch, state)
        self._reach(state)

    def _draw_lost(self) -> frozenset[int]:
        """Return the numbers of the lines whose results a fault will take away."""
        fault = self._batch.fault(FaultKind.BATCH_MISSING_LINES)
        if fault is None:
            return frozenset()
        return drawn_lines(self._world, self._batch, fault.share)

    def _as_faults_leave(self, done: list[DoneLine]) -> list[DoneLine]:
        """Return the results without those that are lost, or in another order."""
        numbers = [number for number in range(len(done)) if number not in self._lost]
        if self._batch.fault(FaultKind.BATCH_SHUFFLED) is not None:
            numbers.sort(key=partial(lot, self._world, self._batch))
        return [done[number] for number in numbers]

    def _reach(self, state: BatchState) -> None:
        self._batch.state = state
        self._batch.reached.setdefault(state, self._moment)
