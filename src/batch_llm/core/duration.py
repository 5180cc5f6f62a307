"""How long something may take, as people write it."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Final, TypeAlias

from ..exceptions import ConfigurationError

Duration: TypeAlias = float | timedelta | str
"""Seconds, a `timedelta`, or a text such as "90", "30s", "10m", "6h" or "1h30m"."""

_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def duration_seconds(name: str, value: Duration) -> float:
    """Return a duration in seconds.

    Args:
        name: what it is of, for the error.
        value: a number of seconds, a `timedelta`, or a text; a number without a unit stands for
            seconds, and alone.

    Raises:
        ConfigurationError: if it is none, or is not above 0.
    """
    seconds = _seconds(value)
    if seconds is not None and math.isfinite(seconds) and seconds > 0:
        return seconds
    raise ConfigurationError(
        f"{name} takes a duration above 0, such as 90, 30s, 10m or 6h, not {value!r}."
    )


def _seconds(value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, str):
        return _seconds_of_text(value.strip().lower())
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]  # it is a number


def _seconds_of_text(text: str) -> float | None:
    parts = re.findall(r"(\d+(?:\.\d+)?|\.\d+)([smhd]?)", text)
    is_whole = "".join(number + unit for number, unit in parts) == text
    if not (is_whole and (len(parts) == 1 or all(unit for _, unit in parts))):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
