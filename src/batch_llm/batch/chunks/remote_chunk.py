"""The life of one chunk: found or submitted, polled, collected."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from ...exceptions import InputError, JobError, ProviderError, SubmissionError
from ...providers.base import NOT_SENT
from ...providers.chunk import Chunk, Intent
from ...providers.orphan import Found, Unprovable
from ...rows.result_row import INPUT_ERROR
from ...wire.custom_ids import new_nonce
from ..jobs.job_book import JobLines
from ..state.events import (
    NEVER_TAKEN,
    Again,
    Cancelled,
    Collected,
    Collecting,
    Created,
    Polled,
    Refused,
    Released,
    Uploaded,
)
from ..state.run_state import Step
from .batch_name import batch_name
from .chunk_results import ChunkResults
from .outage import Outage
from .pauses import Pauses
from .refusals import has_no_credit, is_bad_key, is_for_good, jobs_wait, may_be_of_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ...base import JobResult
    from ...providers import BatchClient
    from ...wire.custom_ids import CustomIds
    from ...wire.remote_status import RemoteError, RemoteStatus
    from ..jobs.job_book import JobBook
    from ..params import BatchParams
    from ..state.journal import Journal
    from ..state.run_state import ChunkState
    from .halving import Halving

    Kept: TypeAlias = Callable[[list[JobResult]], None]

logger = logging.getLogger("batch_llm")

WITHDRAWN: Final = "the run was stopped before it was sent"
"""Why a chunk goes again whose create was never made."""

_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})
_BAD_REQUEST: Final = 400
_GONE: Final = "the provider knows the batch no longer"
"""Why jobs end without an answer whose batch can be polled no more."""


class RemoteChunk:
    """Takes one chunk from where it stands to its end. Every step is written before the next.

    Whatever goes through all jobs of the chunk, or a group of them, does so in a thread.

    Args:
        chunk: as the state has it.
        journal: of the run.
        book: has the jobs.
        client: of the provider.
        params: how the run is run.
        kept: told of results once they are kept.
        may_submit: whether the run still submits; asked right before a create.
        halving: sends its jobs again in parts, where it is refused for the fault of some.
    """

    def __init__(
        self,
        chunk: ChunkState,
        journal: Journal,
        book: JobBook,
        client: BatchClient,
        params: BatchParams,
        kept: Kept,
        may_submit: Callable[[], bool],
        halving: Halving,
    ) -> None:
        self._chunk = chunk
        self._journal = journal
        self._book = book
        self._client = client
        self._params = params
        self._may_submit = may_submit
        self._halving = halving
        self._job_ids = tuple(journal.state.job_ids_of(chunk))
        self._results = ChunkResults(
            chunk, self._job_ids, journal, book, client, params, kept, self._set_why
        )
        self.is_submitting = False
        self._is_unsent = False
        self._unknown_words: set[str] = set()
        self._recalled = asyncio.Event()
        self._telling = asyncio.Lock()
        self._recall_trouble: str | None = ""  # None once the provider was told
        self.why = ""
        """Why it waits, for a person; "" where the provider is at work."""

    def plan_to_submit(self) -> None:
        """Note that nothing was sent under the nonce that it has now: it was written just now."""
        self._is_unsent = True

    def give_back(self) -> None:
        """Write that the provider has nothing of it, where the create was surely not begun."""
        if self._is_unsent and self._chunk.may_be_orphan:
            self._journal.write(Refused(self._chunk.number, WITHDRAWN))

    async def submit(self) -> None:
        """Upload and create what was just planned, once.

        Raises:
            AuthenticationError: if the key is refused, or the account has no credit; the jobs wait.
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
        sent = await asyncio.to_thread(self._sent)
        try:
            handle = await self._client.upload(sent, self._intent())
        except (ProviderError, InputError) as error:
            await self._refused(error)
            return True
        if handle is not None:
            self._journal.write(Uploaded(self._chunk.number, handle))
        if not self._may_submit():
            await self._withdraw(handle)
            return True
        self._is_unsent = False
        try:
            remote_id = await self._client.create(sent, handle, self._intent(), self._may_submit)
        except SubmissionError as error:
            if error.code == NOT_SENT:
                await self._withdraw(handle)
                return True
            if error.acceptance == "refused":
                await self._discard([handle] if handle is not None else [])
                await self._refused(error)
                return True
            before = len(self._chunk.lost)
            again = f" {before} of its creates ended so before." if before else ""
            logger.warning(
                "%s: %s Whether the provider has taken it is not known. It is looked for there, "
                "and sent again only where it is not found.%s",
                self._name,
                error,
                again,
            )
            return False
        except InputError as error:
            await self._discard([handle] if handle is not None else [])
            await self._refused(error)
            return True
        self._journal.write(Created(self._chunk.number, remote_id))
        return True

    async def _withdraw(self, handle: str | None) -> None:
        """Write that nothing of it was sent but a file, which goes."""
        self._journal.write(Refused(self._chunk.number, WITHDRAWN))
        await self._discard([handle] if handle is not None else [])

    async def give_up(self) -> None:
        """Fail the jobs that wait, of a chunk that was refused for good: others of it have."""
        await self._fail_all(self._chunk.reasons[-1])

    async def find(self) -> None:
        """Look for the remote batch of a create that nobody saw the end of; adopt it.

        Where there surely is none, the chunk goes again. Where that cannot be told, look again; and
        where nothing will ever tell, leave it as it is.

        Raises:
            AuthenticationError: if the key is refused for long.
        """
        pauses, since = Pauses(self._params.poll_interval_seconds), time.monotonic()
        outage = self._outage()
        grace = self._params.orphan_grace_seconds
        while self._chunk.may_be_orphan:
            left = grace - (time.monotonic() - since)
            nonce, found = await self._look(outage)
            if isinstance(found, Found):
                self._adopt(nonce, found.remote_id)
            elif isinstance(found, Unprovable):
                self.why = found.reason
                if not found.candidates:
                    return
                await asyncio.sleep(pauses.next_seconds())
            elif found is None:
                await asyncio.sleep(max(pauses.next_seconds(), outage.retry_after_seconds))
            elif left <= 0:
                handle = self._chunk.file
                self._journal.write(Refused(self._chunk.number, NEVER_TAKEN))
                await self._discard([handle] if handle is not None else [])
            else:
                self.why = "looking for a batch that may have been created"
                await asyncio.sleep(min(left, pauses.next_seconds()))
        self.why = ""

    async def finish(self) -> None:
        """Poll until the remote batch has ended, and keep what became of its jobs.

        Raises:
            AuthenticationError: if the key is refused for long; a later run goes on from here.
        """
        status = await self._ended()
        if status is None:
            await self._give_up_gone()
            return
        error = status.error if status.ended_as == "failed" else None
        if error is not None and (status.waits_for_tokens or status.was_refused):
            self._journal.write(Refused(self._chunk.number, error.message))
            await self._discard(status.inputs)
            if not status.waits_for_tokens:
                await self._refused_in_check(error)
            return
        await self._collect(status)

    def recall(self) -> None:
        """Have the provider stop, however often it takes to tell it; look at once what came of it.

        What is done by then is collected all the same. A batch that is still on its way is
        recalled as soon as its id is known.
        """
        self._recalled.set()

    async def cancel(self) -> None:
        """Recall it, and return once the provider is told, where its id is known.

        Raises:
            ProviderError: if it cannot be told now; `finish` goes on trying.
        """
        self.recall()
        async with self._telling:
            if self._recall_trouble is not None and self._chunk.step is Step.CREATED:
                await self._tell_of_recall(self._chunk.remote_id)

    @property
    def _name(self) -> str:
        return batch_name(self._chunk, self._job_ids)

    def _set_why(self, why: str) -> None:
        self.why = why

    # -- submitting

    def _custom_ids(self) -> CustomIds:
        return self._client.custom_ids(self._job_ids, self._chunk.nonce)

    def _sent(self) -> Chunk:
        plan = self._chunk.plan
        lines = JobLines(self._book, self._job_ids)
        return Chunk(plan.model, plan.endpoint, lines, self._custom_ids())

    def _intent(self, nonce: str | None = None) -> Intent:
        chunk = self._chunk
        return Intent(nonce or chunk.nonce, chunk.jobs, chunk.plan.at, self._job_ids)

    async def _refused(self, error: ProviderError | InputError) -> None:
        asked = error.retry_after if isinstance(error, ProviderError) else None
        not_before = None if asked is None else time.time() + asked
        self._journal.write(Refused(self._chunk.number, str(error), not_before))
        if isinstance(error, ProviderError) and (is_bad_key(error) or has_no_credit(error)):
            raise jobs_wait(self._client.provider, error) from error
        if isinstance(error, JobError) and error.job_id in self._job_ids:
            await self._go_on_without(error.job_id, str(error))
        elif is_for_good(error):
            await self._fail_or_halve(str(error), {}, may_be_of_one=may_be_of_one(error))

    async def _go_on_without(self, job_id: str, why: str) -> None:
        """Fail a job that cannot be sent, since its file has changed, say; the others go again."""
        rest = [each for each in self._journal.state.waiting_ids(self._chunk) if each != job_id]
        self._journal.write(Released(self._chunk.number))
        await asyncio.to_thread(self._results.keep_named, {job_id: why}, INPUT_ERROR)
        if rest:
            self._halving.send([rest])

    async def _refused_in_check(self, told: RemoteError) -> None:
        """Go on from a batch that was created, and refused before anything of it ran."""
        error = ProviderError(told.message, code=told.code, status_code=_BAD_REQUEST)
        if has_no_credit(error):
            raise jobs_wait(self._client.provider, error)
        places = range(len(self._job_ids))
        named = {self._job_ids[at]: why for at, why in told.lines.items() if at in places}
        await self._fail_or_halve(told.message, named, may_be_of_one=may_be_of_one(error))

    async def _fail_or_halve(
        self, why: str, named: Mapping[str, str], *, may_be_of_one: bool
    ) -> None:
        """Fail the jobs that are at fault; the others go again, as long as that may help.

        From the release on the jobs are pending, so that they go again also where this process ends
        before they have failed, or were submitted.
        """
        waiting = list(self._journal.state.waiting_ids(self._chunk))
        parts = self._halving.parts_of(self._chunk, waiting, named) if may_be_of_one else []
        if not parts:
            await self._fail_all(why, named)
            return
        self._journal.write(Released(self._chunk.number))
        if named:
            await asyncio.to_thread(self._results.keep_named, named)
        else:
            logger.info("%s: it is refused, and sent again in parts: %s", self._name, why)
        self._halving.send(parts)

    async def _fail_all(self, why: str, named: Mapping[str, str] = _NOBODY) -> None:
        await asyncio.to_thread(self._results.keep_refused, why, named)
        self._journal.write(Collected(self._chunk.number))

    async def _look(self, outage: Outage) -> tuple[str, object]:
        """Return what a search brings for any of the chunk's nonces, the newest first."""
        state, chunk = self._journal.state, self._chunk
        known = state.known_remote_ids
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
            self.why = outage.note("the provider's list cannot be read", error)
            return chunk.nonce, None
        outage.end()
        return unprovable or (chunk.nonce, found)

    def _adopt(self, nonce: str, remote_id: str) -> None:
        number = self._chunk.number
        if nonce != self._chunk.nonce:
            # What an earlier submission was stamped with: its custom ids are made of that. At no
            # moment is the chunk one that goes again: nobody would look for the batch any more.
            self._journal.write(Again(number, nonce, self._chunk.reserved_usd))
        self._journal.write(Created(number, remote_id, adopted=True))

    # -- polling

    def _outage(self) -> Outage:
        grace_seconds = self._params.orphan_grace_seconds
        return Outage(self._client.provider, self._name, grace_seconds)

    async def _ended(self) -> RemoteStatus | None:
        """Return how the batch ended; None where the provider knows it no longer."""
        pauses, outage = Pauses(self._params.poll_interval_seconds), self._outage()
        remote_id = self._chunk.remote_id
        assert remote_id is not None, "it was created"
        while True:
            if self._recalled.is_set():
                with suppress(ProviderError):  # `why` tells of it, and it is tried again
                    await self.cancel()
            status = await self._poll(remote_id, outage)
            has_ended = outage.is_gone or (status is not None and status.has_ended)
            if has_ended:
                return status
            await self._pause(pauses, outage.retry_after_seconds)

    async def _tell_of_recall(self, remote_id: str | None) -> None:
        assert remote_id is not None, "it was created"
        if not self._chunk.cancel_asked:
            # Before the provider is told, so that a later run tells it where this one could not.
            self._journal.write(Cancelled(self._chunk.number))
        try:
            await self._client.cancel(remote_id)
        except ProviderError as error:
            self.why = self._recall_trouble = f"cancelling fails: {error}"
            raise
        self._recall_trouble = None

    async def _pause(self, pauses: Pauses, least_seconds: float) -> None:
        """Wait until the next look; a recall comes in between."""
        seconds = max(pauses.next_seconds(), least_seconds)
        if self._recalled.is_set():
            await asyncio.sleep(seconds)
            return
        try:
            await asyncio.wait_for(self._recalled.wait(), seconds)
            pauses.reset()
        except TimeoutError:
            return

    async def _poll(self, remote_id: str, outage: Outage) -> RemoteStatus | None:
        """Return how the batch stands; None where the poll itself failed: it is none of its."""
        try:
            status = await self._client.poll(remote_id)
        except ProviderError as error:
            self.why = outage.note("polling fails", error)
            return None
        outage.end()
        self.why = self._recall_trouble or self._unknown_state(status)
        if status.ended_as != "failed" and (status.has_ended or status.counts.total):
            self._halving.note_taken(self._chunk)
        self._note(status)
        return status

    def _unknown_state(self, status: RemoteStatus) -> str:
        """Return why nobody knows how it stands, and warn of it once; "" where that is known."""
        if status.is_state_known:
            return ""
        word = status.provider_state
        why = f"its state at the provider is {word!r}, a word that is not known here"
        if word not in self._unknown_words:
            self._unknown_words.add(word)
            logger.warning(
                "%s: %s. It counts as under way; if that stays so, end the run, and look at the "
                "provider what has become of it.",
                self._name,
                why,
            )
        return why

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

    async def _give_up_gone(self) -> None:
        logger.warning(
            "%s: %s. Its jobs without a result fail; in a run with a deadline, they are called "
            "live.",
            self._name,
            _GONE,
        )
        await asyncio.to_thread(self._results.keep_gone, _GONE)
        await self._results.close()
        self.why = ""

    async def _collect(self, status: RemoteStatus) -> None:
        self._journal.write(Collecting(self._chunk.number))
        wrong = await self._results.fetch(status)
        await asyncio.to_thread(self._results.keep_missing, status, wrong)
        await self._results.close()
        if not self._params.keep_remote_files:
            # Where something is wrong with results, a person may still find something in them.
            is_whole = wrong is None and not self._results.has_unreadable
            await self._discard([*status.inputs, *(status.outputs if is_whole else ())])

    async def _discard(self, handles: Iterable[str]) -> None:
        """Delete files at the provider; that they stay is no reason to fail."""
        try:
            await self._client.delete_files(handles)
        except ProviderError as error:
            logger.warning(
                "%s: a file of it could not be deleted, and stays at the provider: %s",
                self._name,
                error,
            )


def go_again(journal: Journal, chunk: ChunkState) -> None:
    """Write the intent to submit a refused chunk anew."""
    journal.write(Again(chunk.number, new_nonce(), chunk.plan.reserved_usd))
