"""Jobs as work items of the live lane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ..base import Job, LLMWorkItem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .live_strategies import LiveStrategies

LiveItem: TypeAlias = LLMWorkItem[str, Any, Job]


class LiveItems:
    """Jobs as work items, made anew each time they are read: files are not kept in memory.

        async with ParallelBatchProcessor(max_workers=20) as processor:
            result = await processor.process_all(batch.to_live())

    An item has the job's id, its whole request as prompt, and the job itself as context.

    Args:
        jobs: of a batch.
        strategies: that call their models.

    Raises:
        LaneError: naming the jobs that cannot go live.
        ConfigurationError: if a strategy cannot be made: a `MissingKeyError`, say.
    """

    def __init__(self, jobs: Sequence[Job], strategies: LiveStrategies) -> None:
        strategies.check(jobs)
        self._jobs = jobs
        self._strategies = strategies

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[LiveItem]:
        """Yield an item a job, in their order.

        Raises:
            JobError: if the file of a job cannot be read.
        """
        return (live_item(job, self._strategies) for job in self._jobs)


def live_item(job: Job, strategies: LiveStrategies) -> LiveItem:
    """Return the item of a job; its file is read.

    Raises:
        LaneError: if it cannot go live.
        JobError: if its file cannot be read.
    """
    return LLMWorkItem(job.id, strategies.of(job), job.to_request(), context=job)
