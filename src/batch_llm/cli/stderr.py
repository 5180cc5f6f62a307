"""Standard error, as a console that cannot break a run."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from .wording import in_words_of_the_command

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger("batch_llm")


class ErrorConsole(Console):
    """Standard error. When its reader goes away, the run goes on unseen: it is being paid for."""

    def __init__(self) -> None:
        super().__init__(stderr=True, highlight=False, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Print nothing from now on."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        # What Python still holds for this stream is flushed at exit, and must not fail then.
        os.dup2(nowhere, sys.stderr.fileno())
        os.close(nowhere)

    def say(self, message: str, style: str = "") -> None:
        """Print a sentence, which a terminal may wrap and nothing else does."""
        self.print(Text(message, style=style), soft_wrap=True)


class _ConsoleLog(logging.Handler):
    """Prints what the library logs, above a live display if there is one."""

    def __init__(self, console: ErrorConsole, level: int) -> None:
        super().__init__(level)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.say(in_words_of_the_command(record.getMessage()), style="yellow")


@contextmanager
def logged_to(console: ErrorConsole, level: int) -> Iterator[None]:
    """Print the library's log from `level` up on `console`."""
    log = _ConsoleLog(console, level)
    logger.addHandler(log)
    try:
        yield
    finally:
        logger.removeHandler(log)
