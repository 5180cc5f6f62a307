"""How a run of remote batches stands, in lines now and then, for logs and files."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from . import screen
from .run_text import OF_JOBS, line, news

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from ..batch import RunStatus
    from .run_text import RunWords

STEP_SECONDS: Final = 2.0
"""At least so long lines are apart, whatever happens."""

LINE_SECONDS: Final = 600.0
"""At most so long no line comes: batches take hours."""


class RunLines(screen.NoDisplay["RunStatus"]):
    """Prints a line when something has changed, and now and then between.

    Args:
        console: where they are printed.
        words: in which they are said.
        clock: tells seconds.
        ends: whether the moment at which nothing runs has a line in any case.
    """

    def __init__(
        self,
        console: Console,
        words: RunWords = OF_JOBS,
        clock: Callable[[], float] = time.monotonic,
        *,
        ends: bool = False,
    ) -> None:
        self._console = console
        self._words = words
        self._clock = clock
        self._ends = ends
        self._shown_at = clock()
        self._said: object = None

    def show(self, moment: RunStatus) -> None:
        """Print a line, if it is time for one."""
        now, found = self._clock(), news(moment)
        silence = now - self._shown_at
        is_last = self._ends and not moment.is_running
        is_time = silence >= LINE_SECONDS or (found != self._said and silence >= STEP_SECONDS)
        if is_last or is_time:
            self._shown_at, self._said = now, found
            screen.print_line(self._console, line(moment, self._words))
