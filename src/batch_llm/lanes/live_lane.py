"""Answers jobs one by one, as they come, through the live lane."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ..base import JobResult
from ..core import AUTO, ProcessorConfig
from ..exceptions import ConfigurationError, InputError, LaneError
from ..parallel import ParallelBatchProcessor
from ..rows.result_row import INPUT_ERROR
from .live_items import live_item
from .live_results import job_result_of
from .live_strategies import LiveStrategies

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

    from ..base import Job, WorkItemResult
    from ..engine.payments import Payments
    from .live_items import LiveItem
    from .live_strategies import GivenStrategies, OwnRoute

    Ended = Callable[["LiveEnd"], Awaitable[None]]

_NOT_ANSWERED: Final[dict[str | None, str]] = {
    "cancelled": "the run was stopped before it was called live",
    "budget_exceeded": "what is left of the limit in USD does not pay for its live call",
}
"""Why jobs have not ended whose items failed so."""


@dataclass(slots=True)
class LiveEnd:
    """What became of a job.

    Attributes:
        job_id: of the job.
        result: how it ended; None where it has not: another run may answer it.
        reason: why it has not; "" where it has.
        spent_usd: what its calls have cost all the same, where it has not ended; None where no
            price of theirs is known.
        calls: made for it, those refused by a rate limit included.
        unanswered_calls: those of them whose answers never came.
        seconds: from its start in the lane to its end, waits included.
    """

    job_id: str
    result: JobResult | None = None
    reason: str = ""
    spent_usd: float | None = 0.0
    calls: int = 0
    unanswered_calls: int = 0
    seconds: float = 0.0


class LiveLane:
    """Answers jobs through a `ParallelBatchProcessor`: its gate, its retries, one strategy a model.

    Args:
        strategies: of the user's own; see `GivenStrategies`.
        config: of the processor, by default with as many calls at once as the provider bears.
        own_route: see `LiveStrategies`.

    Raises:
        ConfigurationError: for settings that are the batch's to keep (`max_cost_usd`, `ledger`),
            and a dry run, which would keep made-up answers.

    Attributes:
        strategies: by which jobs can be checked before they go.
    """

    def __init__(
        self,
        strategies: GivenStrategies | None = None,
        config: ProcessorConfig | None = None,
        own_route: OwnRoute | None = None,
    ) -> None:
        config = config or ProcessorConfig(max_workers=AUTO)
        for name in ("max_cost_usd", "ledger"):
            if getattr(config, name) is not None:
                raise ConfigurationError(
                    f"{name} is kept by the batch: its cost limit and its state file count for "
                    f"calls of the live lane too."
                )
        if config.dry_run:
            raise ConfigurationError("dry_run would keep made-up answers as those of jobs.")
        # Signals are for the run to answer.
        self._config = replace(config, graceful_interrupt=False)
        self.strategies = LiveStrategies(strategies, own_route)
        self._processor: ParallelBatchProcessor[str, Any, Job] | None = None
        self._is_stopped = False

    async def answer(
        self, jobs: AsyncIterator[Job], ended: Ended, payments: Payments | None = None
    ) -> None:
        """Answer jobs as they come, until there are no more, or `stop` was called.

        Args:
            jobs: in the order in which they go.
            ended: told of each; its call goes on once `ended` has returned, and what it raises
                ends the run.
            payments: what calls may cost; None sets no limit.
        """
        telling = _Telling(ended, self.stop)
        try:
            await self._answer(jobs, telling, payments)
        finally:
            self._processor, self._is_stopped = None, False
        if telling.fault is not None:
            raise telling.fault

    async def _answer(
        self, jobs: AsyncIterator[Job], telling: _Telling, payments: Payments | None
    ) -> None:
        async with ParallelBatchProcessor[str, Any, "Job"](
            config=self._config, post_processor=telling.of_call, payments=payments
        ) as processor:
            self._processor = processor
            async with (
                aclosing(self._items(jobs, telling)) as items,
                aclosing(processor.stream(items)) as results,
            ):
                if self._is_stopped:
                    return
                async for result in results:
                    await telling.of_uncalled(result)

    def stop(self) -> None:
        """Let the calls of the `answer` under way, or of the next one, end; start nothing else."""
        self._is_stopped = True
        if self._processor is not None:
            self._processor.stop()

    async def _items(self, jobs: AsyncIterator[Job], telling: _Telling) -> AsyncGenerator[LiveItem]:
        async for job in jobs:
            try:
                yield live_item(job, self.strategies)
            except LaneError as error:
                await telling.of(LiveEnd(job.id, reason=error.refused[job.id]))
            except InputError as error:
                refused = JobResult(
                    job.id, error=str(error), error_category=INPUT_ERROR, cost_usd=0.0
                )
                await telling.of(LiveEnd(job.id, refused))


class _Telling:
    """Tells how jobs end; what that fails with stops the lane."""

    def __init__(self, ended: Ended, stop: Callable[[], None]) -> None:
        self._ended = ended
        self._stop = stop
        self._told: set[str] = set()
        self.fault: Exception | None = None

    async def of_call(self, result: WorkItemResult[Any, Job]) -> None:
        """Tell of an item at its end, before its worker takes another."""
        self._told.add(result.item_id)
        await self.of(_end_of(result))

    async def of_uncalled(self, result: WorkItemResult[Any, Job]) -> None:
        """Tell of an item that no worker has taken."""
        if result.item_id in self._told:
            self._told.remove(result.item_id)
        else:
            await self.of(_end_of(result))

    async def of(self, end: LiveEnd) -> None:
        try:
            await self._ended(end)
        except Exception as error:  # whatever it is, the run ends with it
            self.fault = self.fault or error
            self._stop()


def _end_of(result: WorkItemResult[Any, Job]) -> LiveEnd:
    """Return what an end means for the job: one that was not called has not ended."""
    job_id, category = result.item_id, result.error_category
    if isinstance(result.exception, ConfigurationError):
        reason = str(result.exception)
    elif category in _NOT_ANSWERED:
        reason = _NOT_ANSWERED[category]
    else:
        return LiveEnd(
            job_id,
            job_result_of(result.context, result),
            calls=result.attempts,
            unanswered_calls=result.unanswered_calls,
            seconds=result.duration_seconds,
        )
    return LiveEnd(job_id, reason=reason, spent_usd=result.cost_usd)
