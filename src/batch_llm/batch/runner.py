"""The core of a run: what is open goes on, and what is new goes as far as limits allow."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..base import JobResult
from ..exceptions import AuthenticationError
from ..providers import registry
from ..rows.result_row import INPUT_ERROR
from ..wire.custom_ids import new_nonce
from .drafts import Draft, cut_to_budget, drafts_of
from .events import Cancelled, ChunkPlanned
from .plan import Hold, plan, refused_candidates, standing_of
from .remote_chunk import NEVER_TAKEN, RemoteChunk, go_again
from .run_state import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..providers import BatchClient
    from .job_book import JobBook
    from .journal import Journal
    from .params import BatchParams
    from .plan import Candidate, Held, Standing
    from .run_state import ChunkState

_RECHECK_SECONDS: Final = 0.05
_SUBMITTING_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.02


class Runner:
    """Runs the jobs of a journal to their ends. One event loop, one task a chunk.

    Args:
        journal: the state; all writes are made on the loop of `run`.
        book: has the jobs.
        params: how the run is run.
        clients: of the user's own, by provider.
        kept: told of results once they are kept.

    Attributes:
        held: why chunks wait; those that are new have numbers below 0.
        stopped_because: why not all jobs have ended, once the run has; None where all have.
        active: by number, chunks that are at work.
    """

    def __init__(
        self,
        journal: Journal,
        book: JobBook,
        params: BatchParams,
        clients: Mapping[str, BatchClient],
        kept: Callable[[list[JobResult]], None],
    ) -> None:
        self._journal = journal
        self._book = book
        self._params = params
        self._clients = dict(clients)
        self._kept = kept
        self._drafts: list[Draft] = []
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._stop: str | None = None
        self._leaves = False
        self._cancels = False
        self._refused_key: AuthenticationError | None = None
        self._began_at = time.time()
        self.active: dict[int, RemoteChunk] = {}
        self.held: list[Held] = []
        self.stopped_because: str | None = None

    @property
    def drafts(self) -> list[Draft]:
        """Chunks that are not planned yet."""
        return self._drafts

    async def run(self) -> None:
        """Run until every job has ended, or nothing more may be done.

        Raises:
            ConfigurationError: for a model that no provider is known for, or a client that cannot
                be made; nothing new was submitted then.
            AuthenticationError: if a provider refused its key; what was under way has ended, and
                what was refused waits.
            StateError: if the state cannot be written.
        """
        try:
            self._resume()
            if self._stop is None:
                await self._draft()
            await self._turn()
            if self._refused_key is not None:
                raise self._refused_key
        finally:
            await self._end_tasks()
            for client in self._clients.values():
                await client.aclose()

    def stop(self, reason: str, *, leaves: bool = False) -> None:
        """Submit nothing more, and end once what is under way has; with `leaves`, at once.

        What the provider is at work on goes on there, and is collected by a later run.
        """
        self._stop = self._stop or reason
        self._leaves = self._leaves or leaves
        self._changed.set()

    async def cancel(self) -> None:
        """Submit nothing more, have the providers stop, and collect what was done by then.

        Raises:
            ProviderError: if one cannot be told; the others have been.
        """
        self._cancels = True
        self.stop("it was cancelled")
        told = [self._cancel(number, chunk) for number, chunk in list(self.active.items())]
        for failure in await asyncio.gather(*told, return_exceptions=True):
            if failure is not None:
                raise failure

    # -- inside

    async def _cancel(self, number: int, remote: RemoteChunk) -> None:
        if self._journal.state.chunks[number].step is Step.CREATED:
            self._journal.write(Cancelled(number))
            await remote.cancel()

    def _client(self, provider: str) -> BatchClient:
        found = self._clients.get(provider)
        if found is None:
            found = self._clients[provider] = registry.open_client(provider)
        return found

    def _resume(self) -> None:
        for chunk in list(self._journal.state.open_chunks.values()):
            if chunk.step is not Step.REFUSED:
                self._begin(chunk, is_new=False)

    async def _draft(self) -> None:
        refused: list[JobResult] = []

        def refuse(job_id: str, why: str) -> None:
            refused.append(JobResult(job_id, error=why, error_category=INPUT_ERROR, cost_usd=0.0))

        pending, most = list(self._journal.state.pending_ids()), self._params.items_per_batch
        # Encoding takes its time, and resumed chunks are at work meanwhile.
        self._drafts = await asyncio.to_thread(
            drafts_of, pending, self._book, self._client, refuse, most
        )
        self._keep(refused)

    def _keep(self, results: list[JobResult]) -> None:
        told = (result.to_dict() for result in results)
        self._journal.keep_results(told, lambda result: result["outcome"])
        self._kept(results)

    async def _turn(self) -> None:
        """Submit what may go, whenever something has changed, until there is nothing to do."""
        while not self._leaves:
            self._changed.clear()
            self._raise_faults()
            standing = self._standing()
            if self._stop is None:
                self._submit(standing)
            if not self._tasks and (self._stop is not None or self._is_over(standing)):
                break
            await self._wait()
        self.stopped_because = self._reason()

    def _standing(self) -> Standing:
        standing = standing_of(self._journal.state, time.time())
        standing.max_concurrent = self._params.max_concurrent
        standing.max_cost_usd = self._params.cost_limit_usd
        return standing

    def _candidates(self) -> list[Candidate]:
        # A refused chunk has a task until it has ended.
        again = [
            # Whose create never came to the provider was refused by nobody, and who starts the
            # program once more may have mended the reason: these go at once.
            replace(each, refusals=0)
            if each.reason == NEVER_TAKEN or each.refused_at < self._began_at
            else each
            for each in refused_candidates(self._journal.state)
            if each.number not in self._tasks
        ]
        return again + [draft.candidate(-1 - n) for n, draft in enumerate(self._drafts)]

    def _submit(self, standing: Standing) -> None:
        chosen = plan(self._candidates(), standing)
        self.held = chosen.held
        going = [self._drafts[-1 - number] for number in chosen.submit if number < 0]
        for number in chosen.submit:
            if number >= 0:
                chunk = self._journal.state.chunks[number]
                go_again(self._journal, chunk)
                self._begin(chunk, is_new=True)
        if not going and not self._tasks:
            going = self._what_is_affordable(chosen.held)
        self._drafts = [draft for draft in self._drafts if draft not in going]
        for draft in going:
            self._begin(self._planned(draft), is_new=True)

    def _what_is_affordable(self, held: list[Held]) -> list[Draft]:
        """Return the part of a draft that the limit has room for, where no whole one goes."""
        limit = self._params.cost_limit_usd
        of_cost = [each for each in held if each.hold is Hold.COST_LIMIT and each.number < 0]
        if limit is None or not of_cost:
            return []
        state, place = self._journal.state, -1 - of_cost[0].number
        parts = cut_to_budget(self._drafts[place], limit - state.spent_usd - state.reserved_usd)
        if parts is None:
            return []
        self._drafts[place : place + 1] = parts
        return [parts[0]]

    def _planned(self, draft: Draft) -> ChunkState:
        """Write the intent to submit a draft, durably."""
        state, nonce, chunk = self._journal.state, new_nonce(), draft.chunk
        number = len(state.chunks)
        self._journal.write(
            ChunkPlanned(
                number,
                nonce,
                chunk.provider,
                chunk.model,
                chunk.endpoint,
                chunk.job_ids,
                custom_id_seed=nonce,
                reserved_usd=draft.reserved_usd,
                input_tokens=chunk.input_tokens,
            )
        )
        return state.chunks[number]

    def _begin(self, chunk: ChunkState, *, is_new: bool) -> None:
        client = self._client(chunk.plan.provider)
        remote = RemoteChunk(chunk, self._journal, self._book, client, self._params, self._kept)
        self.active[chunk.number] = remote
        task = asyncio.create_task(self._live(remote, chunk, is_new))
        self._tasks[chunk.number] = task
        task.add_done_callback(lambda _: self._changed.set())

    async def _live(self, remote: RemoteChunk, chunk: ChunkState, is_new: bool) -> None:
        try:
            was_on_its_way = is_new or chunk.may_be_orphan
            if is_new:
                await remote.submit()
            elif chunk.may_be_orphan:
                await remote.find()
            if was_on_its_way and self._cancels:
                # The others were told meanwhile.
                await self._cancel(chunk.number, remote)
            if chunk.step in (Step.CREATED, Step.ENDED, Step.COLLECTING):
                await remote.finish()
        finally:
            self.active.pop(chunk.number, None)

    def _raise_faults(self) -> None:
        for number, task in list(self._tasks.items()):
            if not task.done():
                continue
            del self._tasks[number]
            try:
                task.result()
            except AuthenticationError as error:
                # Others have keys of their own, or were taken before: they go on to their ends.
                self._refused_key = self._refused_key or error
                self.stop(str(error))

    def _is_over(self, standing: Standing) -> bool:
        """Whether nothing is at work, and no time will change that."""
        return all(held.until is None for held in self.held) and not any(
            True for _ in self._going(standing)
        )

    def _going(self, standing: Standing) -> list[int]:
        return plan(self._candidates(), standing).submit

    async def _wait(self) -> None:
        untils = [held.until for held in self.held if held.until is not None]
        seconds = max(min(untils) - time.time(), 0.0) + _RECHECK_SECONDS if untils else None
        if self._stop is not None:
            seconds = None
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    def _reason(self) -> str | None:
        state = self._journal.state
        if state.ended == len(state):
            return None
        if self._stop is not None:
            return self._stop
        return "; ".join(dict.fromkeys(held.reason for held in self.held)) or "nothing can go"

    async def _end_tasks(self) -> None:
        until = time.monotonic() + _SUBMITTING_SECONDS
        # Whoever leaves in the middle of a create does not know afterwards whether it was taken.
        while any(remote.is_submitting for remote in self.active.values()):
            if time.monotonic() > until:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
