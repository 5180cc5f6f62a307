"""A bar in a notebook's output, by the display that every notebook has; no widget is needed."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final, Protocol

from .drawing import Drawing

if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS_BETWEEN_PICTURES: Final = 0.1


class DisplayHandle(Protocol):
    """One output of a cell: `IPython.display.DisplayHandle`."""

    def update(self, obj: object, /) -> None:
        """Put another picture in its place."""


class Display(Protocol):
    """Puts a picture below the cell: `IPython.display.display`."""

    def __call__(self, obj: object, /, *, display_id: bool) -> DisplayHandle | None:
        """Show `obj`, and return a handle to change it by."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A state of the run, in the two forms that notebooks ask for."""

    text: str = ""
    html: str = ""

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


class NotebookDrawing(Drawing):
    """Draws one output of a cell, and then changes it.

    Args:
        description: stands before the bar.
        display: what shows it.
        show_item_id: whether the id of the last item stands behind the bar.
        transient: whether the bar is wiped away at its end.
        clock: tells seconds.
    """

    def __init__(
        self,
        description: str,
        display: Display,
        *,
        show_item_id: bool,
        transient: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._description = description
        self._display = display
        self._show_item_id = show_item_id
        self._transient = transient
        self._clock = clock
        self._began = clock()
        self._drawn_at = -float("inf")
        self._handle: DisplayHandle | None = None
        self._last: tuple[int, int, str] | None = None

    def show(self, completed: int, total: int, item_id: str) -> None:
        """Draw a state of the run, unless the last picture is as good as new."""
        self._last = completed, total, item_id
        if self._clock() - self._drawn_at >= SECONDS_BETWEEN_PICTURES:
            self._draw()

    def stop(self) -> None:
        """Draw the last state, or wipe it away."""
        if self._transient and self._handle is not None:
            self._handle.update(Picture())
        elif self._last is not None:
            self._draw()

    def _draw(self) -> None:
        self._drawn_at = self._clock()
        picture = self._picture()
        if self._handle is None:
            self._handle = self._display(picture, display_id=True)
        else:
            self._handle.update(picture)

    def _picture(self) -> Picture:
        assert self._last is not None, "there is a state to draw"
        completed, total, item_id = self._last
        elapsed = self._drawn_at - self._began
        parts = [self._description, f"{completed}/{total}", _as_time(elapsed)]
        if 0 < completed < total:
            parts.append(f"{_as_time(elapsed / completed * (total - completed))} left")
        if self._show_item_id:
            parts.append(item_id)
        name, *rest = map(escape, parts)
        bar = f'<progress value="{completed}" max="{max(total, 1)}"></progress>'
        return Picture(" ".join(parts), f"<div>{name} {bar} {' '.join(rest)}</div>")


def notebook_display() -> Display | None:
    """Return what shows pictures in this notebook, or None where IPython is not to be found."""
    try:
        display: Display = importlib.import_module("IPython.display").display
    except (ImportError, AttributeError):
        return None
    return display


def _as_time(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
