"""Group commit: what comes while one group is written makes up the next."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, TypeAlias, TypeVar

TEntry = TypeVar("TEntry")

Write: TypeAlias = Callable[[Sequence[TEntry]], None]


class Group(Generic[TEntry]):
    """Entries that are written together, and who waits for that.

    Each waiter has a future of its own: a task that is cancelled cancels what it awaits, and one
    future for all would let the others go before their entries are durable.
    """

    __slots__ = ("entries", "loop", "waiters")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.entries: list[TEntry] = []
        self.waiters: list[asyncio.Future[None]] = []

    def resolve(self, error: Callable[[], Exception] | None) -> bool:
        """Let the waiters go; return whether anyone was told of an error."""
        told = False
        for waiter in self.waiters:
            if waiter.done():
                continue  # cancelled: its entry is written all the same
            if error is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(error())
                told = True
        return told


class GroupWriter(Generic[TEntry]):
    """Writes entries in a thread of its own, which sleeps while there are none.

    All methods belong to the thread of the event loop.

    Args:
        write: makes entries durable, or raises; called in the writer's thread.
        explain: makes the error that waiters get of what `write` raised.
    """

    def __init__(self, write: Write[TEntry], explain: Callable[[Exception], Exception]) -> None:
        self._write = write
        self._explain = explain
        self._queue: SimpleQueue[Group[TEntry] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._gathering: Group[TEntry] | None = None
        self._is_writing = False
        self._idle: list[asyncio.Future[None]] = []
        self._fault: Exception | None = None
        self._faults: list[
            Exception
        ] = []  # what the thread met, before the loop knows: one or none
        self._was_told = False

    def add(self, entry: TEntry) -> None:
        """Let `entry` be written with the next group.

        Raises:
            Exception: as `explain` makes it, where an earlier write has failed.
        """
        self._next_group().entries.append(entry)

    def add_awaited(self, entry: TEntry) -> asyncio.Future[None]:
        """Let `entry` be written with the next group; the future ends when it is durable."""
        group = self._next_group()
        group.entries.append(entry)
        waiter = group.loop.create_future()
        group.waiters.append(waiter)
        return waiter

    async def aclose(self) -> None:
        """Write what is left, and end the thread.

        Raises:
            Exception: as `explain` makes it, where a write has failed and nobody knows yet.
        """
        loop = asyncio.get_running_loop()
        while self._loop is loop and (self._is_writing or self._gathering is not None):
            idle = loop.create_future()
            self._idle.append(idle)
            await idle
        # Where the loop of these entries has ended without them, nobody waits, and they count.
        late, self._gathering = self._gathering, None
        if late is not None:
            self._put(late)
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()  # it has little left to do
        fault = next(iter(self._faults), None)
        if fault is not None and not self._was_told:
            self._was_told = True
            raise self._explain(fault)

    # -- in the loop's thread

    def _next_group(self) -> Group[TEntry]:
        if self._fault is not None:
            self._was_told = True
            raise self._explain(self._fault)
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                raise RuntimeError("What is written belongs to the event loop that used it first.")
            self._loop = loop
        group = self._gathering
        if group is None:
            group = self._gathering = Group(loop)
            if not self._is_writing:
                # Not at once: whatever else this turn of the loop has to say joins.
                self._is_writing = True
                group.loop.call_soon(self._submit)
        return group

    def _submit(self) -> None:
        group, self._gathering = self._gathering, None
        self._is_writing = group is not None
        if group is None:
            for idle in self._idle:
                if not idle.done():
                    idle.set_result(None)
            self._idle.clear()
            return
        self._put(group)

    def _put(self, group: Group[TEntry]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=_run,
                args=(self._queue, self._write, self._written, self._faults),
                name="batch-llm writer",
                daemon=True,  # a program that forgets to close its file still ends
            )
            self._thread.start()
        self._queue.put(group)

    def _written(self, group: Group[TEntry], fault: Exception | None) -> None:
        if fault is not None:
            self._fault = fault
            late, self._gathering = self._gathering, None
            for failed in (group, late):
                if failed is not None and failed.resolve(lambda: self._explain(fault)):
                    self._was_told = True
        else:
            group.resolve(None)
        self._submit()


def _run(
    queue: SimpleQueue[Group[TEntry] | None],
    write: Write[TEntry],
    written: Callable[[Group[TEntry], Exception | None], None],
    faults: list[Exception],
) -> None:
    """Write group after group, until there is None; after a failed one, write nothing."""
    while (group := queue.get()) is not None:
        if not faults:
            try:
                write(group.entries)
            except Exception as error:  # whatever it is, every waiter must hear of it
                faults.append(error)
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits
            group.loop.call_soon_threadsafe(written, group, next(iter(faults), None))
        del group
