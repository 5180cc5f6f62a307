"""What a run of remote batches came to, in a few lines, and what to type next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from ...base import figures
from ...progress.run_text import is_cost_open
from ..summary import failures, truncated_answers
from ..wording import in_words_of_the_command
from .hints import command_on
from .output import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...batch import RunStatus
    from ...batch.state.events import Asked
    from ...rows.tally import Tally


@dataclass(frozen=True, slots=True)
class End:
    """How a run ended.

    Attributes:
        status: of the run.
        tally: the counts of all rows that were written; None where none could be.
        asked: what was asked for.
        state: as the user calls it.
        seconds: that this run took.
        was_stopped: by a signal, or because it was to be cancelled.
    """

    status: RunStatus
    tally: Tally | None
    asked: Asked
    state: Path
    seconds: float
    was_stopped: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether every row has ended."""
        return self.status.completed == self.status.total


def summary(end: End) -> Iterator[Text]:
    """Yield the lines that end a run."""
    yield _outcome(end)
    yield Text(" ".join(_money(end)))
    if end.tally is not None:
        yield from truncated_answers(end.tally)
        yield from failures(end.tally)
    yield from advice(end.status, end.asked, end.state, was_stopped=end.was_stopped)
    yield Text(f"Results: {place_of_results(end)}")
    yield Text(f"State: {end.state}")


def counts(status: RunStatus) -> str:
    """Return how many rows ended how, and how many have not."""
    parts = [f"{figures.count(status.succeeded)} succeeded"]
    ends = ("failed", "expired", "cancelled")
    parts += [f"{figures.count(status[name])} {name}" for name in ends if status[name]]
    not_sent = status.pending
    under_way = status.total - status.completed - not_sent
    if under_way:
        parts.append(f"{figures.count(under_way)} under way at the provider")
    if not_sent:
        parts.append(f"{figures.count(not_sent)} not sent")
    return ", ".join(parts)


def advice(
    status: RunStatus, asked: Asked, state: Path, *, was_stopped: bool = False
) -> Iterator[Text]:
    """Say why not all has ended, and how to go on."""
    if status.completed < status.total:
        if status.waiting and not was_stopped:
            why = in_words_of_the_command("; ".join(status.waiting))
            yield Text(f"Not sent: {why}.", style="yellow")
        # Where nobody stopped it and nothing is under way, money alone holds rows back.
        is_limited = asked.max_cost_usd is not None and status.waiting and not was_stopped
        more = _about_limit(status) if is_limited else ()
        yield Text(f"To go on: {command_on(state, 'resume', *more)}", style="yellow")
    if status.failed > asked.rows - asked.jobs:
        yield Text(f"To send the failed rows again: {command_on(state, 'retry-failed')}")
    if status.expired:
        yield Text(f"To send the expired rows again: {command_on(state, 'resubmit-expired')}")
    if status.cancelled:
        yield Text(f"To send the cancelled rows again: {command_on(state, 'resubmit-cancelled')}")


def _about_limit(status: RunStatus) -> tuple[str, ...]:
    """Return the option that lets a run go on which its limit holds."""
    # Where costs are not what they are held for, or not known, no higher limit helps.
    can_be_kept = not (status.overruns or status.unpriced)
    return ("--max-cost", "USD") if can_be_kept else ("--no-max-cost",)


def _outcome(end: End) -> Text:
    status = end.status
    return Text(
        f"{figures.plural(status.total, 'row')} in {figures.duration(end.seconds)}, "
        f"{figures.plural(_created(status), 'remote batch', 'remote batches')}: "
        f"{counts(status)}.",
        style="bold green" if status.succeeded == status.total else "bold",
    )


def _created(status: RunStatus) -> int:
    """Return how many chunks a provider had: one that it ended unrun has a state, and no id."""
    return sum(bool(batch["remote_id"] or batch["provider_state"]) for batch in status.batches)


def _money(end: End) -> Iterator[str]:
    status, tally = end.status, end.tally
    unpriced = 0 if tally is None else tally.unpriced
    # A row that was sent again has a cost by now; what its first try did cost, nobody told.
    least = "at least " if unpriced or is_cost_open(status) else ""
    why = f": that of {figures.plural(unpriced, 'row')} is not known" if unpriced else ""
    yield f"Cost: {least}{figures.usd(status.cost_usd)}{why}."
    if status.reserved_usd:
        yield f"Held for what may still be billed: at most {figures.usd(status.reserved_usd)}."
    yield from left_of_limit(status)


def left_of_limit(status: RunStatus) -> Iterator[str]:
    """Say what of the limit is neither spent nor held; nothing where there is none."""
    if status.cost_limit_usd is not None:
        left = max(0.0, status.cost_limit_usd - status.cost_usd - status.reserved_usd)
        limit = f"{status.cost_limit_usd:.9f}".rstrip("0").rstrip(".")
        yield f"Left of --max-cost {limit}: {figures.usd(left)}."


def place_of_results(end: End) -> str:
    """Return where the results are."""
    if end.tally is None:
        return f"in the state; {command_on(end.state, 'results')} -o FILE writes them"
    if end.is_whole:
        return shown(end.asked)
    # A row that is to be sent again keeps its result until there is another.
    earlier = end.tally.done - end.status.completed
    before = f", {figures.count(earlier)} of them as they ended before" if earlier > 0 else ""
    rows = f"{figures.count(end.tally.done)} of {figures.count(end.tally.total)} rows{before}"
    return f"{shown(end.asked)} ({rows})"
