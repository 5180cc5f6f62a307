"""Progress on standard error: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from rich.console import Group
from rich.text import Text

from ..base import figures
from ..progress import screen

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from .monitor import Glance

LINE_SECONDS: Final = 10.0
"""At most so long a plain display is silent."""

STEP_SECONDS: Final = 2.0
"""At least so long a plain display is silent, whatever progress there is."""


class Display(screen.Display["Glance"], Protocol):
    """Shows how a run is going.

    Attributes:
        interval_seconds: how often `show` wants to be called.
    """

    interval_seconds: float


class NoDisplay(screen.NoDisplay["Glance"]):
    """Shows nothing."""

    interval_seconds = 60.0


class PlainDisplay(NoDisplay):
    """Prints a line at each tenth of the way, and now and then between; for logs and files."""

    interval_seconds = 1.0

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown_at = 0.0
        self._tenths_shown = 0

    def show(self, moment: Glance) -> None:
        """Print a line, if it is time for one."""
        tenths = moment.done * 10 // moment.total
        silence = moment.elapsed_seconds - self._shown_at
        is_step = tenths > self._tenths_shown and silence >= STEP_SECONDS
        if is_step or silence >= LINE_SECONDS:
            self._shown_at = moment.elapsed_seconds
            self._tenths_shown = tenths
            screen.print_line(self._console, plain_line(moment))


class LiveDisplay(screen.LiveDisplay["Glance"]):
    """Draws a bar and figures that are renewed in place; gone at the end."""

    interval_seconds = 0.2

    def __init__(self, console: Console) -> None:
        super().__init__(console, live_picture)


def display_for(console: Console, *, quiet: bool) -> Display:
    """Return the display that suits `console`."""
    if quiet:
        return NoDisplay()
    return LiveDisplay(console) if screen.is_live(console) else PlainDisplay(console)


def plain_line(glance: Glance) -> str:
    """Return the run in one line."""
    return "  ".join([_done(glance), *_pace(glance), *_counts(glance)])


def live_picture(glance: Glance) -> RenderableType:
    """Return the run as a bar with what matters most, and a line of figures below it."""
    bar = screen.bar(
        glance.done,
        glance.total,
        Text(_done(glance), style="bold"),
        Text("  ".join(_pace(glance)), style="cyan"),
    )
    figures_line = Text("  ", no_wrap=True, overflow="ellipsis")
    for part in _counts(glance):
        figures_line.append(part, style=_style(part))
        figures_line.append("  ")
    return Group(bar, figures_line)


def _style(part: str) -> str:
    if part.startswith("paused"):
        return "bold yellow"
    return "red" if part.startswith("failed") and part != "failed 0" else "dim"


def _done(glance: Glance) -> str:
    return figures.share(glance.done, glance.total)


def _pace(glance: Glance) -> list[str]:
    parts = [figures.rate(glance.rows_per_second)]
    if glance.eta_seconds is not None and glance.done < glance.total:
        parts.append(f"ETA {figures.duration(glance.eta_seconds)}")
    return parts


def _counts(glance: Glance) -> list[str]:
    tokens_in = figures.short_count(glance.input_tokens)
    tokens_out = figures.short_count(glance.output_tokens)
    parts = [f"tokens {tokens_in} in, {tokens_out} out"]
    if glance.cost_usd:
        parts.append(figures.usd(glance.cost_usd))
    if glance.replayed:
        parts.append(f"from the ledger {figures.count(glance.replayed)}")
    parts.append(f"failed {figures.count(glance.failed)}")
    parts.append(f"retries {figures.count(glance.retries)}")
    if glance.rate_limits:
        parts.append(f"rate limits {figures.count(glance.rate_limits)}")
    if glance.pause_seconds:
        parts.append(f"paused by a rate limit for {figures.duration(glance.pause_seconds)}")
    return parts
