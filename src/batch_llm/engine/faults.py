"""Faults of the user's own code, beside the call itself: logged, and the run goes on."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from .tracebacks import place_of

if TYPE_CHECKING:
    from types import TracebackType

logger = logging.getLogger("batch_llm")


def is_fault(error: BaseException) -> bool:
    """Return whether `error` is the fault of the code that raised it.

    An exception is. A `CancelledError` is, where nobody cancelled the task it came up in: code that
    awaits a task which someone else cancelled raises one, and it must end nothing of ours.
    """
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is None or not task.cancelling()
    return isinstance(error, Exception)


class logged_faults:  # noqa: N801 - used as `with logged_faults(…):`, like contextlib.suppress
    """Log what the user's code raises inside the `with`, and go on after it.

    The one place that forgives everything: observers, middleware, callbacks and clean-up stand
    beside an item that is paid for, and their fault must not lose it or touch another.

    Args:
        message: what failed, and what that means, as a `%` format.
        arguments: its values; never prompts or answers.
    """

    __slots__ = ("_arguments", "_message")

    def __init__(self, message: str, *arguments: object) -> None:
        self._message = message
        self._arguments = arguments

    def __enter__(self) -> logged_faults:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None or not is_fault(error):
            return False
        self.log(error)
        return True

    def log(self, error: BaseException) -> None:
        """Log the fault: its type and its place.

        Not its message, nor what it came from: it may have come up while a call's failure was dealt
        with, and quote the answer.
        """
        fault = f"{type(error).__name__} {place_of(error)}"
        logger.warning(f"{self._message} %s", *self._arguments, fault)  # noqa: G004 - a format
