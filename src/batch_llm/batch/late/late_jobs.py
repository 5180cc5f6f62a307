"""Jobs that no remote batch has answered in time, on their way through the live lane."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

import msgspec

from ...base import JobResult
from ...engine.payments import Payments
from ...exceptions import JobError
from ...files import GroupWriter
from ...lanes import LiveEnd
from ...rows.result_row import INPUT_ERROR
from ..chunks.plan import why_unlimited
from ..state.events import Resubmitted, ResultKept, Settled
from .live_money import LiveBudget, LiveReservations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from ...base import Job
    from ...lanes import LiveLane
    from ..jobs.job_book import JobBook
    from ..state.events import Event
    from ..state.journal import Journal
    from ..state.run_state import RunState

_REASONS: Final = 5


class LateJobs:
    """Has jobs answered by the live lane as they become late, and keeps what comes.

    Args:
        journal: of the run.
        book: has the jobs.
        lane: answers them.
        limit_usd: what the run may cost, remote batches included; None sets no limit.
        kept: told of results once they are kept.

    Attributes:
        reasons: why jobs were not answered that still wait, each reason once, the first few.
        under_way: jobs that the lane has, or that wait for it.
    """

    def __init__(
        self,
        journal: Journal,
        book: JobBook,
        lane: LiveLane,
        limit_usd: float | None,
        kept: Callable[[list[JobResult]], None],
    ) -> None:
        self._journal = journal
        self._book = book
        self._lane = lane
        self._kept = kept
        self._writer: GroupWriter[Event] = GroupWriter(_write_to(journal), lambda fault: fault)
        self._budget = None if limit_usd is None else LiveBudget(limit_usd, journal.state)
        self._queue: deque[str] = deque()
        self._offered: set[str] = set()
        self._untold: dict[str, JobResult] = {}
        self._news = asyncio.Event()
        self._is_closed = False
        self._is_over = False
        self.reasons: list[str] = []
        self.under_way = 0

    async def run(self) -> None:
        """Answer what comes until `close`, or `stop`.

        Raises:
            StateError: if the state cannot be written.
        """
        try:
            await self._lane.answer(self._jobs(), self._ended, self._payments())
        finally:
            self._is_over, self.under_way = True, 0
            await self._writer.aclose()
            self._tell_rest()

    def go_on(self) -> None:
        """Take note of remote batches that have ended: their jobs go, and what they give back."""
        if self._budget is not None:
            self._budget.follow()
        state = self._journal.state
        new = [job_id for job_id in free_ids(state) if job_id not in self._offered]
        # They have ended as expired or cancelled, and are tried once more.
        again = [job_id for job_id in new if state.outcome(job_id) is not None]
        self._journal.write(*(Resubmitted(each, state.attempt(each) + 1) for each in again))
        self._offered.update(new)
        self._queue.extend(new)
        self.under_way += len(new)
        self._news.set()

    def close(self) -> None:
        """Say that no remote batch is under way any longer: no more jobs will come."""
        self._is_closed = True
        self._news.set()

    def stop(self) -> None:
        """Let calls in flight end, and start nothing else."""
        self.close()
        if not self._is_over:
            self._lane.stop()

    # -- inside

    def _payments(self) -> Payments | None:
        if self._budget is None:
            return None
        reservations = LiveReservations(self._writer, self._journal.state.last_call)
        return Payments(self._budget.budget, reservations)

    async def _jobs(self) -> AsyncIterator[Job]:
        while True:
            while self._queue:
                job_id = self._queue.popleft()
                why = self._why_unlimited()
                if why is not None:
                    await self._ended(LiveEnd(job_id, reason=why))
                    continue
                try:
                    job = self._book.job(job_id)
                    if self._book.may_have_changed(job):
                        await asyncio.to_thread(self._book.job_to_send, job_id)
                except JobError as error:
                    await self._ended(_not_sent(job_id, error))
                else:
                    yield job
            if self._is_closed:
                return
            self._news.clear()
            await self._news.wait()

    def _why_unlimited(self) -> str | None:
        """Return why no call can be made, where the run has a limit that nobody can keep."""
        if self._budget is None:
            return None
        return why_unlimited(self._journal.state.unpriced, self._journal.state.overruns)

    async def _ended(self, end: LiveEnd) -> None:
        self.under_way -= 1
        if end.result is None:
            self._note_reason(end)
            return
        result = self._untold[end.job_id] = end.result
        await self._writer.add_awaited(self._event_of(result, end))
        self._untold.pop(end.job_id)
        self._kept([result])

    def _event_of(self, result: JobResult, end: LiveEnd) -> ResultKept:
        is_settled = self._budget is not None
        return ResultKept(
            job_id=result.job_id,
            outcome=result.outcome,
            cost_usd=None if is_settled else result.cost_usd,
            is_unpriced=not is_settled and result.cost_usd is None,
            calls=end.calls,
            unanswered_calls=end.unanswered_calls,
            seconds=end.seconds,
            result=msgspec.Raw(msgspec.json.encode(result.to_dict())),
        )

    def _note_reason(self, end: LiveEnd) -> None:
        if end.reason not in self.reasons and len(self.reasons) < _REASONS:
            self.reasons.append(end.reason)
        if end.spent_usd != 0 and self._budget is None:
            self._writer.add(Settled(end.spent_usd or 0.0, unpriced=int(end.spent_usd is None)))

    def _tell_rest(self) -> None:
        """Tell of results that were kept when those who wanted to know were cut off."""
        state = self._journal.state
        rest = [each for each in self._untold.values() if state.outcome(each.job_id) is not None]
        self._untold.clear()
        self._kept(rest)


def free_ids(state: RunState) -> list[str]:
    """Return the jobs without an answer that no remote batch under way can have run."""
    taken = {job_id for chunk in state.open_chunks.values() for job_id in state.job_ids_of(chunk)}
    return [*state.pending_ids(), *(each for each in state.late_ids() if each not in taken)]


def _not_sent(job_id: str, error: JobError) -> LiveEnd:
    """Return how a job ends that is not as it was added; it waits where its model may come back."""
    if error.field != "file":
        return LiveEnd(job_id, reason=str(error))
    why = str(error)
    return LiveEnd(job_id, JobResult(job_id, error=why, error_category=INPUT_ERROR, cost_usd=0.0))


def _write_to(journal: Journal) -> Callable[[Sequence[Event]], None]:
    def write(events: Sequence[Event]) -> None:
        journal.write(*events)

    return write
