"""The command line: `batch-llm`. Parsing and printing only; the work is done in the rooms below."""

from __future__ import annotations

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
    # Typer and Rich come with an extra, so that programs using the library need not have them.
    if find_spec("typer") is None or find_spec("rich") is None:
        sys.stderr.write(f"{MissingExtraError('The command line', 'cli')}\n")
        return 2
    try:
        from .app import run_app

        return run_app(arguments)
    except KeyboardInterrupt:  # while modules are being loaded
        return 130
