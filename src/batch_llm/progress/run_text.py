"""How a run of remote batches stands, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..base import figures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..batch import RemoteBatchStatus, RunStatus

MOST_BATCHES: Final = 15
"""Remote batches with a line of their own; the others are counted."""

_ID_END: Final = 11
"""So many characters at the end of a remote id tell it from others, which may begin as it does."""

_WORDS: Final = {
    "planned": "submitting",
    "uploaded": "submitting",
    "refused": "waiting",
    "ended": "collecting",
    "collecting": "collecting",
}
_USUAL_ENDS: Final = frozenset({"completed", "ended", "SUCCEEDED"})


@dataclass(frozen=True, slots=True)
class RunWords:
    """What is said otherwise of a program's run than of the command line's.

    Attributes:
        noun: what is run: "job", or "row".
        reworded: says a reason in the words of whoever reads it.
    """

    noun: str = "job"
    reworded: Callable[[str], str] = str


OF_JOBS: Final = RunWords()


# -- in one line


def line(status: RunStatus, words: RunWords = OF_JOBS) -> str:
    """Return the run in one line."""
    return "  ".join([done(status), *totals(status, words), *reasons(status, words)])


def news(status: RunStatus) -> object:
    """Return what has to change for a line to be worth it."""
    states = tuple(map(state_of, _shown(status)))
    return states, status.completed, status.pending, tuple(status.waiting)


def done(status: RunStatus) -> str:
    """Return how many jobs have ended, of how many."""
    return figures.share(status.completed, status.total)


def totals(status: RunStatus, words: RunWords = OF_JOBS) -> list[str]:
    """Return what there is besides the jobs that have ended, in a few words each."""
    under_way = sum(map(_is_under_way, status.batches))
    parts = [f"{figures.plural(under_way, 'remote batch', 'remote batches')} under way"]
    if status.pending:
        parts.append(f"{figures.count(status.pending)} not sent yet")
    ends = ("failed", "expired", "cancelled")
    parts += [f"{name} {figures.count(status[name])}" for name in ends if status[name]]
    parts.append(money(status, words))
    return parts


def money(status: RunStatus, words: RunWords = OF_JOBS) -> str:
    """Return what was spent and what is held, of the limit if there is one."""
    least = "at least " if is_cost_open(status) else ""
    text = f"{least}{figures.usd(status.cost_usd)} spent"
    if status.unpriced:
        text += f" and {figures.plural(status.unpriced, words.noun)} of unknown cost"
    if status.reserved_usd:
        is_at_work = _has_work_under_way(status)
        why = "more under way" if is_at_work else "held for what may still be billed"
        text += f", at most {figures.usd(status.reserved_usd)} {why}"
    if status.cost_limit_usd is not None:
        text += f", limit {figures.usd(status.cost_limit_usd)}"
    return text


def is_cost_open(status: RunStatus) -> bool:
    """Return whether something has ended of which nobody told what it did cost."""
    if status.reserved_usd and not _has_work_under_way(status):
        return True
    collected = (batch for batch in status.batches if batch["state"] == "collected")
    return any(batch["cost_usd"] is None or batch["reserved_usd"] for batch in collected)


def _has_work_under_way(status: RunStatus) -> bool:
    return status.live > 0 or any(map(_is_under_way, status.batches))


def _is_under_way(batch: RemoteBatchStatus) -> bool:
    return batch["state"] not in ("collected", "refused", "released")


def reasons(status: RunStatus, words: RunWords = OF_JOBS) -> list[str]:
    """Return why it has ended too early, or why something waits; nothing where neither is so."""
    if status.stopped_because:
        return [f"ended: {words.reworded(status.stopped_because)}"]
    whys = [batch["why_waiting"] for batch in status.batches if batch["why_waiting"]]
    found = dict.fromkeys([*whys, *status.waiting])
    return [f"waiting: {words.reworded('; '.join(found))}"] if found else []


# -- batch by batch


def batch_lines(status: RunStatus, words: RunWords = OF_JOBS) -> Iterator[str]:
    """Yield a line for each remote batch that is worth one."""
    for batch in worth_a_line(status):
        name, state, ended, age, cost = cells(batch)
        why = f"; {words.reworded(batch['why_waiting'])}" if batch["why_waiting"] else ""
        yield f"{name}: {state}, {ended} {words.noun}s, {age}, {cost}{why}"
    left = left_out(status)
    if left:
        yield left


def cells(batch: RemoteBatchStatus) -> tuple[str, str, str, str, str]:
    """Return a remote batch as name, state, jobs that have ended, age and cost."""
    name = " ".join(filter(None, (_number(batch), batch["model"], batch["remote_id"])))
    return name, *figures_of(batch)


def _number(batch: RemoteBatchStatus) -> str:
    return f"{batch['number'] + 1}."


def figures_of(batch: RemoteBatchStatus) -> tuple[str, str, str, str]:
    """Return the state of a remote batch, jobs of it that have ended, its age and its cost."""
    counts = batch["counts"]
    told = sum(counts.get(end, 0) for end in ("succeeded", "failed", "expired", "cancelled"))
    ended = max(batch["jobs"] - batch["waiting"], min(told, batch["jobs"]))
    return (
        state_of(batch),
        f"{figures.count(ended)}/{figures.count(batch['jobs'])}",
        figures.duration(batch["age_seconds"]),
        _cost(batch),
    )


def state_of(batch: RemoteBatchStatus) -> str:
    """Return how far a remote batch is, in a word or two; the provider's where it has one."""
    word = (batch["provider_state"] or "").removeprefix("BATCH_STATE_")
    if batch["state"] == "created":
        return word or "submitted"
    if batch["state"] == "collected":
        if batch["remote_id"] is None:  # its jobs have failed
            return "refused"
        is_usual = not word or word in _USUAL_ENDS
        return "collected" if is_usual else f"collected ({word})"
    return _WORDS[batch["state"]]


def _cost(batch: RemoteBatchStatus) -> str:
    if batch["cost_usd"] is not None:
        return figures.usd(batch["cost_usd"])
    held = batch["reserved_usd"]
    return "cost not known" if held is None else f"at most {figures.usd(held)}"


def worth_a_line(status: RunStatus) -> list[RemoteBatchStatus]:
    """Return the batches to show: those that are not collected first, and the latest of others."""
    batches = _shown(status)
    if len(batches) <= MOST_BATCHES:
        return batches
    is_open = [batch for batch in batches if batch["state"] != "collected"][:MOST_BATCHES]
    room = MOST_BATCHES - len(is_open)
    ended = [batch for batch in batches if batch["state"] == "collected"]
    chosen = [*is_open, *ended[len(ended) - room :]]
    return sorted(chosen, key=lambda batch: batch["number"])


def _shown(status: RunStatus) -> list[RemoteBatchStatus]:
    """Return the batches without those that were given up: their rows go elsewhere."""
    return [batch for batch in status.batches if batch["state"] != "released"]


def left_out(status: RunStatus) -> str:
    """Return how many remote batches are not among those to show; "" where all are."""
    left = len(_shown(status)) - len(worth_a_line(status))
    return f"and {figures.count(left)} more" if left else ""


def short_name(batch: RemoteBatchStatus) -> str:
    """Return a name whose end may be cut off: batches of a run differ in their ids."""
    remote_id = batch["remote_id"] or ""
    is_long = len(remote_id) > _ID_END + 1
    short = f"\N{HORIZONTAL ELLIPSIS}{remote_id[-_ID_END:]}" if is_long else remote_id
    return " ".join(filter(None, (_number(batch), short, batch["model"])))
