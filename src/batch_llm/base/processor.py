"""What any processor of work items can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from .results import BatchResult, WorkItemResult
from .strategy import TOutput
from .work_item import LLMWorkItem, TContext, TInput

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

PostProcessorFunc: TypeAlias = Callable[[WorkItemResult[TOutput, TContext]], Awaitable[None] | None]
"""Called with each result, as it ends; sync or async."""

ProgressCallbackFunc: TypeAlias = Callable[[int, int, str], Awaitable[None] | None]
"""Called with items ended, items known, and the id of the last one; sync or async."""


class BatchProcessor(ABC, Generic[TInput, TOutput, TContext]):
    """Takes work items, and gives one result for each."""

    @abstractmethod
    async def add_work(self, item: LLMWorkItem[TInput, TOutput, TContext]) -> None:
        """Queue one item."""

    @abstractmethod
    async def process_all(self) -> BatchResult[TOutput, TContext]:
        """Work until the queue is empty; return one result for each item."""

    @abstractmethod
    async def get_stats(self) -> dict[str, Any]:
        """Return the counts of the run so far."""

    @abstractmethod
    async def shutdown(self) -> None:
        """Start nothing new, let calls in flight finish, and close."""

    @abstractmethod
    async def cleanup(self) -> None:
        """Stop at once and close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.cleanup()
