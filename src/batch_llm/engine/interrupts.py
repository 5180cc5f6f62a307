"""Ctrl-C in two steps: the first stops gracefully, the second at once."""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

# All runs of the main thread that the next interrupt stops, and what it did before them.
_stops: dict[object, Callable[[], None]] = {}
_previous: Any = None


@contextmanager
def graceful_interrupts(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on the loop at the first SIGINT; from the second on, do what was done before.

    Several runs at once are all stopped by the first. It does nothing outside the main thread, and
    where the program has a SIGINT handler of its own (a web server, say): that program stops in its
    own way.
    """
    if not _take_over():
        yield
        return
    loop = asyncio.get_running_loop()
    key = object()
    _stops[key] = lambda: _call_soon(loop, stop)
    try:
        yield
    finally:
        _stops.pop(key, None)
        if not _stops:
            _give_back()


def _take_over() -> bool:
    global _previous  # noqa: PLW0603 - a signal has one handler in a process
    if threading.current_thread() is not threading.main_thread():
        return False
    current = signal.getsignal(signal.SIGINT)
    if current is _on_interrupt:
        return True
    if not is_replaceable(current):
        return False
    _previous = current
    signal.signal(signal.SIGINT, _on_interrupt)
    return True


def _give_back() -> None:
    if signal.getsignal(signal.SIGINT) is _on_interrupt:
        signal.signal(signal.SIGINT, _previous)


def _on_interrupt(_signum: int, _frame: FrameType | None) -> None:
    _give_back()
    for stop in tuple(_stops.values()):
        stop()


def _call_soon(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    # From a signal handler only the thread-safe call wakes a loop that waits.
    if not loop.is_closed():
        loop.call_soon_threadsafe(stop)


def is_replaceable(handler: object) -> bool:
    """Return whether a SIGINT handler is Python's default or asyncio's."""
    if handler is signal.default_int_handler:
        return True
    owner = getattr(handler.func, "__self__", None) if isinstance(handler, functools.partial) else 0
    return isinstance(owner, asyncio.Runner)
