"""How a run stands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TypedDict, cast

from ...base.usd_text import usd_text
from ..chunks.plan import why_unlimited
from ..state.run_state import Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..chunks.plan import Held
    from ..state.run_state import ChunkState, RunState


class RemoteBatchStatus(TypedDict):
    """How one remote batch stands.

    `state` is how far it is ("planned", "uploaded", "refused", "created", "ended", "collecting",
    "collected"), `provider_state` the provider's own word. `why_waiting` is "" where the provider
    is at work. `age_seconds` are those since it was planned, until it ended. `cost_usd` is None
    until there is a bill, and where that lacks jobs of an unknown price; what `reserved_usd` holds
    then, jobs may have cost of which nobody told. One that was refused has cost 0.0; where it is
    "collected" without a `remote_id`, its jobs have failed for that.
    """

    number: int
    provider: str
    model: str
    remote_id: str | None
    state: str
    provider_state: str | None
    jobs: int
    waiting: int
    counts: dict[str, int]
    age_seconds: float
    cost_usd: float | None
    reserved_usd: float | None
    why_waiting: str


class RunStatus(dict[str, Any]):
    """How a run stands, at one moment: a dictionary whose keys are attributes too.

    Attributes:
        total: jobs.
        completed: jobs that have ended, in whatever way. One that is tried again is pending or in
            flight; its result is the one that it had, until there is another.
        succeeded, failed, expired, cancelled: how they ended.
        pending: jobs that wait to be submitted, those among them that a provider did not take.
        in_flight: jobs that were submitted, or are about to be, and have not ended.
        is_complete: whether all jobs have ended.
        is_running: whether the run goes on.
        stopped_because: why it ended before all jobs had; None where it did not.
        cost_usd: what was spent, as far as it is known.
        unpriced: jobs that have cost, or may cost, a sum that nobody knows; it is in none of these.
        overruns: batches and live calls that have cost more than was held for them: under a limit,
            nothing more goes.
        reserved_usd: the most that what is under way may cost.
        cost_limit_usd: what it all may cost; None without a limit.
        batches: how each remote batch stands, as `RemoteBatchStatus`.
        waiting: why jobs wait that could be submitted, or could go live, each reason once.
        deadline_at: when what has no answer goes live, in unix seconds; None without a deadline.
        live: jobs that are with the live lane, those that wait there included.
    """

    total: int
    completed: int
    succeeded: int
    failed: int
    expired: int
    cancelled: int
    pending: int
    in_flight: int
    is_complete: bool
    is_running: bool
    stopped_because: str | None
    cost_usd: float
    unpriced: int
    overruns: int
    reserved_usd: float
    cost_limit_usd: float | None
    batches: list[RemoteBatchStatus]
    waiting: list[str]
    deadline_at: float | None
    live: int

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"A run's status has no {name!r}.") from None

    def __str__(self) -> str:
        """Return a line for people."""
        limit = "" if self.cost_limit_usd is None else f" of {usd_text(self.cost_limit_usd)}"
        ends = ", ".join(
            f"{self[name]} {name}"
            for name in ("succeeded", "failed", "expired", "cancelled")
            if self[name]
        )
        said = f"{self.completed}/{self.total} jobs ended{f' ({ends})' if ends else ''}, "
        live = f" ({self.live} live)" if self.live else ""
        said += f"{self.in_flight} in flight, {self.pending} pending{live}, "
        said += f"{usd_text(self.cost_usd)}{limit}{_of_unknown_cost(self.unpriced)}"
        reasons = [self.stopped_because] if self.stopped_because else self._whys()
        return f"{said}; {'; '.join(reasons)}" if reasons else said

    def _whys(self) -> list[str]:
        of_batches = (batch["why_waiting"] for batch in self.batches)
        return list(dict.fromkeys(filter(None, [*of_batches, *self.waiting])))


def _of_unknown_cost(unpriced: int) -> str:
    if unpriced == 0:
        return ""
    return f" and {'1 job' if unpriced == 1 else f'{unpriced:,} jobs'} of unknown cost"


def status_of(
    state: RunState,
    *,
    refused_rows: int = 0,
    held: list[Held] | None = None,
    why: Mapping[int, str] | None = None,
    is_running: bool = False,
    stopped_because: str | None = None,
    cost_limit_usd: float | None = None,
    live: int = 0,
    not_live: Sequence[str] = (),
) -> RunStatus:
    """Return how a run stands.

    Args:
        state: of the run.
        refused_rows: rows of which no job could be made: they count as failed.
        held: chunks that wait.
        why: why chunks wait that are at work, by number.
        is_running: whether it goes on.
        stopped_because: why it does not.
        cost_limit_usd: what it may cost.
        live: jobs that the live lane has.
        not_live: why jobs wait that it did not answer.
    """
    ended, total = sum(state.counts.values()), len(state)
    pending = state.pending + _refused_jobs(state)
    whys = {**{each.number: each.reason for each in held or ()}, **(why or {})}
    waiting, now = [*(each.reason for each in held or ()), *not_live], time.time()
    return RunStatus(
        total=total + refused_rows,
        completed=ended + refused_rows,
        **{**state.counts, "failed": state.counts["failed"] + refused_rows},
        pending=pending,
        in_flight=total - ended - pending,
        is_complete=ended == total,
        is_running=is_running,
        stopped_because=stopped_because,
        cost_usd=state.spent_usd,
        unpriced=state.unpriced,
        overruns=len(state.overruns),
        reserved_usd=state.reserved_usd,
        cost_limit_usd=cost_limit_usd,
        batches=[
            _batch(state, chunk, whys.get(chunk.number, ""), now) for chunk in list(state.chunks)
        ],
        waiting=list(dict.fromkeys([*_unlimited(state, pending, cost_limit_usd), *waiting])),
        deadline_at=None if state.deadline is None else state.deadline.at,
        live=live,
    )


def _unlimited(state: RunState, pending: int, cost_limit_usd: float | None) -> Iterator[str]:
    """Yield why a limit cannot be kept, where that is so and holds jobs back."""
    why = why_unlimited(state.unpriced, state.overruns)
    if pending and cost_limit_usd is not None and why is not None:
        yield why


def _refused_jobs(state: RunState) -> int:
    """Return how many jobs wait in chunks that a provider did not take."""
    refused = (each for each in state.open_chunks.values() if each.step is Step.REFUSED)
    return sum(chunk.waiting for chunk in refused)


def _usual_why(chunk: ChunkState) -> str:
    """Return why a chunk waits, where nobody at work on it says so."""
    if chunk.step is Step.REFUSED:
        return chunk.reasons[-1]
    if chunk.step is Step.CREATED and chunk.cancel_asked:
        return "the provider was asked to cancel it, and has not ended it yet"
    return ""


def _end_of(chunk: ChunkState, now: float) -> float:
    if chunk.step not in (Step.ENDED, Step.COLLECTING, Step.COLLECTED):
        return now
    return chunk.changed_at if chunk.ended_at is None else chunk.ended_at


def _cost_of(state: RunState, chunk: ChunkState) -> tuple[float | None, float | None]:
    """Return what a chunk has cost, as far as it is known, and what is held for it."""
    if chunk.settled_usd is None and not state.is_held(chunk):
        return 0.0, None  # it was refused: nothing of it ran
    return None if chunk.unpriced else chunk.settled_usd, chunk.reserved_usd


def _batch(state: RunState, chunk: ChunkState, why: str, now: float) -> RemoteBatchStatus:
    cost_usd, reserved_usd = _cost_of(state, chunk)
    told = {
        "number": chunk.number,
        "provider": chunk.plan.provider,
        "model": chunk.plan.model,
        "remote_id": chunk.remote_id,
        "state": chunk.step.value,
        "provider_state": chunk.status,
        "jobs": chunk.jobs,
        "waiting": chunk.waiting,
        "counts": dict(chunk.counts),
        "age_seconds": max(0.0, _end_of(chunk, now) - chunk.plan.at),
        "cost_usd": cost_usd,
        "reserved_usd": reserved_usd,
        "why_waiting": why or _usual_why(chunk),
    }
    return cast("RemoteBatchStatus", told)
