"""How remote batches stand, on standard error: live on a terminal, else a line now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeAlias

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from .. import figures, screen
from ..wording import in_words_of_the_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

    from ...batch import RemoteBatchStatus, RunStatus

Display: TypeAlias = "screen.Display[RunStatus]"

STEP_SECONDS: Final = 2.0
"""At least so long lines are apart, whatever happens."""

LINE_SECONDS: Final = 600.0
"""At most so long no line comes: batches take hours."""

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


class LineDisplay(screen.NoDisplay["RunStatus"]):
    """Prints a line when something has changed, and now and then between; for logs and files."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._shown_at = clock()
        self._said: object = None

    def show(self, moment: RunStatus) -> None:
        """Print a line, if it is time for one."""
        now, news = self._clock(), _news(moment)
        silence = now - self._shown_at
        if silence >= LINE_SECONDS or (news != self._said and silence >= STEP_SECONDS):
            self._shown_at, self._said = now, news
            screen.print_line(self._console, line(moment))


def display_for(console: Console, *, quiet: bool) -> Display:
    """Return the display that suits `console`."""
    if quiet:
        return screen.NoDisplay["RunStatus"]()
    if screen.is_live(console):
        return screen.LiveDisplay(console, picture)
    return LineDisplay(console)


# -- in one line


def line(status: RunStatus) -> str:
    """Return the run in one line."""
    return "  ".join([_done(status), *totals(status), *_reasons(status)])


def _news(status: RunStatus) -> object:
    """Return what has to change for a line to be worth it."""
    states = tuple(map(state_of, _shown(status)))
    return states, status.completed, status.pending, tuple(status.waiting)


def _done(status: RunStatus) -> str:
    return figures.share(status.completed, status.total)


def totals(status: RunStatus) -> list[str]:
    """Return what there is besides the rows that have ended, in a few words each."""
    under_way = sum(map(_is_under_way, status.batches))
    parts = [f"{figures.plural(under_way, 'remote batch', 'remote batches')} under way"]
    if status.pending:
        parts.append(f"{figures.count(status.pending)} not sent yet")
    ends = ("failed", "expired", "cancelled")
    parts += [f"{name} {figures.count(status[name])}" for name in ends if status[name]]
    parts.append(money(status))
    return parts


def money(status: RunStatus) -> str:
    """Return what was spent and what is held, of the limit if there is one."""
    least = "at least " if is_cost_open(status) else ""
    text = f"{least}{figures.usd(status.cost_usd)} spent"
    if status.unpriced:
        text += f" and {figures.plural(status.unpriced, 'row')} of unknown cost"
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


def _reasons(status: RunStatus) -> list[str]:
    whys = [batch["why_waiting"] for batch in status.batches if batch["why_waiting"]]
    found = dict.fromkeys([*whys, *status.waiting])
    return [f"waiting: {in_words_of_the_command('; '.join(found))}"] if found else []


# -- batch by batch


def batch_lines(status: RunStatus) -> Iterator[str]:
    """Yield a line for each remote batch that is worth one."""
    for batch in _worth_a_line(status):
        name, state, ended, age, cost = cells(batch)
        why = f"; {batch['why_waiting']}" if batch["why_waiting"] else ""
        yield f"{name}: {state}, {ended} rows, {age}, {cost}{why}"
    left = _left_out(status)
    if left:
        yield left


def cells(batch: RemoteBatchStatus) -> tuple[str, str, str, str, str]:
    """Return a remote batch as name, state, rows that have ended, age and cost."""
    name = " ".join(filter(None, (_number(batch), batch["model"], batch["remote_id"])))
    return name, *_figures(batch)


def _number(batch: RemoteBatchStatus) -> str:
    return f"{batch['number'] + 1}."


def _figures(batch: RemoteBatchStatus) -> tuple[str, str, str, str]:
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
        is_usual = not word or word in _USUAL_ENDS
        return "collected" if is_usual else f"collected ({word})"
    return _WORDS[batch["state"]]


def _cost(batch: RemoteBatchStatus) -> str:
    if batch["cost_usd"] is not None:
        return figures.usd(batch["cost_usd"])
    held = batch["reserved_usd"]
    return "cost not known" if held is None else f"at most {figures.usd(held)}"


def _worth_a_line(status: RunStatus) -> list[RemoteBatchStatus]:
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


def _left_out(status: RunStatus) -> str:
    left = len(_shown(status)) - len(_worth_a_line(status))
    return f"and {figures.count(left)} more" if left else ""


def picture(status: RunStatus) -> RenderableType:
    """Return the run as a bar, a line of totals, and a table of remote batches."""
    bar = screen.bar(status.completed, status.total, Text(_done(status), style="bold"))
    parts: list[RenderableType] = [bar]
    parts.append(Padding(Text("  ".join(totals(status)), style="dim"), (0, 0, 0, 2)))
    if status.batches:
        parts.append(_table(status))
    left = _left_out(status)
    if left:
        parts.append(Text(f"  {left}", style="dim"))
    parts += [Text(f"  {reason}", style="yellow") for reason in _reasons(status)]
    return Group(*parts)


def _table(status: RunStatus) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    # The one column that gives way where a terminal is narrow: the others tell how it goes.
    table.add_column("remote batch", no_wrap=False)
    table.add_column("state", no_wrap=True)
    for heading in ("rows", "age", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for batch in _worth_a_line(status):
        is_over = batch["state"] == "collected"
        style = "yellow" if batch["why_waiting"] else "dim" if is_over else ""
        name = Text(_short_name(batch), no_wrap=True, overflow="ellipsis")
        table.add_row(name, *(Text(cell) for cell in _figures(batch)), style=style)
    return table


def _short_name(batch: RemoteBatchStatus) -> str:
    """Return a name whose end may be cut off: batches of a run differ in their ids."""
    remote_id = batch["remote_id"] or ""
    is_long = len(remote_id) > _ID_END + 1
    short = f"\N{HORIZONTAL ELLIPSIS}{remote_id[-_ID_END:]}" if is_long else remote_id
    return " ".join(filter(None, (_number(batch), short, batch["model"])))
