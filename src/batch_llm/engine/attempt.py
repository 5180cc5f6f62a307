"""One call of a strategy: what it gave, or what its failure was, in our terms."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..exceptions import BatchLLMError
from ..strategies import FrameworkTimeoutError

if TYPE_CHECKING:
    from .deadlines import Deadlines
    from .life import ItemLife


class CallCancelledError(BatchLLMError):
    """A strategy's call was cancelled from inside the strategy, not by the run."""


def checked(answer: Any, method: str, life: ItemLife[Any, Any, Any]) -> tuple[Any, object]:
    """Return `answer` if it is an output and a usage.

    Raises:
        TypeError: if it is not, naming the strategy's method that gave it.
    """
    if isinstance(answer, tuple) and len(answer) == 2:
        return answer
    raise TypeError(
        f"{type(life.item.strategy).__name__}.{method}() must return (output, token_usage), "
        f"not a {type(answer).__name__}."
    )


def failed(
    error: BaseException,
    life: ItemLife[Any, Any, Any],
    task: asyncio.Task[Any],
    deadlines: Deadlines,
) -> BaseException:
    """Return the exception that stands for what `execute()` raised.

    Any timeout becomes a `FrameworkTimeoutError`; the run's own cancellation stays what it is.
    """
    if isinstance(error, asyncio.CancelledError):
        return _cancelled(error, life, task, deadlines)
    stop_clock(task, deadlines)
    if isinstance(error, TimeoutError) and not isinstance(error, FrameworkTimeoutError):
        return _timeout(life, deadlines, "timed out by itself", error)
    return error


def _cancelled(
    error: asyncio.CancelledError,
    life: ItemLife[Any, Any, Any],
    task: asyncio.Task[Any],
    deadlines: Deadlines,
) -> BaseException:
    if deadlines.end(task):
        # A cancellation of the run may have come at the same moment; it goes first.
        return error if task.uncancel() else _timeout(life, deadlines, "was cut off", error)
    if task.cancelling():
        return error
    inside = CallCancelledError(
        f"The call for {life.item.item_id} was cancelled inside "
        f"{type(life.item.strategy).__name__}."
    )
    inside.__cause__ = error
    return inside


def stop_clock(task: asyncio.Task[Any], deadlines: Deadlines) -> None:
    """End an attempt's time, or an item's: it has come to its end in its own way."""
    if deadlines.end(task):
        # The strategy swallowed the cancellation and ended in its own way: let that stand.
        task.uncancel()


def _timeout(
    life: ItemLife[Any, Any, Any],
    deadlines: Deadlines,
    what: str,
    cause: BaseException | None,
) -> FrameworkTimeoutError:
    elapsed = deadlines.now() - life.called
    limit = deadlines.limit_seconds
    timeout = FrameworkTimeoutError(
        f"Item {life.item.item_id!r}: attempt {life.attempt} {what} after {elapsed:.1f} s "
        f"(one attempt may take {limit:g} s).",
        item_id=life.item.item_id,
        elapsed=elapsed,
        timeout_limit=limit,
    )
    timeout.__cause__ = cause
    return timeout
