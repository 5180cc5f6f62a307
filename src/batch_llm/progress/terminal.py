"""A bar in a terminal, or the last line of one in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .drawing import Drawing

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn


class TerminalDrawing(Drawing):
    """Draws with Rich.

    Args:
        description: stands before the bar.
        console: where to draw.
        show_item_id: whether the id of the last item stands behind the bar.
        transient: whether the bar is wiped away at its end.
    """

    def __init__(
        self, description: str, console: Console, *, show_item_id: bool, transient: bool
    ) -> None:
        from rich.progress import Progress

        self._bar = Progress(*_columns(show_item_id), console=console, transient=transient)
        self._task = self._bar.add_task(description, total=None, item_id="")
        self._bar.start()

    def show(self, completed: int, total: int, item_id: str) -> None:
        """Draw a state of the run."""
        self._bar.update(self._task, completed=completed, total=total, item_id=item_id)

    def stop(self) -> None:
        """Draw the last state and give the cursor back."""
        self._bar.stop()


def _columns(show_item_id: bool) -> list[ProgressColumn]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns: list[ProgressColumn] = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    ]
    if show_item_id:
        # Ids are the user's data: brackets in them are no markup.
        columns.append(TextColumn("{task.fields[item_id]}", markup=False))
    return columns
