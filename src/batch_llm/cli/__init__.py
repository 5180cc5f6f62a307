"""The command line: `batch-llm`. Parsing and printing only; the work is done in the rooms below."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ..exceptions import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: what follows the program's name; None takes them from the process.

    Returns:
        The exit status: 0 all rows succeeded, 1 some did not, 2 refused before any call, 130
        interrupted.
    """
    _fill_closed_streams()
    # Typer and Rich come with an extra, so that programs using the library need not have them.
    if find_spec("typer") is None or find_spec("rich") is None:
        if sys.stderr is not None:
            sys.stderr.write(f"{MissingExtraError('The command line', 'cli')}\n")
        return 2
    try:
        from .app import run_app

        return run_app(arguments)
    except KeyboardInterrupt:  # while modules are being loaded
        return 130


def _fill_closed_streams() -> None:
    """Lead standard streams that are closed to nowhere.

    Otherwise the next file to be opened, such as that of the results, would get the number of a
    standard stream, and with it whatever native code writes to that.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free: this one
