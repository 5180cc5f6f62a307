"""Which chunks may be submitted now, and why the others may not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Final

from ...base.usd_text import usd_text
from ..state.run_state import Step

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ..state.run_state import ChunkState, Overrun, RunState

_FIRST_WAIT_SECONDS: Final = 60.0
_LONGEST_WAIT_SECONDS: Final = 3600.0
MOST_LOST: Final = 3
"""So many creates of one chunk may be lost in a run: each may have been taken, and be billed."""


class Hold(str, Enum):
    """Why a chunk waits."""

    CONCURRENCY = "max_concurrent"
    ENQUEUED_TOKENS = "enqueued_tokens"
    REFUSED = "refused"
    LOST = "lost"
    COST_LIMIT = "cost_limit"
    UNPRICED = "unpriced"
    OVERRUN = "overrun"


@dataclass(slots=True)
class Candidate:
    """A chunk that waits to be submitted.

    Args:
        number: its number in the run.
        provider: who is to run it.
        model: the model.
        input_tokens: what it will have enqueued.
        reserved_usd: what it may cost at the most; None where no price is known.
        refusals: how often the provider has refused it.
        refused_at: when it last did, in seconds of the clock that `Standing.now` is of.
        reason: the provider's reason.
        not_before: when it may go again at the earliest, by the same clock; None where the
            provider does not say.
        lost: how many creates of it were lost in this run, the last of them at `refused_at`.
    """

    number: int
    provider: str
    model: str
    input_tokens: int = 0
    reserved_usd: float | None = None
    refusals: int = 0
    refused_at: float = 0.0
    reason: str = ""
    not_before: float | None = None
    lost: int = 0


@dataclass(slots=True)
class Standing:
    """What is under way, and what is allowed.

    Args:
        now: the time, in seconds.
        in_flight: remote batches that have not ended, or may have been accepted.
        committed_usd: spent, and held for what is under way.
        unpriced: jobs of this run whose cost nobody knows.
        overruns: what of this run has cost more than was held for it.
        max_concurrent: remote batches at a time; None for any number.
        max_cost_usd: what the run may cost; None for any sum.
        enqueued_tokens: input tokens in flight, by provider and model.
        max_enqueued_tokens: what the provider allows of these; a model that is missing is
            unlimited, as far as is known. A chunk that is over it by itself goes alone.
        ended_at: when a remote batch of that provider and model last ended in this run that was
            not refused.
        lost_usd: what of `committed_usd` is held for creates that were lost.
        grace_seconds: how long a lost create was looked for before it counted as lost.
        one_at_a_time: providers and models of which the next goes only once the last is known to
            be taken, or is refused.
    """

    now: float
    in_flight: int = 0
    committed_usd: float = 0.0
    unpriced: int = 0
    overruns: Sequence[Overrun] = ()
    max_concurrent: int | None = None
    max_cost_usd: float | None = None
    enqueued_tokens: Mapping[tuple[str, str], int] = field(default_factory=dict)
    max_enqueued_tokens: Mapping[tuple[str, str], int] = field(default_factory=dict)
    ended_at: Mapping[tuple[str, str], float] = field(default_factory=dict)
    lost_usd: float = 0.0
    grace_seconds: float = 0.0
    one_at_a_time: Collection[tuple[str, str]] = ()


@dataclass(slots=True)
class Held:
    """A chunk that waits, and why.

    Attributes:
        number: its number in the run.
        hold: the kind of reason.
        reason: in words for people.
        until: when to look again, where time alone may help; None where something must end first.
    """

    number: int
    hold: Hold
    reason: str
    until: float | None = None


@dataclass(slots=True)
class Plan:
    """What to do with chunks that wait.

    Attributes:
        submit: numbers of chunks to submit, in this order.
        held: the others.
    """

    submit: list[int] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)

    def is_stuck(self, standing: Standing) -> bool:
        """Whether nothing goes, nothing is under way, and no time will change that."""
        return (
            not self.submit
            and standing.in_flight == 0
            and len(self.held) > 0
            and all(held.until is None for held in self.held)
        )


def plan(candidates: Iterable[Candidate], standing: Standing) -> Plan:
    """Return which chunks may be submitted now: all of `submit` together keep every limit.

    A chunk that waits lets those after it pass which have no reason to. One that was refused goes
    again when a remote batch of its model has ended since, or after a wait that doubles from a
    minute to an hour: others of the account may have filled the queue. None goes before the time
    that the provider has named. What was sent in vain without an answer goes again at once, then
    after twice the time of grace, and then in this run no more.
    """
    chosen, standing = Plan(), _own(standing)
    for candidate in candidates:
        held = _why_held(candidate, standing)
        if held is not None:
            chosen.held.append(held)
            continue
        chosen.submit.append(candidate.number)
        _take(candidate, standing)
    return chosen


def refused_candidates(state: RunState) -> list[Candidate]:
    """Return the chunks of a run that were refused, and wait to be submitted again."""
    return [
        Candidate(
            number=chunk.number,
            provider=chunk.plan.provider,
            model=chunk.plan.model,
            input_tokens=chunk.plan.input_tokens,
            reserved_usd=chunk.plan.reserved_usd,
            refusals=len(chunk.reasons),
            refused_at=chunk.changed_at,
            reason=chunk.reasons[-1],
            not_before=chunk.not_before,
        )
        for chunk in refused_chunks(state)
    ]


def refused_chunks(state: RunState) -> list[ChunkState]:
    """Return the chunks of a run that were refused, and not submitted again since."""
    return [chunk for chunk in state.open_chunks.values() if chunk.step is Step.REFUSED]


def standing_of(state: RunState, now: float) -> Standing:
    """Return what a run has under way, without limits: set those.

    Args:
        state: of the run.
        now: the time, in unix seconds.
    """
    committed_usd = state.spent_usd + state.reserved_usd
    standing = Standing(
        now=now,
        committed_usd=committed_usd,
        unpriced=state.unpriced,
        overruns=tuple(state.overruns),
        lost_usd=state.lost_usd,
    )
    tokens = dict[tuple[str, str], int]()
    for chunk in state.open_chunks.values():
        key = (chunk.plan.provider, chunk.plan.model)
        if chunk.is_in_flight:
            standing.in_flight += 1
            tokens[key] = tokens.get(key, 0) + chunk.plan.input_tokens
    standing.enqueued_tokens, standing.ended_at = tokens, state.ended_at
    return standing


def why_unlimited(unpriced: int, overruns: Sequence[Overrun]) -> str | None:
    """Return why nothing of a run may go under a limit in USD; None where that can be kept.

    Args:
        unpriced: jobs of the run whose cost nobody knows.
        overruns: what of it has cost more than was held for it: the next may do so too.
    """
    if unpriced:
        jobs = "1 job" if unpriced == 1 else f"{unpriced:,} jobs"
        return (
            f"what {jobs} of this run cost is not known, so that no limit in USD can be kept: go "
            f"on without one, or run the others with a new state_file"
        )
    if overruns:
        first = overruns[0]
        return (
            f"{first.what} cost {usd_text(first.usd)}, more than the {usd_text(first.held_usd)} "
            f"that was held for it, so that no limit in USD can be kept: go on without one, or, "
            f"once its estimate is right, run the others with a new state_file"
        )
    return None


def goes_again_at(candidate: Candidate) -> float:
    """Return when a refused chunk goes again, if nothing of its model ends before."""
    doublings = min(candidate.refusals - 1, 16)
    wait = min(_FIRST_WAIT_SECONDS * 2.0**doublings, _LONGEST_WAIT_SECONDS)
    return max(candidate.refused_at + wait, candidate.not_before or 0.0)


def _own(standing: Standing) -> Standing:
    return replace(standing, enqueued_tokens=dict(standing.enqueued_tokens))


def _take(candidate: Candidate, standing: Standing) -> None:
    key = (candidate.provider, candidate.model)
    standing.in_flight += 1
    standing.committed_usd += candidate.reserved_usd or 0.0
    tokens = standing.enqueued_tokens.get(key, 0) + candidate.input_tokens
    standing.enqueued_tokens = {**standing.enqueued_tokens, key: tokens}


def _why_held(candidate: Candidate, standing: Standing) -> Held | None:
    return (
        _loss(candidate, standing)
        or _money(candidate, standing)
        or _refusal(candidate, standing)
        or _tokens(candidate, standing)
        or _doubt(candidate, standing)
        or _concurrency(candidate, standing)
    )


def _money(candidate: Candidate, standing: Standing) -> Held | None:
    limit, needed = standing.max_cost_usd, candidate.reserved_usd
    if limit is None:
        return None
    if needed is None:
        reason = f"no price of {candidate.model} is known, and the run has a limit in USD"
        return Held(candidate.number, Hold.UNPRICED, reason)
    why = why_unlimited(standing.unpriced, standing.overruns)
    if why is not None:
        hold = Hold.UNPRICED if standing.unpriced else Hold.OVERRUN
        return Held(candidate.number, hold, why)
    left = limit - standing.committed_usd
    if standing.committed_usd + needed <= limit:
        return None
    lost = (
        f" ({usd_text(standing.lost_usd)} is held for batches that may have been taken without an "
        f"answer)"
        if standing.lost_usd
        else ""
    )
    reason = (
        f"what is next may cost {usd_text(needed)}, and {usd_text(max(left, 0.0))} is left of the "
        f"limit of {usd_text(limit)}{lost}: raise it, or lower max_tokens (vectors have none)"
    )
    return Held(candidate.number, Hold.COST_LIMIT, reason)


def _loss(candidate: Candidate, standing: Standing) -> Held | None:
    """Hold back what was lost: the second time for a while, and at last for the rest of the run."""
    if candidate.lost >= MOST_LOST:
        reason = (
            f"{candidate.provider} was sent a batch {candidate.lost} times without an answer that "
            f"names it, and its list of batches names none: each may run there, and be billed. "
            f"Look there what has become of them; a later run looks once more, and sends it again"
        )
        return Held(candidate.number, Hold.LOST, reason)
    if candidate.lost < 2:
        return None
    until = candidate.refused_at + standing.grace_seconds * 2.0 ** (candidate.lost - 1)
    if standing.now >= until:
        return None
    reason = f"{candidate.provider} has not said whether it took it; it goes again"
    return Held(candidate.number, Hold.LOST, reason, until)


def _refusal(candidate: Candidate, standing: Standing) -> Held | None:
    if candidate.not_before is not None and standing.now < candidate.not_before:
        reason = f"{candidate.provider} asks to wait ({candidate.reason}); it goes again"
        return Held(candidate.number, Hold.REFUSED, reason, candidate.not_before)
    if candidate.refusals == 0:
        return None
    ended_at = standing.ended_at.get((candidate.provider, candidate.model))
    if ended_at is not None and ended_at > candidate.refused_at:
        return None
    until = goes_again_at(candidate)
    if standing.now >= until:
        return None
    # The reason may be that the provider was never reached.
    reason = f"{candidate.provider} did not take it ({candidate.reason}); it goes again"
    return Held(candidate.number, Hold.REFUSED, reason, until)


def _tokens(candidate: Candidate, standing: Standing) -> Held | None:
    key = (candidate.provider, candidate.model)
    limit, in_flight = standing.max_enqueued_tokens.get(key), standing.enqueued_tokens.get(key)
    # How many one has is only roughly known: alone it goes, and the provider has the last word.
    if limit is None or in_flight is None or in_flight + candidate.input_tokens <= limit:
        return None
    reason = (
        f"it has {candidate.input_tokens:,} input tokens, {in_flight:,} of {candidate.model} are "
        f"enqueued, and {limit:,} may be"
    )
    return Held(candidate.number, Hold.ENQUEUED_TOKENS, reason)


def _doubt(candidate: Candidate, standing: Standing) -> Held | None:
    key = (candidate.provider, candidate.model)
    if key not in standing.one_at_a_time or key not in standing.enqueued_tokens:
        return None
    reason = (
        f"{candidate.provider} has refused a batch of {candidate.model} and taken none yet: one "
        f"goes at a time"
    )
    return Held(candidate.number, Hold.CONCURRENCY, reason)


def _concurrency(candidate: Candidate, standing: Standing) -> Held | None:
    if standing.max_concurrent is None or standing.in_flight < standing.max_concurrent:
        return None
    batches = "batch is" if standing.in_flight == 1 else "batches are"
    reason = f"{standing.in_flight} remote {batches} under way, and max_concurrent allows no more"
    return Held(candidate.number, Hold.CONCURRENCY, reason)
