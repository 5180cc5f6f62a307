"""Where a run's results go: kept for the end, or handed over one by one."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias

from ..base import TContext, TOutput, WorkItemResult

if TYPE_CHECKING:
    from collections.abc import Awaitable

Order: TypeAlias = Literal["completion", "input"]


class Outlet(Generic[TOutput, TContext]):
    """Results that have not been handed over yet.

    Args:
        numbered: whether the items' numbers are kept too, which input order needs.
        capacity: results that may wait for a reader before workers wait too; None for no limit.
    """

    def __init__(self, *, numbered: bool, capacity: int | None) -> None:
        self.capacity = capacity
        self._results: deque[WorkItemResult[TOutput, TContext]] = deque()
        self._numbers: deque[int] | None = deque() if numbered else None
        self._held: dict[int, WorkItemResult[TOutput, TContext]] = {}
        self._next_number = 0
        self._reader: asyncio.Future[None] | None = None
        self._writers: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def put(self, result: WorkItemResult[TOutput, TContext], number: int) -> Awaitable[None] | None:
        """Take a result; await what comes back, unless it is None, before giving another.

        The wait can never lock up in input order: the result that a reader waits for belongs to an
        item taken before all that are held, so its worker is at work and not waiting here.
        """
        self._results.append(result)
        if self._numbers is not None:
            self._numbers.append(number)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
        if self.capacity is None or len(self._results) + len(self._held) < self.capacity:
            return None
        room = asyncio.get_running_loop().create_future()
        self._writers.append(room)
        return room

    def close(self) -> None:
        """Say that no result will follow."""
        self._closed = True
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def release(self) -> None:
        """Let all workers that wait for a reader go on: the reader has gone."""
        self.capacity = None
        while self._writers:
            self._let_one_go()

    def peek(self, order: Order) -> list[WorkItemResult[TOutput, TContext]]:
        """Return all results not handed over yet, in `order` where numbers are kept."""
        if self._numbers is None or order == "completion":
            return [*self._held.values(), *self._results]
        numbered = {**self._held, **dict(zip(self._numbers, self._results, strict=True))}
        return [numbered[number] for number in sorted(numbered)]

    async def next(self, order: Order) -> WorkItemResult[TOutput, TContext] | None:
        """Return the next result in `order`, or None after the last."""
        if order == "input":
            return await self._next_in_line()
        while not self._results:
            if self._closed:
                return None
            await self._wait()
        if self._numbers is not None:
            self._numbers.popleft()
        return self._handed(self._results.popleft())

    async def _next_in_line(self) -> WorkItemResult[TOutput, TContext] | None:
        assert self._numbers is not None, "input order needs numbers"
        while True:
            while self._results:
                self._held[self._numbers.popleft()] = self._results.popleft()
            result = self._held.pop(self._next_number, None)
            if result is not None:
                self._next_number += 1
                return self._handed(result)
            if self._closed:
                return None
            await self._wait()

    def _handed(
        self, result: WorkItemResult[TOutput, TContext]
    ) -> WorkItemResult[TOutput, TContext]:
        if self._writers:
            self._let_one_go()
        return result

    async def _wait(self) -> None:
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def _let_one_go(self) -> None:
        writer = self._writers.popleft()
        if not writer.done():
            writer.set_result(None)
