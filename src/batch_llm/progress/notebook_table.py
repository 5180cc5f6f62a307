"""A table of remote batches in a notebook's output."""

from __future__ import annotations

import io
from html import escape
from typing import TYPE_CHECKING, Final

from rich.console import Console

from . import screen
from .notebook import Picture
from .run_picture import picture

if TYPE_CHECKING:
    from types import TracebackType

    from ..batch import RunStatus
    from .notebook import Display, DisplayHandle

_WIDTH: Final = 100


class NotebookTable(screen.NoDisplay["RunStatus"]):
    """Draws one output of a cell, and then changes it.

    Args:
        display: what shows it.
        transient: whether the table is wiped away at its end.
    """

    def __init__(self, display: Display, *, transient: bool) -> None:
        self._display = display
        self._transient = transient
        self._handle: DisplayHandle | None = None

    def show(self, moment: RunStatus) -> None:
        """Draw the run at one moment."""
        text = _drawn(moment)
        drawn = Picture(text, f"<pre>{escape(text)}</pre>")
        if self._handle is None:
            self._handle = self._display(drawn, display_id=True)
        else:
            self._handle.update(drawn)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._transient and self._handle is not None:
            self._handle.update(Picture())


def _drawn(status: RunStatus) -> str:
    console = Console(
        file=io.StringIO(),
        width=_WIDTH,
        force_jupyter=False,
        color_system=None,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(picture(status))
    return captured.get()
