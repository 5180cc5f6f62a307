"""An event loop in another thread, for callers that block."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import CancelledError
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar

from .interrupt_steps import interrupt_steps, interrupts_held

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future
    from types import TracebackType
    from typing import Self

    from anyio.from_thread import BlockingPortal

T = TypeVar("T")


class LoopElsewhere:
    """A loop in a thread of its own that lives for a `with` block; its work is waited for.

    Args:
        stop: what the first Ctrl-C during a wait calls, on the loop. The second cancels the work.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._is_stopped = False
        self._stack = ExitStack()
        self._portal: BlockingPortal
        self._loop: asyncio.AbstractEventLoop

    def __enter__(self) -> Self:
        from anyio.from_thread import start_blocking_portal

        try:
            with interrupts_held():
                self._portal = self._stack.enter_context(start_blocking_portal())
                self._loop = self._portal.call(_running_loop)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with interrupts_held():
            self._stack.__exit__(kind, error, traceback)

    def wait_for(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what comes of `work`.

        Raises:
            KeyboardInterrupt: at the second Ctrl-C, counted from the first wait.
        """
        steps = () if self._is_stopped else (self._stop_soon,)
        return wait_on(self._loop, work, *steps)

    def finish(self, *works: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do all of `works`, one after the other; Ctrl-C is raised after them, a third at once."""
        with interrupts_held():
            for work in works:
                self._portal.call(work)

    def _stop_soon(self) -> None:
        self._is_stopped = True
        self._loop.call_soon_threadsafe(self._stop)


def wait_on(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], *steps: Callable[[], None]
) -> T:
    """Return what comes of `work` on a loop that another thread runs.

    Args:
        loop: that is running.
        work: what to do on it.
        steps: what the first interrupts do. The next one cancels the work.

    Raises:
        KeyboardInterrupt: once the work was told to end.
    """
    future: Future[T] | None = None
    is_cut = False

    def cut() -> None:
        nonlocal is_cut
        is_cut = True
        loop.call_soon_threadsafe(cancel)

    def cancel() -> None:
        if future is not None:
            future.cancel()

    with interrupt_steps(*steps, cut):
        future = asyncio.run_coroutine_threadsafe(work, loop)
        if is_cut:  # before there was anything that `cancel` could cancel
            future.cancel()
        try:
            found = future.result()
        except CancelledError:
            if is_cut:
                raise KeyboardInterrupt from None
            raise
        except BaseException:  # from a signal handler of the program's; cancels nothing that ended
            future.cancel()
            raise
    if is_cut:  # too late to cut anything
        raise KeyboardInterrupt
    return found


async def _running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()
