"""Calling the progress callback, now and then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING

from .faults import logged_faults

if TYPE_CHECKING:
    from ..base import ProgressCallbackFunc

logger = logging.getLogger("batch_llm")

_FAILED = "The progress callback failed; the run goes on."


class ProgressReports:
    """Reports every `interval` items, and the last one.

    A plain callback is called on the spot. What an async one returns is awaited in a task of its
    own, one after another, each for at most `timeout_seconds`, so that no worker waits for it.

    Args:
        callback: called with items ended, items known, and the id of the last one.
        interval: items between two reports.
        timeout_seconds: how long an async callback may take.
    """

    def __init__(
        self, callback: ProgressCallbackFunc, interval: int, timeout_seconds: float
    ) -> None:
        self._callback = callback
        self._interval = interval
        self._timeout_seconds = timeout_seconds
        self._pending: list[Awaitable[None]] = []
        self._drain: asyncio.Task[None] | None = None
        self._last: tuple[int, int, str] | None = None
        self._reported = 0

    def item_done(self, completed: int, total: int, item_id: str) -> None:
        """Learn that an item has ended, and report it if it is time."""
        self._last = (completed, total, item_id)
        if completed % self._interval == 0:
            self._report()

    def ended_at(self, completed: int, total: int, item_id: str) -> None:
        """Learn how the run ended, items that were cut short included; `finish` reports it."""
        self._last = (completed, total, item_id)

    async def finish(self) -> None:
        """Report the end, unless that was done, and wait for what is under way."""
        if self._last is not None and self._reported != self._last[0]:
            self._report()
        if self._drain is not None:
            await self._drain

    def _report(self) -> None:
        assert self._last is not None, "a report is of an item"
        self._reported = self._last[0]
        with logged_faults(_FAILED):
            done = self._callback(*self._last)
            if not isinstance(done, Awaitable):
                return
            self._pending.append(done)
            if self._drain is None or self._drain.done():
                self._drain = asyncio.create_task(self._await_pending())

    async def _await_pending(self) -> None:
        while self._pending:
            limit = asyncio.timeout(self._timeout_seconds)
            with logged_faults(_FAILED):
                try:
                    async with limit:
                        await self._pending.pop(0)
                except TimeoutError:
                    if not limit.expired():
                        raise
                    # What waits behind it is old by now; only the newest is worth the time.
                    for stale in self._pending[:-1]:
                        if isinstance(stale, Coroutine):
                            stale.close()
                    del self._pending[:-1]
                    logger.warning(
                        "The progress callback took longer than %g s and was cut off.",
                        self._timeout_seconds,
                    )
