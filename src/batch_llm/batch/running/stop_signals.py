"""SIGINT and SIGTERM in two steps: the first stops a run, the second leaves at once."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

logger = logging.getLogger("batch_llm")

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_KILLED: Final = 128


@contextmanager
def stopping_signals(stop: Callable[[], None], leave: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first signal; at the second `leave`, and end the program.

    The handlers of the program are in force again afterwards. Outside the main thread, where
    Python has no handlers, nothing is done.
    """
    if not _is_main_thread():
        yield
        return
    is_second = False

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal is_second
        if is_second:
            leave()
            _end(number)
        is_second = True
        _say_stopping()
        stop()

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


class Stoppable(Protocol):
    """What signals stop."""

    def has_ended(self) -> bool:
        """Whether nothing is left to stop."""
        ...

    def stop_gently(self) -> None:
        """Begin nothing more."""
        ...

    def leave(self) -> None:
        """End at once."""
        ...


class StopSignals:
    """Stops runs at signals while the main thread does something else, one for all of a program.

    They are known until they are removed, or nobody else knows them. Once none is left, the
    handlers from before are in force again, and at a signal after the end of all too.
    """

    def __init__(self) -> None:
        self._runs: weakref.WeakSet[Stoppable] = weakref.WeakSet()
        self._before: dict[signal.Signals, Any] = {}
        self._is_second = False

    def add(self, run: Stoppable) -> None:
        """Let signals stop this run too.

        Nothing is done off the main thread, within a running event loop, and where the program
        has handlers of its own: they are the program's way to stop.
        """
        if not _is_main_thread() or _is_in_event_loop():
            return
        if not self._before:
            if not _has_default_handlers():
                return
            self._is_second = False
            self._before = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        self._runs.add(run)

    def __contains__(self, run: Stoppable) -> bool:
        return run in self._runs and all(map(self._is_mine, _SIGNALS))

    def remove(self, run: Stoppable) -> None:
        """Leave the run alone from now on; off the main thread nothing is done."""
        if not _is_main_thread() or run not in self._runs:
            return
        self._runs.discard(run)
        if not self._runs:
            self._restore()

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        left = [run for run in self._runs if not run.has_ended()]
        if not left:
            self._runs.clear()
            self._restore()
            signal.raise_signal(number)
            return
        if self._is_second:
            for run in left:
                run.leave()
            _end(number)
        self._is_second = True
        _say_stopping()
        for run in left:
            run.stop_gently()

    def _restore(self) -> None:
        before, self._before = self._before, {}
        for number, handler in before.items():
            if self._is_mine(number):  # not one that the program has set meanwhile
                signal.signal(number, handler)

    def _is_mine(self, number: signal.Signals) -> bool:
        return signal.getsignal(number) == self._on_signal


STOP_SIGNALS: Final = StopSignals()


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _has_default_handlers() -> bool:
    handlers = [signal.getsignal(number) for number in _SIGNALS]
    return handlers == [signal.default_int_handler, signal.SIG_DFL]


def _say_stopping() -> None:
    logger.warning(
        "Stopping: nothing more is submitted, and what is under way is waited for. A second "
        "signal leaves at once; the state is saved either way."
    )


def _end(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(_KILLED + number)
