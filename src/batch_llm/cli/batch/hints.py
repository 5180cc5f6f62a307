"""What to type next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def command_on(state: str | Path, name: str, *more: str) -> str:
    """Return the command line of `batch-llm batch NAME STATE`, as a shell takes it."""
    return " ".join(("batch-llm", "batch", name, shlex.quote(str(state)), *more))
