"""SIGINT and SIGTERM in two steps: the first stops a run, the second leaves at once."""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

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
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    is_second = False

    def on_signal(number: int, _frame: FrameType | None) -> None:
        nonlocal is_second
        if is_second:
            leave()
            _end(number)
        is_second = True
        logger.warning(
            "Stopping: nothing more is submitted, and what is under way is waited for. A second "
            "signal leaves at once; the state is saved either way."
        )
        stop()

    before = {number: signal.signal(number, on_signal) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)


def _end(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(_KILLED + number)
