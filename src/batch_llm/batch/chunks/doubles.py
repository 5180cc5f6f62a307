"""Remote batches of creates that were lost: nobody saw that they were taken, and they may run."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ...exceptions import ConfigurationError, InputError, ProviderError
from ...providers.chunk import Intent
from ...providers.orphan import Found, NotFound
from ..state.events import DoubleStopped
from ..state.run_state import Step
from .batch_name import batch_name
from .pauses import Pauses

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...providers import BatchClient
    from ..jobs.job_book import JobBook
    from ..params import BatchParams
    from ..state.journal import Journal
    from ..state.run_state import ChunkState, LostCreate

logger = logging.getLogger("batch_llm")

_TIMES_GRACE: Final = 10
_LAST_LOOK_SECONDS: Final = 30.0


class Doubles:
    """Looks on for batches of a run's creates that were lost.

    After the time of grace a batch that was not listed is believed not to be there, and its jobs
    go again. Where the list lags behind for longer, one may turn up yet. It is adopted as long as
    its jobs wait; otherwise it is a double, and is cancelled.

    Args:
        journal: of the run.
        book: has the clients.
        params: how the run is run.
        adopt: is given a chunk, and the nonce and the remote id of its batch, to go on with that.
    """

    def __init__(
        self,
        journal: Journal,
        book: JobBook,
        params: BatchParams,
        adopt: Callable[[ChunkState, str, str], None],
    ) -> None:
        self._journal = journal
        self._book = book
        self._params = params
        self._adopt = adopt
        self._looking = asyncio.Lock()
        self._found: dict[str, str] = {}  # remote ids by nonce, of those that are to stop
        self._absent: set[str] = set()  # nonces that were looked for long enough
        # Of a run that had ended, all was looked for at its end.
        self._is_minding = journal.state.ended < len(journal.state)
        self._began_at = time.time()

    @property
    def is_open(self) -> bool:
        """Whether one is to be looked for now and then."""
        return any(self._is_recent(lost) for _, lost in self._open())

    async def watch(self) -> None:
        """Look now and then, as long as one is to be looked for: ten times the time of grace."""
        pauses = Pauses(self._params.poll_interval_seconds)
        while self.is_open:
            await asyncio.sleep(pauses.next_seconds())
            await self._look(self._is_recent)

    async def look(self, chunk: ChunkState | None = None) -> None:
        """Look once, for half a minute at the most; that it cannot be told is passed over.

        Args:
            chunk: whose lost creates are meant; None for all.
        """
        with suppress(TimeoutError):
            await asyncio.wait_for(
                self._look(lambda lost: chunk is None or lost in chunk.lost), _LAST_LOOK_SECONDS
            )

    def tell_of_the_rest(self) -> list[str]:
        """Warn of batches that may run yet; return what was said, one sentence each."""
        told = [self._rest(chunk, lost) for chunk, lost in self._open()]
        for said in told:
            logger.warning("%s.", said)
            self._journal.note(f"{said}.")
        return told

    # -- inside

    def _open(self) -> list[tuple[ChunkState, LostCreate]]:
        """Return what may run, and nobody waits for."""
        return [
            (chunk, lost)
            for chunk in self._journal.state.losing_chunks
            for lost in chunk.lost
            if lost.stopped_id is None
            and lost.nonce not in self._absent
            and (self._is_minding or lost.at >= self._began_at)
        ]

    def _is_recent(self, lost: LostCreate) -> bool:
        is_young = time.time() < self._looks_until(lost)
        return is_young or lost.nonce in self._found

    def _looks_until(self, lost: LostCreate) -> float:
        return lost.at + _TIMES_GRACE * self._params.orphan_grace_seconds

    async def _look(self, is_meant: Callable[[LostCreate], bool]) -> None:
        async with self._looking:
            for chunk, lost in self._open():
                # What is being looked for, or sent, is no double of what is there.
                if is_meant(lost) and not chunk.may_be_orphan:
                    with suppress(ProviderError, ConfigurationError, InputError):
                        await self._look_for(chunk, lost)

    async def _look_for(self, chunk: ChunkState, lost: LostCreate) -> None:
        state, step = self._journal.state, chunk.step
        job_ids = tuple(state.lost_ids(lost))
        client = self._book.client_of(chunk.plan.provider, job_ids[0])
        remote_id = self._found.get(lost.nonce)
        if remote_id is None:
            intent = Intent(lost.nonce, chunk.jobs, chunk.plan.at, job_ids)
            began_at = time.time()
            found = await client.find_orphan(intent, state.known_remote_ids)
            if isinstance(found, NotFound) and began_at > self._looks_until(lost):
                self._absent.add(lost.nonce)
            if not isinstance(found, Found):
                return
            remote_id = found.remote_id
        is_to_stop = lost.nonce in self._found
        if chunk.step is not step or (remote_id in state.known_remote_ids and not is_to_stop):
            return  # it has gone on meanwhile
        holders = map(state.chunk_of, job_ids)
        if any(holder is not None and holder.may_be_orphan for holder in holders):
            return  # a provider that finds by jobs alone may mean what is being sent just now
        # What a cancel was asked of once is never gone on with: it may have come to the provider.
        if chunk.step is not Step.REFUSED or is_to_stop:
            await self._stop(chunk, lost, client, remote_id)
        else:
            self._adopt(chunk, lost.nonce, remote_id)

    async def _stop(
        self, chunk: ChunkState, lost: LostCreate, client: BatchClient, remote_id: str
    ) -> None:
        late = (
            f"the provider has listed the batch {remote_id} so late that its jobs were sent again"
        )
        is_new = lost.nonce not in self._found
        self._found[lost.nonce] = remote_id
        self._journal.state.stopping_ids.add(remote_id)
        try:
            status = await client.cancel(remote_id)
        except ProviderError as error:
            if is_new:
                self._tell(chunk, lost, f"{late}. Cancelling it fails, and is tried again: {error}")
            return
        self._journal.write(DoubleStopped(chunk.number, lost.nonce, remote_id))
        del self._found[lost.nonce]
        ended = status.has_ended and status.ended_as != "cancelled"
        what = "It had ended by then" if ended else "It is cancelled"
        said = f"{late}. {what}; what it has run may be billed, and is not counted here"
        self._tell(chunk, lost, f"{said}. A larger orphan_grace_seconds avoids that.")

    def _tell(self, chunk: ChunkState, lost: LostCreate, said: str) -> None:
        told = f"{self._name(chunk, lost)}: {said}"
        logger.warning("%s", told)
        self._journal.note(told)

    def _name(self, chunk: ChunkState, lost: LostCreate) -> str:
        return batch_name(chunk, list(self._journal.state.lost_ids(lost)))

    def _rest(self, chunk: ChunkState, lost: LostCreate) -> str:
        jobs = "1 job" if chunk.jobs == 1 else f"{chunk.jobs:,} jobs"
        first = next(self._journal.state.lost_ids(lost))
        remote_id = self._found.get(lost.nonce)
        if remote_id is not None:
            return (
                f"{chunk.plan.provider} may run the batch {remote_id} ({jobs} from {first!r} on) "
                f"yet, whose jobs were sent again: cancelling it fails. Cancel it there"
            )
        return (
            f"{chunk.plan.provider} may run a batch of {jobs} from {first!r} on whose create was "
            f"never answered, and which its list does not name yet (its mark is {lost.nonce}). "
            f"Look for it there, and cancel it: what it runs is billed, and not counted here"
        )
