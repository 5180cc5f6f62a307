"""Ctrl-C in two steps: the first stops gracefully, the second at once."""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

logger = logging.getLogger("batch_llm")


@contextmanager
def graceful_interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on the loop at the first SIGINT; from the second on, do what was done before.

    It does nothing outside the main thread, and where the program has a SIGINT handler of its own
    (a web server, say): that program stops in its own way.
    """
    previous = _replaceable()
    if previous is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def on_interrupt(_signum: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, previous)
        loop.call_soon_threadsafe(stop)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is on_interrupt:
            signal.signal(signal.SIGINT, previous)


def _replaceable() -> Any:
    """Return the SIGINT handler if it is Python's default or asyncio's, else None."""
    if threading.current_thread() is not threading.main_thread():
        return None
    current = signal.getsignal(signal.SIGINT)
    if current is signal.default_int_handler:
        return current
    if isinstance(current, functools.partial):
        owner = getattr(current.func, "__self__", None)
        if isinstance(owner, asyncio.Runner):
            return current
    return None
