"""How a batch goes on: validated, run, finished; or cancelled, expired, failed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from ..faults import FaultKind
from .batch import DoneLine

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ..faults import Fault
    from ..world import World
    from .batch import BatchState, LineEnd, RemoteBatch

TLine = TypeVar("TLine")

# Between so many lines, other requests get their turn.
_LINES_AT_A_STRETCH = 20


class BatchRunner(Generic[TLine]):
    """Takes one batch through its states, in simulated time.

    Args:
        world: where it happens.
        batch: what is run; its state, results and failure are written as they come.
        lines: what is executed, one for each of the batch's custom ids.
        execute: runs a line.
        finish: called once, when no more lines will run and before the last state is reached: for
            result files. None does nothing.
    """

    def __init__(
        self,
        world: World,
        batch: RemoteBatch,
        lines: Sequence[TLine],
        execute: Callable[[TLine], Awaitable[DoneLine]],
        finish: Callable[[RemoteBatch], None] | None = None,
    ) -> None:
        self._world = world
        self._batch = batch
        self._lines = lines
        self._execute = execute
        self._finish = finish
        self._cancelled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reach(batch.state)

    def start(self) -> None:
        """Let it run, in a task of its own."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def cancel(self) -> None:
        """Ask it to stop: lines that ran are kept, the others end as cancelled."""
        if not self._batch.has_ended and self._batch.state != "cancelling":
            self._reach("cancelling")
            self._cancelled.set()

    async def aclose(self) -> None:
        """Stop at once, with the world."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        batch, times = self._batch, self._world.batch_times
        try:
            if not await self._pass(times.validating_seconds):
                return await self._stop()
            if batch.failure is None and (fault := self._fault(FaultKind.BATCH_FAILED)):
                batch.failure = (fault.error_type or "internal_error", "The batch failed.")
            if batch.failure is not None:
                return self._end("failed")
            self._reach("in_progress")
            if not await self._run_lines():
                return await self._stop()
            if batch.state == "in_progress":
                self._reach("finalizing")
            if not await self._pass(times.finalizing_seconds):
                return await self._stop()
            self._end("completed")
        finally:
            self._world.limits.dequeue(batch.id)

    async def _run_lines(self) -> bool:
        """Run all lines, spread over the batch's time; return False where it was stopped."""
        world, total = self._world, len(self._lines)
        seconds = world.batch_times.running.draw(world.chance, self._batch.id.encode())
        slices = min(world.batch_times.slices, max(total, 1))
        expiry = self._fault(FaultKind.BATCH_EXPIRED)
        most = total if expiry is None else int(total * expiry.share)
        for number in range(slices):
            if not await self._pass(seconds / slices):
                return False
            start, end = total * number // slices, total * (number + 1) // slices
            await self._run_slice(self._lines[start : min(end, most)])
        if expiry is None:
            return True
        await self._pass(self._batch.expires_at - world.clock.now())
        return False

    async def _run_slice(self, lines: Sequence[TLine]) -> None:
        for number, line in enumerate(lines):
            if number % _LINES_AT_A_STRETCH == 0:
                await asyncio.sleep(0)
            if self._cancelled.is_set():
                return
            self._batch.done.append(await self._execute(line))

    async def _pass(self, seconds: float) -> bool:
        """Let time pass; return False where the batch was cancelled or expired meanwhile."""
        clock, batch = self._world.clock, self._batch
        end = min(clock.now() + seconds, batch.expires_at)
        waiting = asyncio.ensure_future(clock.sleep_until(end))
        stopping = asyncio.ensure_future(self._cancelled.wait())
        try:
            await asyncio.wait((waiting, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
            stopping.cancel()
        return not self._cancelled.is_set() and clock.now() < batch.expires_at

    async def _stop(self) -> None:
        """End as cancelled or as expired, with what is done."""
        if self._cancelled.is_set():
            await self._world.clock.sleep(self._world.batch_times.cancelling_seconds)
            self._end("cancelled", rest="canceled")
        else:
            self._end("expired", rest="expired")

    def _end(self, state: BatchState, rest: LineEnd | None = None) -> None:
        batch = self._batch
        if rest is not None:
            left = batch.custom_ids[len(batch.done) :]
            batch.done.extend(DoneLine(custom_id, rest) for custom_id in left)
        batch.done = self._mangled(batch.done)
        if self._finish is not None:
            self._finish(batch)
        self._reach(state)

    def _mangled(self, done: list[DoneLine]) -> list[DoneLine]:
        """Return the results as the faults leave them: without some, or in another order."""
        chance, name = self._world.chance, self._batch.id

        def drawn(line: DoneLine) -> float:
            return chance.uniform("line", f"{name}\0{line.custom_id}".encode())

        if (missing := self._fault(FaultKind.BATCH_MISSING_LINES)) is not None:
            lost = round(len(done) * missing.share)
            gone = {id(line) for line in sorted(done, key=drawn)[:lost]}
            done = [line for line in done if id(line) not in gone]
        if self._fault(FaultKind.BATCH_SHUFFLED) is not None:
            done = sorted(done, key=drawn)
        return done

    def _fault(self, kind: FaultKind) -> Fault | None:
        return next((fault for fault in self._batch.faults if fault.kind is kind), None)

    def _reach(self, state: BatchState) -> None:
        self._batch.state = state
        self._batch.reached.setdefault(state, self._world.clock.now())
