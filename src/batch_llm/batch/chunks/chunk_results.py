"""What becomes of the jobs of one chunk: their results, kept, and the bill."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ...base import JobResult, PricedModel
from ...base.usd_text import usd_text
from ...exceptions import JobError, MalformedAnswerError, ProviderError
from ...wire.batch_results import UNMATCHED_RESULTS
from ..jobs.job_book import private_texts
from ..jobs.raw_request import raw_request
from ..results.answers import MISSING, missing_result, parse_plainly, result_of
from ..results.repeats import Repeats, best_of_each
from ..state.events import Collected, Settled
from .answer_group import AnswerGroup
from .batch_name import batch_name
from .outage import Outage
from .pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from ...base import Job
    from ...providers import BatchClient
    from ...wire.batch_item import BatchAnswer
    from ...wire.custom_ids import CustomIds
    from ...wire.remote_status import RemoteStatus
    from ..jobs.job_book import JobBook
    from ..params import BatchParams
    from ..state.events import Outcome
    from ..state.journal import Journal
    from ..state.run_state import ChunkState, Overrun

    Kept: TypeAlias = Callable[[list[JobResult]], None]

logger = logging.getLogger("batch_llm")

SUBMISSION_REFUSED: Final = "submission_refused"
_NAMED: Final = 5
_FAILURES: Final = 20_000
_FAILURES_BYTES: Final = 32 * 1024**2
"""That wait for what else the results say."""
_GONE: Final = frozenset({404, 410})


class ChunkResults:
    """Fetches and keeps the results of one chunk. What goes through many does so in a thread.

    Args:
        chunk: as the state has it.
        job_ids: of its jobs, as they were submitted.
        journal: of the run.
        book: has the jobs.
        client: of the provider.
        params: how the run is run.
        kept: told of results once they are kept.
        say_why: told why they cannot be fetched, for a person; "" once they were.
    """

    def __init__(
        self,
        chunk: ChunkState,
        job_ids: tuple[str, ...],
        journal: Journal,
        book: JobBook,
        client: BatchClient,
        params: BatchParams,
        kept: Kept,
        say_why: Callable[[str], None],
    ) -> None:
        self._chunk = chunk
        self._job_ids = job_ids
        self._journal = journal
        self._book = book
        self._client = client
        self._params = params
        self._kept = kept
        self._say_why = say_why
        # By job, what all that the results say of it has cost; None where that is not known.
        self._costs: dict[str, float | None] = {}
        self._has_warned = False
        self._has_told_of_repeats = False
        self._unreadable: set[str] = set()

    async def fetch(self, status: RemoteStatus) -> str | None:
        """Keep the results, as soon as they can be fetched; return what stays wrong with them.

        Results that are not there, cannot be read or lack jobs may be whole the next time: a
        gateway sends a page of its own, a connection is cut. After the time of grace that is
        believed.

        Raises:
            AuthenticationError: if the key is refused for that long.
        """
        pauses, since = Pauses(self._params.poll_interval_seconds), time.monotonic()
        grace_seconds = self._params.orphan_grace_seconds
        name = batch_name(self._chunk, self._job_ids)
        outage = Outage(self._client.provider, name, grace_seconds)
        wrong: str | None = None
        while True:
            try:
                await self._fetch_once(status)
                break
            except ProviderError as error:
                may_last = error.code == UNMATCHED_RESULTS or error.status_code in _GONE
                if may_last and time.monotonic() - since >= grace_seconds:
                    logger.warning("%s: %s Its jobs without a result fail.", name, error)
                    wrong = str(error)
                    break
                self._say_why(outage.note("the results cannot be fetched", error))
            await asyncio.sleep(max(pauses.next_seconds(), outage.retry_after_seconds))
        self._say_why("")
        return wrong

    @property
    def has_unreadable(self) -> bool:
        """Whether there are answers that could not be read."""
        return bool(self._unreadable)

    def keep_missing(self, status: RemoteStatus, why: str | None) -> None:
        """Keep how jobs ended that the results of an ended batch say nothing of."""
        missing = list(self._journal.state.waiting_ids(self._chunk))
        has_partial = self._client.gives_partial_results
        self._keep(
            missing_result(job_id, status, why, has_partial=has_partial) for job_id in missing
        )

    def keep_refused(self, why: str, named: Mapping[str, str]) -> None:
        """Let the jobs that wait fail, of a chunk that the provider refuses for good.

        Args:
            why: the reason.
            named: by job id, the reasons of those that the provider names.
        """
        waiting = list(self._journal.state.waiting_ids(self._chunk))
        if self._chunk.jobs > 1:
            why = f"{why} (said of {self._chunk.jobs:,} jobs together)"
        self._keep(_refused(job_id, named.get(job_id, why)) for job_id in waiting)

    def keep_named(self, named: Mapping[str, str], category: str = SUBMISSION_REFUSED) -> None:
        """Let jobs fail that are at fault, of a chunk that is released: they are in none.

        Args:
            named: the reasons, by job id.
            category: the kind of reason.
        """
        results = (_refused(job_id, why, category) for job_id, why in named.items())
        self._keep(results, is_released=True)

    def keep_gone(self, why: str) -> None:
        """Let the jobs that wait end, of a batch that is gone: what they have cost, nobody tells.

        In a run with a deadline they have expired, and so go live.
        """
        waiting = list(self._journal.state.waiting_ids(self._chunk))
        outcome: Outcome = "failed" if self._journal.state.deadline is None else "expired"
        self._keep(
            JobResult(
                job_id,
                outcome=outcome,
                error=why,
                error_category=MISSING,
                cost_usd=None,
                batch_id=self._chunk.remote_id,
            )
            for job_id in waiting
        )

    async def close(self) -> None:
        """Write what the chunk has cost, and that all is kept."""
        chunk, bill = self._chunk, list[Settled]()
        # The bill comes first: nobody comes back to a chunk that is closed.
        if chunk.settled_usd is None:
            bill = [await asyncio.to_thread(self._bill)]
        known = len(self._journal.state.overruns)
        self._journal.write(*bill, Collected(chunk.number))
        if self._params.cost_limit_usd is not None:
            self._log(self._journal.state.overruns[known:])

    # -- inside

    def _log(self, overruns: list[Overrun]) -> None:
        for overrun in overruns:
            logger.error(
                "%s: it cost %s, and at most %s was held for it: its bound was wrong. Nothing more "
                "is sent under the limit in USD.",
                batch_name(self._chunk, self._job_ids),
                usd_text(overrun.usd),
                usd_text(overrun.held_usd),
            )

    def _custom_ids(self) -> CustomIds:
        return self._client.custom_ids(self._job_ids, self._chunk.nonce)

    async def _fetch_once(self, status: RemoteStatus) -> None:
        plan, ids = self._chunk.plan, await asyncio.to_thread(self._custom_ids)
        priced = PricedModel(self._client.provider, plan.model)

        def private(sent_id: str) -> Iterable[str]:
            job_id = ids.job_of(sent_id)
            return () if job_id is None else private_texts(self._book.answered(job_id)[0])

        def result(answer: BatchAnswer) -> JobResult:
            job, gone = self._book.answered(answer.custom_id)
            keeps_raw = self._params.save_raw_responses
            found = result_of(job, answer, priced, status.id, keeps_raw=keeps_raw)
            if gone is not None and found.is_success:
                parse_plainly(found)
                self._warn_once(gone)
            if keeps_raw:
                found.raw_request = self._raw_request(job, ids)
            if isinstance(answer.error, MalformedAnswerError):
                self._unreadable.add(job.id)
            return found

        def keep(answers: list[BatchAnswer]) -> None:
            results = [result(answer) for answer in answers]
            for each in results:
                self._count(each)
            self._keep(best_of_each(results))

        self._costs.clear()
        await self._keep_all(
            self._client.collect(status, ids, plan.endpoint, private=private), keep
        )
        if status.ended_as == "completed" and self._chunk.waiting:
            lacking = f"{self._chunk.waiting} of {self._chunk.jobs} jobs are not among the results."
            raise MalformedAnswerError(lacking, code=UNMATCHED_RESULTS)

    async def _keep_all(
        self, answers: AsyncIterator[BatchAnswer], keep: Callable[[list[BatchAnswer]], None]
    ) -> None:
        """Give answers to `keep` in groups, those that were read before a failure too."""
        repeats = Repeats()
        # Failures wait: of a job that is named twice, an answer is what counts.
        answered, failed = AnswerGroup(), AnswerGroup(_FAILURES, _FAILURES_BYTES)
        try:
            async for answer in answers:
                if repeats.has(answer):
                    continue
                group = answered if answer.outcome == "succeeded" else failed
                group.add(answer)
                if group.is_full:
                    await asyncio.to_thread(keep, group.taken())
        finally:
            await asyncio.to_thread(keep, answered.taken() + failed.taken())
        self._warn_of_repeats(repeats)

    def _warn_once(self, gone: str) -> None:
        """Say that answers come without their model; most often all of a chunk do."""
        if not self._has_warned:
            self._has_warned = True
            name = batch_name(self._chunk, self._job_ids)
            logger.warning("%s: answers are kept as plain values, without a model. %s", name, gone)

    def _warn_of_repeats(self, repeats: Repeats) -> None:
        if repeats.others and not self._has_told_of_repeats:
            self._has_told_of_repeats = True
            named = ", ".join(map(repr, repeats.others[:_NAMED]))
            logger.warning(
                "%s: the results say different things of %d of its jobs (%s%s). An answer counts "
                "before a failure, and what is first before what is later; all of it is taken as "
                "billed.",
                batch_name(self._chunk, self._job_ids),
                len(repeats.others),
                named,
                ", …" if len(repeats.others) > _NAMED else "",
            )

    def _count(self, result: JobResult) -> None:
        """Add what a result has cost to what its job has."""
        before, more = self._costs.get(result.job_id, 0.0), result.cost_usd
        self._costs[result.job_id] = None if before is None or more is None else before + more

    def _raw_request(self, job: Job, ids: CustomIds) -> dict[str, Any] | None:
        try:
            line = self._book.line(job)
        except JobError:  # its file is gone by now: the answer counts all the same
            return None
        return raw_request(self._client.encode(line, ids, self._chunk.plan.endpoint))

    def _keep(self, results: Iterable[JobResult], *, is_released: bool = False) -> None:
        """Keep results that are new, and tell of them once they are durable."""
        state, number = self._journal.state, None if is_released else self._chunk.number
        new = [result for result in results if state.outcome(result.job_id) is None]
        if not new:
            return
        self._journal.keep_results((result.to_dict() for result in new), _outcome, number)
        self._journal.sync()
        for result in new:
            self._costs.setdefault(result.job_id, result.cost_usd)
        self._kept(new)

    def _bill(self) -> Settled:
        """Return what the chunk has cost, as far as that is known; what it may have, is held."""
        costs = [self._cost_of(job_id) for job_id in self._job_ids]
        known = [cost for cost in costs if cost is not None]
        # Exactly, lest a sum of the estimates themselves is over the sum of the estimates.
        spent_usd, unknown, number = math.fsum(known), len(costs) - len(known), self._chunk.number
        reserved_usd = self._chunk.reserved_usd
        if unknown and reserved_usd is not None:
            return Settled(spent_usd, number, held_usd=max(0.0, reserved_usd - spent_usd))
        return Settled(spent_usd, number, unpriced=unknown)

    def _cost_of(self, job_id: str) -> float | None:
        if job_id in self._costs:
            return self._costs[job_id]
        kept = self._journal.result(job_id)  # before a restart
        return None if kept is None else kept.get("cost_usd")


def _refused(job_id: str, why: str, category: str = SUBMISSION_REFUSED) -> JobResult:
    return JobResult(job_id, error=why, error_category=category, cost_usd=0.0)


def _outcome(result: object) -> Outcome:
    found: Outcome = result["outcome"]  # type: ignore[index]  # of `JobResult.to_dict`
    return found
