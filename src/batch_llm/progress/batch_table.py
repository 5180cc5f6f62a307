"""A table of remote batches, in the terminal, in a notebook, or in lines."""

from __future__ import annotations

import atexit
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..exceptions import MissingExtraError
from .notebook import notebook_display

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.console import Console

    from ..batch import RunStatus
    from .screen import Display


class RichBatchTable:
    """Shows how a run of remote batches stands, drawn by Rich; pass it as `on_progress`.

        batch.run(wait=True, on_progress=RichBatchTable())

    Each remote batch has a line with its state, the jobs that have ended, its age and its cost;
    below stands why anything waits. The table appears with the first report, and the last one
    stays. Where the output is no terminal, a line comes when something has changed; in a notebook,
    the table stands below the cell.

    Args:
        console: where to draw; by default Rich's own, which knows a notebook.
        transient: whether the table is wiped away at its end.

    Raises:
        MissingExtraError: if Rich is not installed.
    """

    def __init__(self, console: Console | None = None, *, transient: bool = False) -> None:
        if find_spec("rich") is None:
            raise MissingExtraError("The table of batches", "cli")
        self.console = console
        self.transient = transient
        self._display: Display[RunStatus] | None = None

    def __call__(self, status: RunStatus) -> None:
        """Draw the run at one moment; the one at which nothing runs ends the table."""
        display = self._display or self._open()
        display.show(status)
        if not status.is_running:
            self.close()

    def close(self) -> None:
        """Leave the terminal as it was; harmless where nothing is drawn."""
        display, self._display = self._display, None
        if display is not None:
            atexit.unregister(self.close)
            display.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> Display[RunStatus]:
        self._display = self._new_display()
        self._display.__enter__()
        # Rich hides the cursor: a program that ends in the middle of a run gets it back.
        atexit.register(self.close)
        return self._display

    def _new_display(self) -> Display[RunStatus]:
        from rich import get_console

        from .notebook_table import NotebookTable
        from .run_lines import RunLines
        from .run_picture import picture
        from .screen import LiveDisplay, is_live

        console = self.console or get_console()
        shown = notebook_display() if console.is_jupyter else None
        if shown is not None:
            return NotebookTable(shown, transient=self.transient)
        if is_live(console):
            return LiveDisplay(console, picture, transient=self.transient)
        return RunLines(console, ends=True)
