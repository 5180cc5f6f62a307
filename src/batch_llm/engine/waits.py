"""Where items wait between two steps, and a stop may cut in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

T = TypeVar("T")


class Waits:
    """The waits of one run's items: nothing is in flight there, and a stop ends them at no loss.

    Attributes:
        stopping: whether nothing else is started.
    """

    __slots__ = ("_tasks", "stopping")

    def __init__(self) -> None:
        self.stopping = False
        self._tasks: set[asyncio.Task[Any]] = set()

    def stop(self) -> None:
        """Cut all waits short, and those that are yet to come."""
        self.stopping = True
        for task in tuple(self._tasks):
            task.cancel()

    async def out(self, awaitable: Awaitable[T], task: asyncio.Task[Any]) -> T:
        """Wait for `awaitable` in `task`, which is the current one.

        Raises:
            CancelledError: if the run is stopped first.
        """
        if self.stopping:
            if isinstance(awaitable, Coroutine):
                awaitable.close()
            raise asyncio.CancelledError
        self._tasks.add(task)
        try:
            return await awaitable
        finally:
            self._tasks.discard(task)
