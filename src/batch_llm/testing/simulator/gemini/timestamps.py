"""Durations and moments as Google writes them: "3600s", "2026-11-22T07:02:06.5Z"."""

from __future__ import annotations

import datetime
import re
from typing import Final

_DURATION: Final = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?s")


def seconds_of(duration: str) -> float | None:
    """Return the seconds of a duration such as "3.5s"; None for what is none."""
    found = _DURATION.fullmatch(duration)
    return None if found is None else float(duration[:-1])


def moment_of(timestamp: str) -> float | None:
    """Return the unix seconds of a moment of RFC 3339; None for what is none."""
    try:
        moment = datetime.datetime.fromisoformat(timestamp)
        return None if moment.tzinfo is None else moment.timestamp()
    except (ValueError, OverflowError):
        return None
