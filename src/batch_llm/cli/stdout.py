"""Standard output, for what a command tells."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ..rows.sink import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable


def print_lines(lines: Iterable[str]) -> None:
    """Print each of `lines`. A reader that goes away, `head` perhaps, has seen enough.

    Raises:
        OutputError: if they cannot be written.
    """
    out = sys.stdout
    if out is None:
        raise OutputError("Standard output is closed.")
    try:
        out.write("".join(f"{line}\n" for line in lines))
        out.flush()
    except OSError as error:
        _drop(out.fileno())
        if not isinstance(error, BrokenPipeError):
            reason = error.strerror or str(error)
            raise OutputError(f"Writing to standard output failed: {reason}.") from error


def _drop(stream: int) -> None:
    """Let what Python still holds for a stream, and flushes at its exit, go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream)
    os.close(nowhere)
