"""An amount in USD, as a provider of the user's own tells it."""

from __future__ import annotations

import math
from typing import SupportsFloat


def told_usd(told: object) -> float | None:
    """Return the amount; None for what can be none, and so is not known.

    A sum that is negative would make room under a limit, and one that is no number (or infinite)
    would make every later sum the same. A text may be in another currency, or have a comma.
    """
    if not isinstance(told, SupportsFloat) or isinstance(told, bool):
        return None
    try:
        amount = float(told)
    except (ValueError, OverflowError):
        return None
    return amount if math.isfinite(amount) and amount >= 0 else None
