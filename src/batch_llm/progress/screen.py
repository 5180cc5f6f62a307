"""Where it is shown how a run stands, whatever the lane: nowhere, in lines, or on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from rich.console import Console, RenderableType
    from rich.text import Text

TMoment = TypeVar("TMoment")
"""A run at one moment."""

TShown_contra = TypeVar("TShown_contra", contravariant=True)


class Display(Protocol[TShown_contra]):
    """Shows how a run stands, as a context manager around it."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the screen as it was found."""

    def show(self, moment: TShown_contra) -> None:
        """Show the run at one moment."""


class NoDisplay(Generic[TMoment]):
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def show(self, moment: TMoment) -> None:
        """Show nothing."""


class LiveDisplay(Generic[TMoment]):
    """Draws a picture that is renewed in place.

    Args:
        console: a terminal: see `is_live`.
        picture: draws the run at one moment.
        transient: whether it is gone at the end; else the last one stays.
    """

    def __init__(
        self,
        console: Console,
        picture: Callable[[TMoment], RenderableType],
        *,
        transient: bool = True,
    ) -> None:
        # Drawn by `show` alone: a thread of its own would draw into what is printed meanwhile.
        self._live = Live(console=console, auto_refresh=False, transient=transient)
        self._picture = picture

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def show(self, moment: TMoment) -> None:
        """Draw the run at one moment."""
        self._live.update(self._picture(moment), refresh=True)


def is_live(console: Console) -> bool:
    """Return whether `console` is a terminal on which a picture can be renewed in place."""
    # Not `console.is_terminal`: that is also true of a file where colours are forced.
    return console.file.isatty() and not console.is_dumb_terminal


def print_line(console: Console, line: str) -> None:
    """Print a line as it is, however long."""
    console.print(line, soft_wrap=True, highlight=False, markup=False)


def bar(done: int, total: int, *figures: Text) -> Table:
    """Return a bar as wide as there is room, and figures to the right of it."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(ratio=1)
    for _ in figures:
        table.add_column(no_wrap=True)
    table.add_row(ProgressBar(total=max(total, 1), completed=done), *figures)
    return table
