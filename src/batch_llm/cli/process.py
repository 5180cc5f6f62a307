"""Whether a process is there."""

from __future__ import annotations

import os


def is_alive(pid: int) -> bool | None:
    """Return whether there is a process of this number; None where that cannot be asked safely."""
    if os.name != "posix":
        return None  # Windows knows no signal that does nothing
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # of another user
    return True
