"""The core of a run: what is open goes on, and what is new goes as far as limits allow."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ...base import JobResult, PricedModel
from ...exceptions import StateError
from ...pricing import lacks_batch_price
from ...rows.result_row import INPUT_ERROR
from ...wire.custom_ids import new_nonce
from ..chunks.doubles import Doubles
from ..chunks.drafting import Drafting
from ..chunks.drafts import Draft, cut_to_budget, drafts_of
from ..chunks.halving import Halving
from ..chunks.plan import Hold, plan, refused_candidates, refused_chunks, standing_of, why_unlimited
from ..chunks.remote_chunk import RemoteChunk, go_again
from ..late.deadline import deadline_at
from ..late.late_jobs import LateJobs, free_ids
from ..state.events import NEVER_TAKEN, Again, ChunkPlanned, Created, Released, WentLive
from ..state.run_state import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..chunks.plan import Candidate, Held, Plan, Standing
    from ..jobs.job_book import JobBook
    from ..late.deadline import Deadline
    from ..params import BatchParams
    from ..state.journal import Journal
    from ..state.run_state import ChunkState

logger = logging.getLogger("batch_llm")

_RECHECK_SECONDS: Final = 0.05
_SUBMITTING_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.02
_LIVE: Final = -1
"""Stands for the live lane among the tasks, which have the numbers of their chunks."""
_OF_MONEY: Final = (Hold.COST_LIMIT, Hold.UNPRICED, Hold.OVERRUN)
_UNTIL_ONE_ENDS: Final = (Hold.CONCURRENCY, Hold.COST_LIMIT)


class Runner:
    """Runs the jobs of a journal to their ends. One event loop, one task a chunk.

    Args:
        journal: the state; all writes are made on the loop of `run`.
        book: has the jobs.
        params: how the run is run.
        kept: told of results once they are kept; not of those of jobs that go live yet.
        deadline: when what has no answer goes live; None lets everything take its time.

    Attributes:
        stopped_because: why not all jobs have ended, once the run has; None where all have.
        active: by number, chunks that are at work.
        late: jobs that go through the live lane, once they do.
        unproved: by number, why it cannot be told of chunks whether they were submitted.
    """

    def __init__(
        self,
        journal: Journal,
        book: JobBook,
        params: BatchParams,
        kept: Callable[[list[JobResult]], None],
        deadline: Deadline | None = None,
    ) -> None:
        self._journal = journal
        self._book = book
        self._params = params
        self._tell = kept
        self._deadline = deadline
        self._deadline_at: float | None = None
        self._changed = asyncio.Event()
        self._refused: list[JobResult] = []
        pending = self._unless_stopped(list(journal.state.pending_ids()))
        self._drafting = Drafting(self._drafts_of(pending), self._changed.set)
        self._doubles = Doubles(journal, book, params, self._adopt)
        self._watch: asyncio.Task[None] | None = None
        self._halving = Halving(self._draft_parts, self._changed.set, journal.state.ended_at)
        self._noted_prices: set[PricedModel] = set()
        self._held: list[Held] = []
        self._given_up: list[Held] = []
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._stop: str | None = None
        self._leaving = asyncio.Event()
        self._cancels = False
        self._failure: Exception | None = None
        self._began_at = time.time()
        self.active: dict[int, RemoteChunk] = {}
        self.late: LateJobs | None = None
        self.unproved: dict[int, str] = {}
        self.stopped_because: str | None = None

    @property
    def held(self) -> list[Held]:
        """Why chunks wait; those that are new have numbers below 0."""
        return [*self._given_up, *self._held]

    def whys(self) -> dict[int, str]:
        """Return why chunks wait that were begun, by number."""
        at_work = {number: chunk.why for number, chunk in list(self.active.items())}
        return {**self.unproved, **at_work}

    async def run(self) -> None:
        """Run until every job has ended, or nothing more may be done.

        Raises:
            ConfigurationError: for a model that no provider is known for, or a client that cannot
                be made; if it is for jobs that were added now, nothing new was submitted.
            AuthenticationError: if a provider refused its key; what was under way has ended, and
                what was refused waits.
            StateError: if the state cannot be written; at once.
            Exception: of a defect, of a client of the user's own say, once all else that was under
                way has ended. What it has struck goes on from there in a later run.
        """
        try:
            if self._deadline is not None:
                self._deadline_at = deadline_at(self._journal, self._deadline, time.time())
            self._resume()
            if self._stop is None and not self._is_due():
                await self._open_clients()
            await self._turn()
            if self._failure is not None:
                raise self._failure
        finally:
            self.stop("it has ended")  # drafting too
            self._drafting.close()
            await self._end_tasks()
            await self._book.clients.aclose()

    def stop(self, reason: str, *, leaves: bool = False) -> None:
        """Submit nothing more, and end once what is under way has; with `leaves`, at once.

        What the provider is at work on goes on there, and is collected by a later run.
        """
        self._stop = self._stop or reason
        if leaves:
            self._leaving.set()
        if self.late is not None:
            self.late.stop()
        self._changed.set()

    async def cancel(self) -> None:
        """Submit nothing more, have the providers stop, and collect what was done by then.

        Raises:
            ProviderError: if one cannot be told at once; the others have been, and the run goes on
                trying.
        """
        self._cancels = True
        self.stop("it was cancelled")
        told = [remote.cancel() for remote in list(self.active.values())]
        for failure in await asyncio.gather(*told, return_exceptions=True):
            if failure is not None:
                raise failure

    # -- inside

    def _resume(self) -> None:
        for chunk in list(self._journal.state.open_chunks.values()):
            if chunk.step is not Step.REFUSED or chunk.waiting < chunk.jobs:
                self._begin(chunk, is_new=False)

    async def _open_clients(self) -> None:
        pending = self._journal.state.pending_ids()
        for provider in await asyncio.to_thread(self._book.providers_of, pending):
            self._book.clients.client(provider)

    def _drafts_of(self, job_ids: Iterator[str]) -> Iterator[Draft]:
        """Yield chunks of pending jobs; made in a thread, as they are asked for."""

        def refuse(job_id: str, why: str) -> None:
            self._refused.append(
                JobResult(job_id, error=why, error_category=INPUT_ERROR, cost_usd=0.0)
            )

        yield from drafts_of(
            job_ids,
            self._book,
            self._book.clients.client,
            refuse,
            self._params.items_per_batch,
            self._params.enqueued_tokens_of,
        )

    def _draft_parts(self, parts: list[list[str]]) -> None:
        """Have jobs that were refused together submitted in parts, each a chunk of its own."""
        self._drafting.go_on_with(
            [self._drafts_of(self._unless_stopped(job_ids)) for job_ids in parts]
        )

    def _unless_stopped(self, job_ids: list[str]) -> Iterator[str]:
        for job_id in job_ids:
            if self._stop is not None or self._is_due():
                return
            yield job_id

    async def _take_drafts(self) -> None:
        try:
            self._drafting.take_made()
        except Exception as error:  # whatever it is, what is under way ends before it is told
            self._fail(error)
        if self._refused and not self._drafting.is_at_work:
            refused, self._refused = self._refused, []
            await asyncio.to_thread(self._keep, refused)

    def _keep(self, results: list[JobResult]) -> None:
        told = (result.to_dict() for result in results)
        self._journal.keep_results(told, lambda result: result["outcome"])
        self._kept(results)

    async def _turn(self) -> None:
        """Submit what may go, whenever something has changed, until there is nothing to do."""
        while not self._leaving.is_set():
            self._changed.clear()
            self._end_ended()
            await self._take_drafts()
            if self._stop is None:
                await self._go_on()
            self._watch_doubles()
            if not self._tasks and (self._stop is not None or self._is_over()):
                await self._look_for_doubles()
                if not self._tasks:
                    break
            await self._wait()
        may_run = self._doubles.tell_of_the_rest()
        self.stopped_because = self._reason(may_run)

    def _watch_doubles(self) -> None:
        """Look on for batches of creates that were lost, while there are any.

        Raises:
            StateError: if what came of it could not be written.
        """
        if self._watch is not None and self._watch.done():
            watch, self._watch = self._watch, None
            try:
                watch.result()
            except StateError:
                raise
            except Exception as error:  # a defect in a client: what is under way ends first
                self._fail(error)
                return
        if self._watch is None and self._failure is None and self._doubles.is_open:
            self._watch = asyncio.create_task(self._doubles.watch())
            self._watch.add_done_callback(lambda _: self._changed.set())

    async def _look_for_doubles(self, chunk: ChunkState | None = None) -> None:
        """Look once, of one chunk or of all; who is to leave at once does not wait for a list."""
        tasks = [
            asyncio.create_task(self._doubles.look(chunk)),
            asyncio.create_task(self._leaving.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _adopt(self, chunk: ChunkState, nonce: str, remote_id: str) -> None:
        """Go on with a batch that has turned up of a chunk whose jobs wait yet."""
        if chunk.step is not Step.REFUSED or chunk.number in self._tasks:
            return
        # Cut off in between, it is one that may have been taken, and is looked for.
        self._journal.write(Again(chunk.number, nonce, chunk.plan.reserved_usd))
        self._journal.write(Created(chunk.number, remote_id, adopted=True))
        self._begin(chunk, is_new=False)
        self._changed.set()

    async def _go_on(self) -> None:
        """Submit what may go; from the deadline on, hand over to the live lane."""
        if self.late is None and not self._is_due():
            await self._submit()
            if self._stop is None and self._has_room():
                self._drafting.make_next()
            if self._stop is not None or self._tasks or not self._is_over():
                return
        # It is due, or no time will change what the batch lane could not do. Of jobs in a draft
        # that is being made, it shows only then which of them cannot be sent.
        if not self._drafting.is_at_work:
            await self._look_before_live()
            if self._stop is None:
                self._go_live()

    def _standing(self) -> Standing:
        standing = standing_of(self._journal.state, time.time())
        standing.max_concurrent = self._params.max_concurrent
        standing.max_cost_usd = self._params.cost_limit_usd
        standing.grace_seconds = self._params.orphan_grace_seconds
        standing.one_at_a_time = self._halving.doubted
        return standing

    def _has_room(self) -> bool:
        """Whether a further chunk could go, for all that is known."""
        drafts = [each for each in self._held if each.number < 0]
        return not self._tasks or all(each.hold not in _UNTIL_ONE_ENDS for each in drafts)

    def _candidates(self) -> list[Candidate]:
        # A refused chunk has a task until it has ended.
        refused = refused_candidates(self._journal.state)
        again = [self._since_begun(each) for each in refused if each.number not in self._tasks]
        return again + [draft.candidate(-1 - n) for n, draft in enumerate(self._drafting.waiting)]

    def _since_begun(self, refused: Candidate) -> Candidate:
        """Return it by what this run has met: who starts it once more may have mended the rest.

        Whose create was lost was refused by nobody.
        """
        chunk = self._journal.state.chunks[refused.number]
        lost = sum(each.at >= self._began_at for each in chunk.lost)
        if refused.reason == NEVER_TAKEN or refused.refused_at < self._began_at:
            return replace(refused, refusals=0, lost=lost)
        return refused

    async def _submit(self) -> None:
        waiting = self._drafting.waiting
        chosen = self._plan()
        self._held = chosen.held
        going = [waiting[-1 - number] for number in chosen.submit if number < 0]
        for number in chosen.submit:
            if number >= 0:
                await self._go_again(self._journal.state.chunks[number])
        if not going and not self._tasks:
            going = self._affordable()
        for draft in going:
            if self._stop is not None:
                return
            waiting.remove(draft)
            self._begin(await self._planned(draft), is_new=True)

    async def _go_again(self, chunk: ChunkState) -> None:
        """Submit a refused chunk anew; jobs among which one has changed are cut anew instead."""
        if chunk.lost and chunk.changed_at < self._began_at:
            # What an earlier run has lost may be listed by now.
            await self._look_for_doubles(chunk)
            if self._stop is not None or chunk.step is not Step.REFUSED:
                return
        job_ids = list(self._journal.state.job_ids_of(chunk))
        are_same = await asyncio.to_thread(self._book.can_all_be_sent, job_ids)
        if self._stop is not None or chunk.step is not Step.REFUSED:
            return
        if are_same:
            go_again(self._journal, chunk)
            self._begin(chunk, is_new=True)
        else:
            self._journal.write(Released(chunk.number))
            self._drafting.follow_with(self._drafts_of(self._unless_stopped(job_ids)))

    def _plan(self) -> Plan:
        candidates, standing = self._candidates(), self._standing()
        keys = {(each.provider, each.model) for each in candidates}
        limits = {key: self._params.enqueued_tokens_of(*key) for key in keys}
        standing.max_enqueued_tokens = {
            key: limit for key, limit in limits.items() if limit is not None
        }
        return plan(candidates, standing)

    def _affordable(self) -> list[Draft]:
        """Return the part of a draft that the limit has room for, where no whole one goes.

        Nothing is under way then that could make more room: a draft of which no job fits is given
        up, so that it holds up none of those that are not made yet.
        """
        state, waiting = self._journal.state, self._drafting.waiting
        left_usd = (self._params.cost_limit_usd or 0.0) - state.spent_usd - state.reserved_usd
        if why_unlimited(state.unpriced, state.overruns) is not None:
            left_usd = -math.inf  # nobody knows how much is: not even what is free may go
        of_money = [each for each in self._held if each.hold in _OF_MONEY and each.number < 0]
        for each, draft in [(each, waiting[-1 - each.number]) for each in of_money]:
            place = waiting.index(draft)
            parts = cut_to_budget(draft, left_usd)
            if parts is not None:
                waiting[place : place + 1] = parts
                return [parts[0]]
            del waiting[place]
            self._held.remove(each)
            self._given_up.append(each)
        return []

    async def _planned(self, draft: Draft) -> ChunkState:
        """Write the intent to submit a draft, durably."""
        state, nonce, chunk = self._journal.state, new_nonce(), draft.chunk
        number = len(state.chunks)
        planned = ChunkPlanned(
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
        # In a thread, for it may name a hundred thousand jobs.
        await asyncio.to_thread(self._journal.write, planned)
        return state.chunks[number]

    def _begin(self, chunk: ChunkState, *, is_new: bool) -> None:
        job_id = next(self._journal.state.job_ids_of(chunk))
        client = self._book.client_of(chunk.plan.provider, job_id)
        self._note_price(PricedModel(client.provider, chunk.plan.model))
        remote = RemoteChunk(
            chunk,
            self._journal,
            self._book,
            client,
            self._params,
            self._kept,
            self._may_submit,
            self._halving,
        )
        if is_new:
            remote.plan_to_submit()
        is_late = self._cancels or self.late is not None
        if is_late or (chunk.cancel_asked and chunk.step is Step.CREATED):
            # An earlier run may have had no time to tell the provider.
            remote.recall()
        self.active[chunk.number] = remote
        task = asyncio.create_task(self._live(remote, chunk, is_new))
        self._tasks[chunk.number] = task
        task.add_done_callback(lambda _: self._changed.set())

    def _note_price(self, priced: PricedModel) -> None:
        """Say once of a model that its costs are told at live prices."""
        if priced in self._noted_prices:
            return
        self._noted_prices.add(priced)
        if lacks_batch_price(priced):
            logger.warning(
                "No price of batches is listed for %s: its costs are told at the live price, and "
                "%s may bill half of them.",
                priced.model,
                priced.provider,
            )

    def _may_submit(self) -> bool:
        return self._stop is None and self.late is None

    async def _live(self, remote: RemoteChunk, chunk: ChunkState, is_new: bool) -> None:
        try:
            if is_new:
                await remote.submit()
            elif chunk.may_be_orphan:
                await remote.find()
            elif chunk.step is Step.REFUSED:
                await remote.give_up()
            if chunk.may_be_orphan:
                self.unproved[chunk.number] = remote.why
            if chunk.step in (Step.CREATED, Step.ENDED, Step.COLLECTING):
                await remote.finish()
        finally:
            self.active.pop(chunk.number, None)
            remote.give_back()

    # -- the deadline

    def _is_due(self) -> bool:
        is_past = self._deadline_at is not None and time.time() >= self._deadline_at
        return self._deadline is not None and (is_past or self._journal.state.went_live)

    async def _look_before_live(self) -> None:
        """Adopt what has turned up of jobs that would go live now: it is recalled with the rest."""
        if self._deadline is not None:
            for chunk in refused_chunks(self._journal.state):
                if chunk.lost and chunk.number not in self._tasks:
                    await self._look_for_doubles(chunk)

    def _go_live(self) -> None:
        """Submit nothing more, recall what is under way, and let late jobs go as they come free."""
        if self._deadline is None:
            return
        for chunk in refused_chunks(self._journal.state):
            if chunk.number not in self._tasks:
                self._journal.write(Released(chunk.number))
        if self.late is None:
            if not self._tasks and not free_ids(self._journal.state):
                return
            self.late = self._begin_live(self._deadline)
        self.late.go_on()
        if not self._tasks.keys() - {_LIVE}:
            self.late.close()

    def _begin_live(self, deadline: Deadline) -> LateJobs:
        if not self._journal.state.went_live:
            self._journal.write(WentLive())
        self._drafting.waiting.clear()
        self._held, self._given_up = [], []
        for remote in self.active.values():
            remote.recall()
        limit = self._params.cost_limit_usd
        late = LateJobs(self._journal, self._book, deadline.lane, limit, self._tell)
        self._tasks[_LIVE] = task = asyncio.create_task(late.run())
        task.add_done_callback(lambda _: self._changed.set())
        return late

    def _kept(self, results: list[JobResult]) -> None:
        """Tell of results, but for those of jobs that go live yet."""
        state = self._journal.state
        is_told = [
            result
            for result in results
            if self._deadline is None or not state.is_late(result.job_id)
        ]
        self._tell(is_told)

    def _end_ended(self) -> None:
        """Forget tasks that have ended.

        Raises:
            StateError: of one of them: what becomes of the others could not be written either.
        """
        for number, task in list(self._tasks.items()):
            if not task.done():
                continue
            del self._tasks[number]
            try:
                task.result()
            except StateError:
                raise
            except Exception as error:  # a defect in one chunk: the others end first
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Let the run end for what one chunk has met; the others go on to their ends first."""
        if self._failure is None:
            self._failure = error
            told = str(error) or type(error).__name__
            logger.warning(
                "Nothing more is submitted; the run ends once what is under way has, for: %s", told
            )
        self.stop(str(error))

    def _is_over(self) -> bool:
        """Whether nothing is at work, and no time will change that."""
        is_waiting = any(held.until is not None for held in self._held)
        return not (self._drafting.is_at_work or is_waiting or self._plan().submit)

    async def _wait(self) -> None:
        untils = [held.until for held in self._held if held.until is not None]
        if self._deadline_at is not None and self.late is None:
            untils.append(self._deadline_at)
        seconds = max(min(untils) - time.time(), 0.0) + _RECHECK_SECONDS if untils else None
        if self._stop is not None:
            seconds = None
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    def _reason(self, may_run: list[str]) -> str | None:
        """Return why not all jobs have ended, and what may run yet; None where they have."""
        state = self._journal.state
        if state.ended == len(state):
            return None
        if len(may_run) > 1:
            may_run = [f"{may_run[0]} ({len(may_run) - 1} more are named in the state file)"]
        if self._stop is not None:
            return "; ".join([self._stop, *may_run])
        reasons = [*self.unproved.values(), *(held.reason for held in self.held)]
        if self.late is not None:
            reasons += self.late.reasons
        reasons += may_run
        return "; ".join(dict.fromkeys(reasons)) or "nothing can go"

    async def _end_tasks(self) -> None:
        until = time.monotonic() + _SUBMITTING_SECONDS
        # Whoever leaves in the middle of a create does not know afterwards whether it was taken,
        # and a call that is cut off may be billed without an answer.
        while any(remote.is_submitting for remote in self.active.values()) or self._is_calling():
            if time.monotonic() > until:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        left = list(self.active.values())
        tasks = [*self._tasks.values(), *([] if self._watch is None else [self._watch])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for remote in left:
            remote.give_back()
        self._tasks.clear()

    def _is_calling(self) -> bool:
        """Whether the live lane is at work; it is told to start nothing else."""
        task = self._tasks.get(_LIVE)
        if task is None or task.done() or self.late is None:
            return False
        self.late.stop()
        return True
