"""How long one item waits before its next attempt."""

from __future__ import annotations

import random


def backoff_seconds(
    attempt: int, *, initial: float, base: float, longest: float, jitter: bool
) -> float:
    """Return the wait after failed attempt `attempt` (1 for the first), in seconds.

    `min(initial * base ** (attempt - 1), longest)`, times a random 0.5 to 1 with jitter.
    """
    try:
        wait = min(initial * base ** (attempt - 1), longest)
    except OverflowError:
        wait = longest
    return wait * random.uniform(0.5, 1.0) if jitter else wait  # noqa: S311 - not a secret
