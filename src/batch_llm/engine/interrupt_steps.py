"""Ctrl-C while a thread waits for work on the loop of another."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .interrupts import is_replaceable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextmanager
def interrupt_steps(*steps: Callable[[], None]) -> Iterator[None]:
    """Take the next of `steps` at each SIGINT; after the last, do what was done before.

    Nothing is raised meanwhile: an exception in the midst of a lock's own code leaves the lock
    held, and the other thread would wait for it for ever. Steps run wherever the signal has cut
    in, and take no lock.

    It does nothing outside the main thread, and where the program has a SIGINT handler of its own.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not is_replaceable(before):
        yield
        return
    left = list(steps)

    def on_interrupt(_signum: int, _frame: FrameType | None) -> None:
        step = left.pop(0)
        if not left:
            signal.signal(signal.SIGINT, before)
        step()

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is on_interrupt:
            signal.signal(signal.SIGINT, before)


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end for a SIGINT that comes in between; a third does at once.

    For what is short, and safe only when it is whole. Two are what an impatient user sends.
    """
    held: list[None] = []

    def hold() -> None:
        held.append(None)

    with interrupt_steps(hold, hold):
        yield
    if held:
        raise KeyboardInterrupt
