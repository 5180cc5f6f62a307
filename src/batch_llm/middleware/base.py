"""Steps around each item: change it, skip it, change its result, answer for its failure."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic

from ..base import TContext, TInput, TOutput

if TYPE_CHECKING:
    from ..base import LLMWorkItem, WorkItemResult


class Middleware(ABC, Generic[TInput, TOutput, TContext]):
    """Steps around each item, in the order given; after the item, in reverse order."""

    @abstractmethod
    async def before_process(
        self, work_item: LLMWorkItem[TInput, TOutput, TContext]
    ) -> LLMWorkItem[TInput, TOutput, TContext] | None:
        """Return the item to process (the same, or another), or None to skip it.

        A skipped item ends as failed, with the error "Skipped by middleware". An error raised
        here fails the item.
        """

    @abstractmethod
    async def after_process(
        self, result: WorkItemResult[TOutput, TContext]
    ) -> WorkItemResult[TOutput, TContext]:
        """Return the result to hand on; called for failed results too. Errors are logged."""

    @abstractmethod
    async def on_error(
        self, work_item: LLMWorkItem[TInput, TOutput, TContext], exception: Exception
    ) -> WorkItemResult[TOutput, TContext] | None:
        """Return a result that stands for the failed one, or None.

        Called once the item has failed for good; the first middleware that returns one wins.
        """


class BaseMiddleware(Middleware[TInput, TOutput, TContext]):
    """A middleware that changes nothing; override the steps you want."""

    async def before_process(
        self, work_item: LLMWorkItem[TInput, TOutput, TContext]
    ) -> LLMWorkItem[TInput, TOutput, TContext] | None:
        """Return the item as it is."""
        return work_item

    async def after_process(
        self, result: WorkItemResult[TOutput, TContext]
    ) -> WorkItemResult[TOutput, TContext]:
        """Return the result as it is."""
        return result

    async def on_error(
        self,
        work_item: LLMWorkItem[TInput, TOutput, TContext],
        exception: Exception,
    ) -> WorkItemResult[TOutput, TContext] | None:
        """Leave the failure as it is."""
        return None
