"""What the events of a batch run come to: where each job is, and what is to do next."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from .events import (
    NEVER_TAKEN,
    OUTCOMES,
    Again,
    Asked,
    Cancelled,
    ChunkPlanned,
    Collected,
    Collecting,
    Created,
    DeadlineSet,
    DoubleStopped,
    JobAdded,
    LiveCall,
    LiveCallSettled,
    Note,
    Polled,
    Refused,
    Released,
    Resubmitted,
    ResultKept,
    RowRead,
    Settled,
    Uploaded,
    WentLive,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .events import Event, Outcome

_DIGEST_BYTES: Final = 16
_PENDING: Final = -1
_ENDED: Final = -2
# What sums of the same amounts may differ by: no sum is over its bound by that.
_SLACK_USD: Final = 1e-12
_SLACK_SHARE: Final = 1e-9


class ImpossibleEventError(ValueError):
    """An event that cannot follow those before it. The message says why."""


class Step(str, Enum):
    """How far a chunk is, and so what comes next."""

    PLANNED = "planned"
    """The intent is written. It may have been sent: look for an orphan before anything else."""
    UPLOADED = "uploaded"
    """Its file is with the provider; for the rest, as `PLANNED`."""
    REFUSED = "refused"
    """It was not accepted, or nothing of it ran: it goes again."""
    CREATED = "created"
    """Its remote id is known: poll."""
    ENDED = "ended"
    """The remote batch has ended: collect."""
    COLLECTING = "collecting"
    """Some of its results may be here: collect the rest."""
    COLLECTED = "collected"
    """Every job of it has ended."""
    RELEASED = "released"
    """It was refused, and is not submitted again: its jobs are pending."""


class Overrun(NamedTuple):
    """Something cost more than was held for it: what bounds such costs is wrong.

    Attributes:
        what: it was, in words.
        held_usd: the most that it could cost, as was thought.
        usd: what it did cost.
    """

    what: str
    held_usd: float
    usd: float


@dataclass(slots=True, eq=False)
class LostCreate:
    """A submission of which nobody knows whether it was taken, and whose jobs may go again.

    Attributes:
        nonce: what it was stamped with.
        reserved_usd: what was held for it, and is until its chunk is settled; None where no price
            is known.
        at: since when it counts as lost, in unix seconds.
        stopped_id: the remote id of its batch, once that was found and stopped.
        job_numbers: of its jobs.
    """

    nonce: str
    reserved_usd: float | None
    at: float
    job_numbers: array[int] = field(repr=False)
    stopped_id: str | None = None


@dataclass(slots=True, eq=False)
class ChunkState:
    """A chunk as it stands. Jobs are in `waiting`, by their numbers, until it is collected.

    Attributes:
        plan: how it was planned; its `job_ids` are emptied, for `RunState.waiting_ids` has them.
        nonce: what the present submission is stamped with.
        nonces: those of all submissions, the present one included: an orphan may carry any.
        step: how far it is.
        file: the handle of its uploaded file.
        remote_id: the provider's id of the present remote batch.
        remote_ids: those of all, refused ones included.
        status: the provider's word for its state, as last polled.
        counts: the provider's counts, as last polled.
        lost: submissions that may have been taken all the same, besides the present one.
        reasons: why it was refused, each time.
        not_before: until when the provider wants it no more, in unix seconds; None where it does
            not say.
        changed_at: when it came to this step, in unix seconds.
        ended_at: when the remote batch was seen to have ended, in unix seconds.
        cancel_asked: the provider is to cancel it; it may not know of that yet.
        reserved_usd: what is held for it until it is settled; None where no price is known.
        settled_usd: what it has cost, once there is a bill.
        unpriced: jobs of which the bill cannot tell what they cost, and nothing is held for them.
        jobs: how many jobs it was planned with.
        waiting: how many of them have not ended.
    """

    plan: ChunkPlanned
    nonce: str
    nonces: list[str]
    reserved_usd: float | None
    changed_at: float
    jobs: int
    waiting: int
    step: Step = Step.PLANNED
    file: str | None = None
    remote_id: str | None = None
    remote_ids: list[str] = field(default_factory=list)
    status: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    lost: list[LostCreate] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    not_before: float | None = None
    ended_at: float | None = None
    cancel_asked: bool = False
    settled_usd: float | None = None
    unpriced: int = 0
    job_numbers: array[int] = field(default_factory=lambda: array("I"), repr=False)

    @property
    def number(self) -> int:
        """Its number in the run, from 0."""
        return self.plan.number

    @property
    def is_open(self) -> bool:
        """Whether something is still to do for it."""
        return self.step not in (Step.COLLECTED, Step.RELEASED)

    @property
    def is_in_flight(self) -> bool:
        """Whether the provider has it, or may have it, and is not known to be done with it."""
        return self.may_be_orphan or self.step is Step.CREATED

    @property
    def may_be_orphan(self) -> bool:
        """Whether a create may have been accepted whose remote id nobody wrote down."""
        return self.step in (Step.PLANNED, Step.UPLOADED)


class RunState:
    """Events, folded. It holds ids and numbers, of a job some 200 bytes, and no spec or result.

    Each job is in one place at any time: pending, in one open chunk, or ended. One that is tried
    again has not ended, and keeps the result that it had until there is another.

    Attributes:
        chunks: every chunk, by its number.
        open_chunks: those for which something is still to do, by number.
        ended_at: when a remote batch of that provider and model was last seen to have ended, in
            unix seconds; one that was refused, be it late, is none.
        spent_usd: what was settled, and what jobs cost that no remote batch answered.
        counts: jobs that ended, by outcome.
        pending: how many jobs are in no chunk and have not ended.
        deadline: when the jobs have to be answered; None where they may take their time.
        went_live: whether nothing more is submitted, and what has no answer goes live.
        last_call: the number of the last call of the live lane; -1 before the first.
        asked: what the command line was asked for; None where a script runs.
        overruns: what cost more than was held for it. While there is any, no limit can be kept.
    """

    def __init__(self) -> None:
        self.chunks: list[ChunkState] = []
        self.open_chunks: dict[int, ChunkState] = {}
        self.ended_at: dict[tuple[str, str], float] = {}
        self.spent_usd = 0.0
        self.pending = 0
        self.asked: Asked | None = None
        self.counts: dict[Outcome, int] = dict.fromkeys(OUTCOMES, 0)
        self.deadline: DeadlineSet | None = None
        self.went_live = False
        self.last_call = -1
        self.overruns: list[Overrun] = []
        self._live_from = 0  # where it went live, in bytes of the file
        self._left: frozenset[int] = frozenset()  # places of results, cancelled for an old deadline
        self._due = 0  # how many jobs there were when the deadline was set
        self._calls: dict[int, float] = {}
        self._calls_usd = 0.0
        self._unpriced = 0
        self._unsettled: dict[int, ChunkState] = {}
        self._losing: dict[int, ChunkState] = {}
        self.stopping_ids: set[str] = set()
        """Of doubles that this process asks the provider to cancel: in no file, adopted by none."""
        self._numbers: dict[str, int] = {}
        self._ids: list[str] = []
        self._digests = bytearray()
        self._where = array("i")  # a chunk, or one of the two above
        self._spec_places = array("Q")
        self._result_places = array("Q")
        self._outcomes = bytearray()
        self._attempts = array("H")
        self._is_live = bytearray()  # whether its last result came of live calls

    # -- what there is

    def __len__(self) -> int:
        """Return how many jobs there are."""
        return len(self._ids)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._numbers

    @property
    def ended(self) -> int:
        """How many jobs have ended."""
        return sum(self.counts.values())

    @property
    def ended_live(self) -> int:
        """How many jobs have ended by calls of the live lane."""
        return sum(self._is_live)

    @property
    def reserved_usd(self) -> float:
        """What is held for chunks and calls that are not settled.

        Collected chunks without a bill are among them, creates that were lost, and calls whose
        answers never came.
        """
        chunks = sum(chunk.reserved_usd or 0.0 for chunk in self._unsettled.values())
        return chunks + self.lost_usd + self._calls_usd

    @property
    def lost_usd(self) -> float:
        """What is held for creates that were lost: each may have been taken, and billed."""
        losing = self._unsettled_losing()
        return math.fsum(lost.reserved_usd or 0.0 for chunk in losing for lost in chunk.lost)

    @property
    def unpriced(self) -> int:
        """How many jobs have cost, or may cost, a sum that nothing bounds: no price is known.

        Those of chunks under way are among them. While there is one, no limit can be kept.
        """
        chunks = {n for n, chunk in self._unsettled.items() if chunk.reserved_usd is None}
        chunks |= {
            chunk.number
            for chunk in self._unsettled_losing()
            if NEVER_TAKEN in chunk.reasons
            and any(lost.reserved_usd is None for lost in chunk.lost)
        }
        return self._unpriced + sum(self.chunks[number].jobs for number in chunks)

    @property
    def losing_chunks(self) -> list[ChunkState]:
        """The chunks of which a create was lost, those included that are open no more."""
        return [chunk for chunk in self._losing.values() if chunk.lost]

    def _unsettled_losing(self) -> list[ChunkState]:
        return [chunk for chunk in self.losing_chunks if chunk.settled_usd is None]

    @property
    def known_remote_ids(self) -> set[str]:
        """The ids of all remote batches that were written down, or are being stopped."""
        known = {remote_id for chunk in self.chunks for remote_id in chunk.remote_ids}
        known |= self.stopping_ids
        stopped = {lost.stopped_id for chunk in self.losing_chunks for lost in chunk.lost}
        return known | {remote_id for remote_id in stopped if remote_id is not None}

    def lost_ids(self, lost: LostCreate) -> Iterator[str]:
        """Yield the ids of the jobs of a create that was lost, as they were submitted."""
        return (self._ids[number] for number in lost.job_numbers)

    @property
    def open_calls(self) -> dict[int, float]:
        """What is held for calls of the live lane, in USD by their numbers."""
        return dict(self._calls)

    def is_held(self, chunk: ChunkState) -> bool:
        """Return whether something may be reserved for a chunk: it is not settled."""
        return chunk.number in self._unsettled

    @property
    def is_deadline_open(self) -> bool:
        """Whether a job has no answer that was there when the deadline was set."""
        numbers = range(self._due)
        return any(self._where[number] != _ENDED or self._is_late(number) for number in numbers)

    @property
    def job_ids(self) -> Iterator[str]:
        """The ids of all jobs, as they were added."""
        return iter(self._ids)

    def digest(self, job_id: str) -> str:
        """Return the digest of that job."""
        start = self._number(job_id) * _DIGEST_BYTES
        return self._digests[start : start + _DIGEST_BYTES].hex()

    def attempt(self, job_id: str) -> int:
        """Return the number of the job's present attempt, from 1."""
        return self._attempts[self._number(job_id)]

    def ends(self, job_id: str) -> int:
        """Return how often the job has ended; from once on it has a result."""
        return self._ends(self._number(job_id))

    def outcome(self, job_id: str) -> Outcome | None:
        """Return how the job ended; None where it has not."""
        number = self._number(job_id)
        return OUTCOMES[self._outcomes[number]] if self._where[number] == _ENDED else None

    def chunk_of(self, job_id: str) -> ChunkState | None:
        """Return the open chunk that the job is in; None where it is pending or has ended."""
        where = self._where[self._number(job_id)]
        return self.chunks[where] if where >= 0 else None

    def pending_ids(self) -> Iterator[str]:
        """Yield the ids of jobs that are in no chunk and have not ended, as they were added."""
        return (self._ids[number] for number in self.pending_numbers())

    def pending_numbers(self) -> Iterator[int]:
        """Yield the numbers of those jobs, from 0, as they were added."""
        return (number for number, where in enumerate(self._where) if where == _PENDING)

    def unended_ids(self) -> Iterator[str]:
        """Yield the ids of jobs that are pending or in an open chunk, as they were added."""
        return (self._ids[number] for number, where in enumerate(self._where) if where != _ENDED)

    def ended_ids(self, *outcomes: Outcome) -> Iterator[str]:
        """Yield the ids of jobs that ended so (any way, where none is given)."""
        wanted = {OUTCOMES.index(outcome) for outcome in outcomes or OUTCOMES}
        for number, where in enumerate(self._where):
            if where == _ENDED and self._outcomes[number] in wanted:
                yield self._ids[number]

    def answered_ids(self) -> Iterator[str]:
        """Yield the ids of jobs that have a result, those included that are tried again."""
        return (self._ids[number] for number in range(len(self._ids)) if self._ends(number))

    def is_late(self, job_id: str) -> bool:
        """Return whether the job has ended without an answer, and may go live.

        So are those that expired, and those that were cancelled since the run went live, be it
        for an earlier deadline.
        """
        return self._is_late(self._number(job_id))

    def late_ids(self) -> Iterator[str]:
        """Yield the ids of jobs that are so, as they were added."""
        return (self._ids[number] for number in range(len(self._ids)) if self._is_late(number))

    def _is_late(self, number: int) -> bool:
        if self._where[number] != _ENDED:
            return False
        outcome = OUTCOMES[self._outcomes[number]]
        if outcome == "cancelled":
            place = self._result_places[number]
            return (self.went_live and place > self._live_from) or place in self._left
        return outcome == "expired"

    def job_ids_of(self, chunk: ChunkState) -> Iterator[str]:
        """Yield the ids of all jobs of an open chunk, as they were submitted."""
        return (self._ids[number] for number in chunk.job_numbers)

    def waiting_ids(self, chunk: ChunkState) -> Iterator[str]:
        """Yield the ids of jobs of an open chunk that have not ended."""
        where = self._where
        return (self._ids[n] for n in chunk.job_numbers if where[n] == chunk.number)

    def spec_place(self, job_id: str) -> int:
        """Return where the job's `JobAdded` stands, as it was given to `apply`."""
        return self._spec_places[self._number(job_id)]

    def result_place(self, job_id: str) -> int | None:
        """Return where the job's last `ResultKept` stands; None where it never ended.

        Of a job that is tried again, that is how it ended before.
        """
        number = self._number(job_id)
        return self._result_places[number] if self._ends(number) else None

    def _ends(self, number: int) -> int:
        return self._attempts[number] - (self._where[number] != _ENDED)

    def _number(self, job_id: str) -> int:
        number = self._numbers.get(job_id)
        if number is None:
            raise ImpossibleEventError(f"there is no job {job_id!r}")
        return number

    # -- what happens

    def apply(self, event: Event, place: int = 0) -> None:
        """Let `event` have happened.

        Args:
            event: what happened.
            place: where it stands in the file, in bytes.

        Raises:
            ImpossibleEventError: if it cannot follow those before it; nothing is changed then.
        """
        _APPLY[type(event)](self, event, place)

    def _add_job(self, event: JobAdded, place: int) -> None:
        number = len(self._ids)
        try:
            digest = bytes.fromhex(event.digest)
        except ValueError:
            digest = b""
        # Written out, as below: there are many of these, and no reason is made where all is well.
        if len(digest) != _DIGEST_BYTES:
            raise ImpossibleEventError(f"the digest of job {event.id!r} is none")
        if self._numbers.setdefault(event.id, number) != number:
            raise ImpossibleEventError(f"the job {event.id!r} is there already")
        self._ids.append(event.id)
        self._digests += digest
        self._where.append(_PENDING)
        self._spec_places.append(place)
        self._result_places.append(0)
        self._outcomes.append(0)
        self._attempts.append(1)
        self._is_live.append(False)
        self.pending += 1

    def _plan_chunk(self, event: ChunkPlanned, _place: int) -> None:
        _require(event.number == len(self.chunks), f"chunk {event.number} is not the next")
        numbers = array("I", map(self._number, event.job_ids))
        _require(len(numbers) > 0, f"chunk {event.number} has no jobs")
        _require(len(set(numbers)) == len(numbers), f"chunk {event.number} has a job twice")
        for number in numbers:
            if self._where[number] != _PENDING:
                raise ImpossibleEventError(f"the job {self._ids[number]!r} is not pending")
        for number in numbers:
            self._where[number] = event.number
        self.pending -= len(numbers)
        chunk = ChunkState(
            plan=msgspec.structs.replace(event, job_ids=[]),
            nonce=event.nonce,
            nonces=[event.nonce],
            reserved_usd=event.reserved_usd,
            changed_at=event.at,
            jobs=len(numbers),
            waiting=len(numbers),
            job_numbers=numbers,
        )
        self.chunks.append(chunk)
        self.open_chunks[event.number] = self._unsettled[event.number] = chunk

    def _submit_again(self, event: Again, _place: int) -> None:
        chunk = self._open(event.chunk)
        is_found = chunk.may_be_orphan and event.nonce in chunk.nonces
        _require(
            is_found or chunk.step is Step.REFUSED, f"chunk {chunk.number} is {chunk.step.value}"
        )
        if is_found and event.nonce != chunk.nonce:
            self._lose(chunk, event.at)
        chunk.lost = [lost for lost in chunk.lost if lost.nonce != event.nonce]
        chunk.step, chunk.changed_at, chunk.file = Step.PLANNED, event.at, None
        chunk.nonce, chunk.reserved_usd = event.nonce, event.reserved_usd
        if event.nonce not in chunk.nonces:
            chunk.nonces.append(event.nonce)
        self._unsettled[chunk.number] = chunk

    def _upload(self, event: Uploaded, _place: int) -> None:
        chunk = self._open(event.chunk, Step.PLANNED, Step.UPLOADED)
        chunk.step, chunk.file = Step.UPLOADED, event.file

    def _create(self, event: Created, _place: int) -> None:
        chunk = self._open(event.chunk, Step.PLANNED, Step.UPLOADED)
        chunk.step, chunk.remote_id, chunk.changed_at = Step.CREATED, event.remote_id, event.at
        chunk.remote_ids.append(event.remote_id)
        chunk.status = None

    def _refuse(self, event: Refused, _place: int) -> None:
        chunk = self._open(event.chunk, Step.PLANNED, Step.UPLOADED, Step.CREATED, Step.ENDED)
        if chunk.may_be_orphan and event.reason == NEVER_TAKEN:
            self._lose(chunk, event.at)
        chunk.step, chunk.changed_at = Step.REFUSED, event.at
        chunk.remote_id = chunk.file = None
        chunk.reasons.append(event.reason)
        chunk.not_before = event.not_before
        self._unsettled.pop(chunk.number, None)

    def _lose(self, chunk: ChunkState, at: float) -> None:
        """Take note that the present submission may have been taken, and is not waited for."""
        lost = LostCreate(chunk.nonce, chunk.reserved_usd, at, chunk.job_numbers)
        chunk.lost.append(lost)
        self._losing[chunk.number] = chunk

    def _stop_double(self, event: DoubleStopped, _place: int) -> None:
        chunk = self._losing.get(event.chunk)
        nonces = [] if chunk is None else [lost.nonce for lost in chunk.lost]
        if chunk is None or event.nonce not in nonces:
            raise ImpossibleEventError(f"chunk {event.chunk} has lost no create {event.nonce!r}")
        chunk.lost[nonces.index(event.nonce)].stopped_id = event.remote_id

    def _poll(self, event: Polled, _place: int) -> None:
        chunk = self._open(event.chunk, Step.CREATED, Step.ENDED, Step.COLLECTING)
        chunk.status, chunk.counts, chunk.changed_at = event.status, event.counts, event.at
        if event.ended and chunk.step is Step.CREATED:
            chunk.step, chunk.ended_at = Step.ENDED, event.at

    def _collect(self, event: Collecting, _place: int) -> None:
        chunk = self._open(event.chunk)
        chunk.step = Step.COLLECTING
        if chunk.ended_at is not None:
            key = (chunk.plan.provider, chunk.plan.model)
            self.ended_at[key] = max(self.ended_at.get(key, 0.0), chunk.ended_at)

    def _keep_result(self, event: ResultKept, place: int) -> None:
        number = self._number(event.job_id)
        where = self._where[number]
        if where == _ENDED:
            raise ImpossibleEventError(f"the job {event.job_id!r} has ended already")
        if event.chunk is not None and event.chunk != where:
            raise ImpossibleEventError(f"the job {event.job_id!r} is not in chunk {event.chunk}")
        if where >= 0:
            self.chunks[where].waiting -= 1
        else:
            self.pending -= 1
        if event.chunk is None:
            self.spent_usd += event.cost_usd or 0.0
            self._unpriced += event.is_unpriced
        self._where[number] = _ENDED
        self._result_places[number] = place
        self._outcomes[number] = OUTCOMES.index(event.outcome)
        self._is_live[number] = event.calls > 0
        self.counts[event.outcome] += 1

    def _close(self, event: Collected, _place: int) -> None:
        chunk = self._open(event.chunk)
        _require(chunk.waiting == 0, f"{chunk.waiting} jobs of chunk {event.chunk} have not ended")
        chunk.step, chunk.changed_at = Step.COLLECTED, event.at
        chunk.job_numbers = array("I")
        del self.open_chunks[chunk.number]

    def _settle(self, event: Settled, _place: int) -> None:
        if event.chunk is not None:
            chunk = self._unsettled.pop(event.chunk, None)
            if chunk is None or chunk.settled_usd is not None:
                raise ImpossibleEventError(f"nothing is held for chunk {event.chunk}")
            self._compare(f"a batch of {chunk.plan.model}", chunk.reserved_usd, event.usd)
            chunk.settled_usd, chunk.reserved_usd = event.usd, event.held_usd
            chunk.unpriced = event.unpriced
            if event.held_usd is not None:
                self._unsettled[event.chunk] = chunk
        self.spent_usd += event.usd
        self._unpriced += event.unpriced

    def _cancel(self, event: Cancelled, _place: int) -> None:
        self._open(event.chunk).cancel_asked = True

    def _resubmit(self, event: Resubmitted, _place: int) -> None:
        number = self._number(event.job_id)
        _require(self._where[number] == _ENDED, f"the job {event.job_id!r} has not ended")
        _require(
            event.attempt == self._attempts[number] + 1,
            f"the attempt {event.attempt} of job {event.job_id!r} is not the next",
        )
        self._where[number] = _PENDING
        self._attempts[number] = event.attempt
        self._is_live[number] = False
        self.counts[OUTCOMES[self._outcomes[number]]] -= 1
        self.pending += 1

    def _set_deadline(self, event: DeadlineSet, _place: int) -> None:
        self._keep_late()
        self.deadline, self.went_live, self._due = event, False, len(self._ids)

    def _go_live(self, _event: WentLive, place: int) -> None:
        _require(self.deadline is not None, "a run without a deadline does not go live")
        self._keep_late()
        self.went_live, self._live_from = True, place

    def _keep_late(self) -> None:
        """Let those stay late that are so by the deadline until now."""
        if self.went_live:
            late = (number for number in range(len(self._ids)) if self._is_late(number))
            self._left = frozenset(self._result_places[number] for number in late)

    def _release(self, event: Released, _place: int) -> None:
        chunk = self._open(event.chunk, Step.REFUSED)
        for number in chunk.job_numbers:
            if self._where[number] == chunk.number:
                self._where[number] = _PENDING
        self.pending += chunk.waiting
        chunk.step, chunk.waiting, chunk.job_numbers = Step.RELEASED, 0, array("I")
        del self.open_chunks[chunk.number]

    def _call(self, event: LiveCall, _place: int) -> None:
        _require(event.number == self.last_call + 1, f"the call {event.number} is not the next")
        self.last_call = event.number
        self._calls[event.number] = event.usd
        self._calls_usd += event.usd

    def _settle_call(self, event: LiveCallSettled, _place: int) -> None:
        _require(event.number in self._calls, f"nothing is held for call {event.number}")
        held = self._calls.pop(event.number)
        # Without rounding errors, which would add up over a million calls.
        self._calls_usd = self._calls_usd - held if self._calls else 0.0
        self.spent_usd += event.usd
        self._compare("a live call", held, event.usd)

    def _compare(self, what: str, held_usd: float | None, usd: float) -> None:
        """Take note of what cost more than was held for it."""
        if held_usd is not None and usd > held_usd + max(_SLACK_USD, held_usd * _SLACK_SHARE):
            self.overruns.append(Overrun(what, held_usd, usd))

    def _ask(self, event: Asked, _place: int) -> None:
        self.asked = event

    def _open(self, number: int, *steps: Step) -> ChunkState:
        chunk = self.open_chunks.get(number)
        if chunk is None:
            raise ImpossibleEventError(f"chunk {number} is not open")
        _require(not steps or chunk.step in steps, f"chunk {number} is {chunk.step.value}")
        return chunk


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ImpossibleEventError(otherwise)


_APPLY: Final[dict[type, Callable[..., None]]] = {
    JobAdded: RunState._add_job,
    ChunkPlanned: RunState._plan_chunk,
    Again: RunState._submit_again,
    Uploaded: RunState._upload,
    Created: RunState._create,
    Refused: RunState._refuse,
    Polled: RunState._poll,
    Collecting: RunState._collect,
    ResultKept: RunState._keep_result,
    Collected: RunState._close,
    Settled: RunState._settle,
    Cancelled: RunState._cancel,
    Resubmitted: RunState._resubmit,
    DeadlineSet: RunState._set_deadline,
    WentLive: RunState._go_live,
    Released: RunState._release,
    DoubleStopped: RunState._stop_double,
    LiveCall: RunState._call,
    LiveCallSettled: RunState._settle_call,
    Asked: RunState._ask,
    RowRead: lambda _state, _event, _place: None,
    Note: lambda _state, _event, _place: None,
}
