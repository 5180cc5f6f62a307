"""How long something may take, as people write it."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest

from batch_llm import ConfigurationError
from batch_llm.core import duration_seconds


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (90, 90),
        (0.5, 0.5),
        ("90", 90),
        ("6h", 21_600),
        ("1h30m", 5_400),
        (" 2D ", 172_800),
        ("1.5h", 5_400),
        (".2", 0.2),
        (".5m", 30),
        (timedelta(minutes=3), 180),
    ],
)
def test_a_duration_is_seconds(value: Any, seconds: float) -> None:
    assert duration_seconds("deadline", value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, math.nan, math.inf, True, None, timedelta(0), [6]),
        *("", "h", "6 h", "6x", "1h30", ".", "5.", "1.2.3"),
    ],
)
def test_what_is_none_is_refused_by_its_name(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="deadline takes a duration above 0"):
        duration_seconds("deadline", value)
