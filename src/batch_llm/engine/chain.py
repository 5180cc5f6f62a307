"""The middlewares, as one chain around each item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from ..base import LLMWorkItem, TContext, TInput, TOutput, WorkItemResult
from .faults import logged_faults
from .usage_reading import usage_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..middleware import Middleware


class Chain(Generic[TInput, TOutput, TContext]):
    """Hands items inwards through the middlewares, and results outwards in reverse.

    False where there is none.
    """

    __slots__ = ("_links",)

    def __init__(self, middlewares: Sequence[Middleware[TInput, TOutput, TContext]]) -> None:
        self._links = tuple(middlewares)

    def __bool__(self) -> bool:
        return bool(self._links)

    async def enter(
        self, item: LLMWorkItem[TInput, TOutput, TContext]
    ) -> LLMWorkItem[TInput, TOutput, TContext] | None:
        """Return the item to process, or None to skip it.

        Raises:
            TypeError: if a middleware gives something else.
            Exception: whatever a middleware raises; it fails the item.
        """
        for link in self._links:
            changed = await link.before_process(item)
            if changed is None:
                return None
            if not isinstance(changed, LLMWorkItem):
                raise TypeError(
                    f"{type(link).__name__}.before_process must return an LLMWorkItem or None, "
                    f"not a {type(changed).__name__}."
                )
            item = changed
        return item

    async def answer(
        self, item: LLMWorkItem[TInput, TOutput, TContext], error: Exception
    ) -> WorkItemResult[TOutput, TContext] | None:
        """Return the first result that a middleware gives for a failed item, or None."""
        for link in self._links:
            name = type(link).__name__
            with logged_faults("%s.on_error failed for %s; passed over.", name, item.item_id):
                answer = await link.on_error(item, error)
                if answer is not None:
                    return _checked(answer, name, "on_error")
        return None

    async def leave(
        self, result: WorkItemResult[TOutput, TContext]
    ) -> WorkItemResult[TOutput, TContext]:
        """Return the result as the middlewares change it."""
        for link in reversed(self._links):
            name = type(link).__name__
            with logged_faults(
                "%s.after_process failed for %s; the result stays as it was.", name, result.item_id
            ):
                result = _checked(await link.after_process(result), name, "after_process")
        return result


def _checked(
    result: WorkItemResult[TOutput, TContext], name: str, step: str
) -> WorkItemResult[TOutput, TContext]:
    if not isinstance(result, WorkItemResult):
        raise TypeError(
            f"{name}.{step} must return a WorkItemResult, not a {type(result).__name__}."
        )
    result.token_usage = usage_of(result.token_usage, result.item_id)
    return result
