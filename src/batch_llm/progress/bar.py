"""A progress bar, in the terminal or in a notebook."""

from __future__ import annotations

import atexit
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..exceptions import MissingExtraError
from .notebook import NotebookDrawing, notebook_display
from .terminal import TerminalDrawing

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.console import Console

    from .drawing import Drawing


class RichProgressBar:
    """Shows how far a run has come, drawn by Rich; pass it as `progress_callback`.

        processor = ParallelBatchProcessor(config=config, progress_callback=RichProgressBar())

    The bar appears with the first report and ends with the one that completes the run; the next
    run draws a new one. Where a run may stop early, use it as a context manager or call `close()`.
    Where the output is no terminal, only the last state is written, once, without control codes;
    in a notebook, the bar stands below the cell.

    Args:
        description: stands before the bar.
        console: where to draw; by default Rich's own, which knows a notebook.
        show_item_id: whether the id of the last item that ended stands behind the bar.
        transient: whether the bar is wiped away at its end.

    Raises:
        MissingExtraError: if Rich is not installed.
    """

    def __init__(
        self,
        description: str = "Processing",
        console: Console | None = None,
        *,
        show_item_id: bool = False,
        transient: bool = False,
    ) -> None:
        if find_spec("rich") is None:
            raise MissingExtraError("The progress bar", "cli")
        self.description = description
        self.console = console
        self.show_item_id = show_item_id
        self.transient = transient
        self._drawn: Drawing | None = None

    def __call__(self, completed: int, total: int, current_item_id: str) -> None:
        """Draw the state of the run.

        Args:
            completed: items that ended.
            total: items known so far; may grow.
            current_item_id: the item that ended last.
        """
        drawing = self._drawn or self._open()
        drawing.show(completed, total, current_item_id)
        if completed >= total:
            self.close()

    def close(self) -> None:
        """Draw the last state and leave the terminal as it was; harmless where nothing is drawn."""
        drawn, self._drawn = self._drawn, None
        if drawn is not None:
            atexit.unregister(self.close)
            drawn.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> Drawing:
        self._drawn = self._new_drawing()
        # Rich hides the cursor: a program that ends in the middle of a run gets it back.
        atexit.register(self.close)
        return self._drawn

    def _new_drawing(self) -> Drawing:
        from rich import get_console
        from rich.console import Console

        console = self.console or get_console()
        if console.is_jupyter:
            display = notebook_display()
            if display is not None:
                return NotebookDrawing(
                    self.description,
                    display,
                    show_item_id=self.show_item_id,
                    transient=self.transient,
                )
            # Rich itself would ask for ipywidgets, with a warning at every picture.
            console = Console(file=console.file, force_jupyter=False)
        return TerminalDrawing(
            self.description, console, show_item_id=self.show_item_id, transient=self.transient
        )
