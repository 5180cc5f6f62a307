"""The life of one chunk: found or submitted, polled, collected."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final, TypeAlias

from ..base import PricedModel
from ..exceptions import AuthenticationError, InputError, ProviderError, SubmissionError
from ..providers.chunk import Chunk, Intent
from ..providers.orphan import Found, Unprovable
from ..wire.batch_results import UNMATCHED_RESULTS
from ..wire.custom_ids import new_nonce
from .answers import missing_result, result_of
from .events import Again, Collected, Collecting, Created, Polled, Refused, Settled, Uploaded
from .job_book import JobLines, private_texts
from .pauses import Pauses
from .run_state import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..base import JobResult
    from ..providers import BatchClient
    from ..wire.custom_ids import CustomIds
    from ..wire.remote_status import RemoteStatus
    from .events import Outcome
    from .job_book import JobBook
    from .journal import Journal
    from .params import BatchParams
    from .run_state import ChunkState

    Kept: TypeAlias = Callable[[list[JobResult]], None]

logger = logging.getLogger("batch_llm")

NEVER_TAKEN: Final = "no remote batch of it was found"
"""Why a chunk goes again whose create nobody saw the end of."""

_BAD_FOR_GOOD: Final = frozenset({400, 404, 413})
"""HTTP says so of a create or an upload that will not do better another time."""
_BAD_KEY: Final = frozenset({401, 403})
_GROUP: Final = 500
_GONE: Final = frozenset({404, 410})


class RemoteChunk:
    """Takes one chunk from where it stands to its end. Every step is written before the next.

    Args:
        chunk: as the state has it.
        journal: of the run.
        book: has the jobs.
        client: of the provider.
        params: how the run is run.
        kept: told of results once they are kept.
    """

    def __init__(
        self,
        chunk: ChunkState,
        journal: Journal,
        book: JobBook,
        client: BatchClient,
        params: BatchParams,
        kept: Kept,
    ) -> None:
        self._chunk = chunk
        self._journal = journal
        self._book = book
        self._client = client
        self._params = params
        self._kept = kept
        self._job_ids = tuple(journal.state.job_ids_of(chunk))
        self.is_submitting = False
        self._costs: dict[str, float | None] = {}
        self.why = ""
        """Why it waits, for a person; "" where the provider is at work."""

    async def submit(self) -> None:
        """Upload and create what was just planned, once.

        Raises:
            AuthenticationError: if the key is refused; the jobs wait for a better one.
        """
        self.is_submitting = True
        try:
            is_known = await self._submit()
        finally:
            self.is_submitting = False
        if not is_known:
            await self.find()

    async def _submit(self) -> bool:
        """Upload and create; return whether it is known what came of it."""
        try:
            handle = await self._client.upload(self._sent(), self._intent())
        except (ProviderError, InputError) as error:
            self._refused(error)
            return True
        if handle is not None:
            self._journal.write(Uploaded(self._chunk.number, handle))
        try:
            remote_id = await self._client.create(self._sent(), handle, self._intent())
        except SubmissionError as error:
            if error.acceptance == "refused":
                await self._discard([handle] if handle is not None else [])
                self._refused(error)
                return True
            logger.warning("Chunk %d: %s Looking for it.", self._chunk.number, error)
            return False
        self._journal.write(Created(self._chunk.number, remote_id))
        return True

    async def find(self) -> None:
        """Look for the remote batch of a create that nobody saw the end of; adopt it.

        Where there surely is none, the chunk goes again. Where that cannot be told, look again.
        """
        pauses, since = Pauses(self._params.poll_interval_seconds), time.monotonic()
        grace = self._params.orphan_grace_seconds
        while self._chunk.may_be_orphan:
            left = grace - (time.monotonic() - since)
            nonce, found = await self._look()
            if isinstance(found, Found):
                self._adopt(nonce, found.remote_id)
            elif isinstance(found, Unprovable):
                self.why = found.reason
                await asyncio.sleep(pauses.next_seconds())
            elif found is None:
                await asyncio.sleep(pauses.next_seconds())
            elif left <= 0:
                self._journal.write(Refused(self._chunk.number, NEVER_TAKEN))
            else:
                self.why = "looking for a batch that may have been created"
                await asyncio.sleep(min(left, pauses.next_seconds()))
        self.why = ""

    async def finish(self) -> None:
        """Poll until the remote batch has ended, and keep what became of its jobs."""
        status = await self._ended()
        if status.ended_as == "failed" and status.waits_for_tokens:
            reason = status.error.message if status.error else "too many tokens are enqueued"
            self._journal.write(Refused(self._chunk.number, reason))
            await self._discard(status.inputs)
            return
        await self._collect(status)

    async def cancel(self) -> None:
        """Have the provider stop; what is done by then is collected all the same."""
        if self._chunk.remote_id is not None and self._chunk.step is Step.CREATED:
            await self._client.cancel(self._chunk.remote_id)

    # -- submitting

    def _custom_ids(self) -> CustomIds:
        return self._client.custom_ids(self._job_ids, self._chunk.nonce)

    def _sent(self) -> Chunk:
        plan = self._chunk.plan
        lines = JobLines(self._book, self._job_ids)
        return Chunk(plan.model, plan.endpoint, lines, self._custom_ids())

    def _intent(self, nonce: str | None = None) -> Intent:
        chunk = self._chunk
        return Intent(nonce or chunk.nonce, chunk.jobs, chunk.plan.at)

    def _refused(self, error: ProviderError | InputError) -> None:
        status = error.status_code if isinstance(error, ProviderError) else None
        is_final = isinstance(error, InputError) or status in _BAD_FOR_GOOD
        self._journal.write(Refused(self._chunk.number, str(error)))
        if is_final:
            self._fail_all(str(error))
        if status in _BAD_KEY:
            raise AuthenticationError(
                f"{self._client.provider} refuses the key, and its jobs wait: {error}",
                status_code=status,
            ) from error

    def _fail_all(self, why: str) -> None:
        from ..base import JobResult

        waiting = list(self._journal.state.waiting_ids(self._chunk))
        category = "submission_refused"
        self._keep(
            JobResult(job_id, error=why, error_category=category, cost_usd=0.0)
            for job_id in waiting
        )
        self._journal.write(Collected(self._chunk.number))

    async def _look(self) -> tuple[str, object]:
        """Return what a search brings for any of the chunk's nonces, the newest first."""
        state, chunk = self._journal.state, self._chunk
        known = {remote_id for each in state.chunks for remote_id in each.remote_ids}
        unprovable: tuple[str, object] | None = None
        found: object = None
        try:
            for nonce in reversed(chunk.nonces):
                handle = chunk.file if nonce == chunk.nonce else None
                found = await self._client.find_orphan(self._intent(nonce), known, handle=handle)
                if isinstance(found, Found):
                    return nonce, found
                if isinstance(found, Unprovable):
                    unprovable = unprovable or (nonce, found)
        except ProviderError as error:
            self.why = f"the provider's list cannot be read: {error}"
            return chunk.nonce, None
        return unprovable or (chunk.nonce, found)

    def _adopt(self, nonce: str, remote_id: str) -> None:
        number = self._chunk.number
        if nonce != self._chunk.nonce:
            # What an earlier submission was stamped with: its custom ids are made of that.
            reserved = self._chunk.reserved_usd
            self._journal.write(
                Refused(number, "an earlier submission of it was found"),
                Again(number, nonce, reserved),
            )
        self._journal.write(Created(number, remote_id, adopted=True))

    # -- polling

    async def _ended(self) -> RemoteStatus:
        pauses = Pauses(self._params.poll_interval_seconds)
        remote_id = self._chunk.remote_id
        assert remote_id is not None, "it was created"
        while True:
            status = await self._poll(remote_id)
            if status is not None and status.has_ended:
                return status
            await asyncio.sleep(pauses.next_seconds())

    async def _poll(self, remote_id: str) -> RemoteStatus | None:
        """Return how the batch stands; None where the poll itself failed: it is none of its."""
        try:
            status = await self._client.poll(remote_id)
        except ProviderError as error:
            self.why = f"polling fails: {error}"
            return None
        self.why = ""
        self._note(status)
        return status

    def _note(self, status: RemoteStatus) -> None:
        counts = {
            "total": status.counts.total,
            "succeeded": status.counts.succeeded,
            "failed": status.counts.errored,
            "expired": status.counts.expired,
            "cancelled": status.counts.canceled,
        }
        chunk = self._chunk
        is_news = chunk.status != status.provider_state or chunk.counts != counts
        if is_news or (status.has_ended and chunk.step is Step.CREATED):
            word = status.provider_state or status.state
            self._journal.write(Polled(chunk.number, word, ended=status.has_ended, counts=counts))

    # -- collecting

    async def _collect(self, status: RemoteStatus) -> None:
        chunk, pauses = self._chunk, Pauses(self._params.poll_interval_seconds)
        self._journal.write(Collecting(chunk.number))
        gone: str | None = None
        while True:
            try:
                await self._collect_once(status)
                break
            except ProviderError as error:
                if error.code == UNMATCHED_RESULTS or error.status_code in _GONE:
                    logger.warning("Chunk %d: %s", chunk.number, error)
                    gone = str(error)
                    break
                self.why = f"the results cannot be fetched: {error}"
                await asyncio.sleep(pauses.next_seconds())
        self.why = ""
        missing = list(self._journal.state.waiting_ids(chunk))
        self._keep(missing_result(job_id, status, gone) for job_id in missing)
        self._close()
        if not self._params.keep_remote_files:
            await self._discard([*status.inputs, *status.outputs])

    async def _collect_once(self, status: RemoteStatus) -> None:
        plan, ids = self._chunk.plan, self._custom_ids()
        priced = PricedModel(self._client.provider, plan.model)
        group: list[JobResult] = []

        def private(sent_id: str) -> Iterable[str]:
            job_id = ids.job_of(sent_id)
            return () if job_id is None else private_texts(self._book.job(job_id))

        answers = self._client.collect(status, ids, plan.endpoint, private=private)
        try:
            async for answer in answers:
                job = self._book.job(answer.custom_id)
                raw = self._params.save_raw_responses
                group.append(result_of(job, answer, priced, status.id, keeps_raw=raw))
                if len(group) >= _GROUP:
                    self._keep(group)
                    group = []
        finally:
            self._keep(group)

    def _keep(self, results: Iterable[JobResult]) -> None:
        state, number = self._journal.state, self._chunk.number
        new = [result for result in results if state.outcome(result.job_id) is None]
        self._journal.keep_results((result.to_dict() for result in new), _outcome, number)
        self._costs.update((result.job_id, result.cost_usd) for result in new)
        self._kept(new)

    def _close(self) -> None:
        chunk, bill = self._chunk, list[Settled]()
        # Without a bill the reservation stays: it may have cost as much. And the bill comes first:
        # nobody comes back to a chunk that is closed.
        if chunk.settled_usd is None and (cost := self._cost_usd()) is not None:
            bill = [Settled(cost, chunk.number)]
        self._journal.write(*bill, Collected(chunk.number))

    def _cost_usd(self) -> float | None:
        """Return what the chunk has cost; None where a part of it is not known."""
        costs = [self._cost_of(job_id) for job_id in self._job_ids]
        known = [cost for cost in costs if cost is not None]
        if len(known) < len(costs) and self._chunk.reserved_usd is not None:
            return None
        return sum(known)

    def _cost_of(self, job_id: str) -> float | None:
        if job_id in self._costs:
            return self._costs[job_id]
        kept = self._journal.result(job_id)  # before a restart
        return None if kept is None else kept.get("cost_usd")

    async def _discard(self, handles: Iterable[str]) -> None:
        """Delete files at the provider; that they stay is no reason to fail."""
        try:
            await self._client.delete_files(handles)
        except ProviderError as error:
            logger.warning("Files of chunk %d are left behind: %s", self._chunk.number, error)


def go_again(journal: Journal, chunk: ChunkState) -> None:
    """Write the intent to submit a refused chunk anew."""
    journal.write(Again(chunk.number, new_nonce(), chunk.plan.reserved_usd))


def _outcome(result: object) -> Outcome:
    found: Outcome = result["outcome"]  # type: ignore[index]  # of `JobResult.to_dict`
    return found
