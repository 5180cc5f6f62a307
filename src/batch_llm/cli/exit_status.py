"""What the exit status says."""

from __future__ import annotations

from enum import IntEnum


class ExitStatus(IntEnum):
    """How a command ended."""

    SUCCEEDED = 0  # every row
    FAILED = 1  # some rows, or the writing of results
    REFUSED = 2  # at the door, before any call; the same as for a usage error
    INTERRUPTED = 130  # by Ctrl-C, with rows left
