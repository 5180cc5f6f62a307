"""One call of a strategy, under its deadline."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..exceptions import BatchLLMError
from ..strategies import FrameworkTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .deadlines import Deadlines
    from .life import ItemLife


class CallCancelledError(BatchLLMError):
    """A strategy's call was cancelled from inside the strategy, not by the run."""


async def call(
    life: ItemLife[Any, Any, Any], task: asyncio.Task[Any], deadlines: Deadlines
) -> tuple[Any, Mapping[str, int | None] | None]:
    """Call the item's strategy once, within the deadline; `task` is the current task.

    Returns:
        What `execute()` returned: the output, and the tokens used.

    Raises:
        FrameworkTimeoutError: where it took too long, or timed out by itself.
        asyncio.CancelledError: where the run cancels it.
        Exception: whatever `execute()` raised.
    """
    item = life.item
    began = deadlines.now()
    deadlines.begin(task, began)
    try:
        answer = await item.strategy.execute(
            item.prompt,  # type: ignore[arg-type]  # checked against the strategy by LLMWorkItem
            life.attempt,
            deadlines.limit_seconds,
            life.state,
        )
    except asyncio.CancelledError as cancelled:
        if deadlines.end(task):
            if task.uncancel():
                raise
            raise _timeout(life, deadlines, began, "was cut off") from None
        if task.cancelling():
            raise
        raise CallCancelledError(
            f"The call for {item.item_id} was cancelled inside {type(item.strategy).__name__}."
        ) from cancelled
    except TimeoutError as error:
        _end(deadlines, task)
        if isinstance(error, FrameworkTimeoutError):
            raise
        raise _timeout(life, deadlines, began, "timed out by itself") from error
    except BaseException:
        _end(deadlines, task)
        raise
    _end(deadlines, task)
    return _checked(answer, item.strategy)


def _end(deadlines: Deadlines, task: asyncio.Task[Any]) -> None:
    if deadlines.end(task):
        # The strategy swallowed the cancellation and ended in its own way: let that stand.
        task.uncancel()


def _timeout(
    life: ItemLife[Any, Any, Any], deadlines: Deadlines, began: float, what: str
) -> FrameworkTimeoutError:
    elapsed = deadlines.now() - began
    limit = deadlines.limit_seconds
    return FrameworkTimeoutError(
        f"Attempt {life.attempt} of {life.item.item_id} {what} after {elapsed:.1f} s "
        f"(limit {limit:g} s). Raise timeout_per_item if calls need longer.",
        item_id=life.item.item_id,
        elapsed=elapsed,
        timeout_limit=limit,
    )


def _checked(answer: Any, strategy: object) -> tuple[Any, Mapping[str, int | None] | None]:
    if type(answer) is tuple and len(answer) == 2:
        return answer
    raise TypeError(
        f"{type(strategy).__name__}.execute() must return (output, token_usage), "
        f"not {type(answer).__name__}."
    )
