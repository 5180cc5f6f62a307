"""How a run of remote batches stands, as a picture for Rich to draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from . import run_text, screen
from .run_text import OF_JOBS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..batch import RunStatus
    from .run_text import RunWords


def picture(status: RunStatus, words: RunWords = OF_JOBS) -> RenderableType:
    """Return the run as a bar, a line of totals, and a table of remote batches."""
    bar = screen.bar(status.completed, status.total, Text(run_text.done(status), style="bold"))
    parts: list[RenderableType] = [bar]
    parts.append(
        Padding(Text("  ".join(run_text.totals(status, words)), style="dim"), (0, 0, 0, 2))
    )
    if status.batches:
        parts.append(_table(status, words))
    left = run_text.left_out(status)
    if left:
        parts.append(Text(f"  {left}", style="dim"))
    parts += [Text(f"  {reason}", style="yellow") for reason in run_text.reasons(status, words)]
    return Group(*parts)


def _table(status: RunStatus, words: RunWords) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    # The one column that gives way where a terminal is narrow: the others tell how it goes.
    table.add_column("remote batch", no_wrap=False)
    table.add_column("state", no_wrap=True)
    for heading in (f"{words.noun}s", "age", "cost"):
        table.add_column(heading, justify="right", no_wrap=True)
    for batch in run_text.worth_a_line(status):
        is_over = batch["state"] == "collected"
        style = "yellow" if batch["why_waiting"] else "dim" if is_over else ""
        name = Text(run_text.short_name(batch), no_wrap=True, overflow="ellipsis")
        table.add_row(name, *(Text(cell) for cell in run_text.figures_of(batch)), style=style)
    return table
