"""Percentiles of durations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def percentiles(values: Iterable[float], percents: Sequence[float]) -> dict[str, float]:
    """Return the smallest of `values` that so many percent of them do not exceed.

    Nearest rank: each is one of `values`. There are none where there are no values.

    Args:
        values: in any order.
        percents: above 0, at most 100; 99.9 is named "p99.9".

    Raises:
        ConfigurationError: for a percentage that is not.
    """
    for percent in percents:
        if not 0 < percent <= 100:
            raise ConfigurationError(f"A percentile is above 0 and at most 100, not {percent!r}.")
    ranked = sorted(values)
    if not ranked:
        return {}
    return {f"p{percent:g}": ranked[_rank(percent, len(ranked)) - 1] for percent in percents}


def _rank(percent: float, count: int) -> int:
    # Rounded, since 99.9 percent of 1,000 are a hair above 999 as floats.
    return max(1, math.ceil(round(percent * count / 100, 9)))
