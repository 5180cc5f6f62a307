"""What a provider says of its limits in the headers of a reply, and who wants to hear it.

OpenAI and those who do as it does send `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`,
with durations ("6m0s", "1.5s", "20ms"). Anthropic sends
`anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`, with
times of RFC 3339. Gemini sends none.
"""

from __future__ import annotations

import math
import re
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_UNITS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}
_PIECE: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|us|[dhms])")
_MEASURES: Final = (
    ("requests", "requests"),
    ("tokens", "tokens"),
    ("input_tokens", "input-tokens"),
    ("output_tokens", "output-tokens"),
)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of one limit.

    Attributes:
        limit: units a minute.
        remaining: units that may be used now.
        reset_seconds: seconds until all of it may be used again.
    """

    limit: int
    remaining: int
    reset_seconds: float


@dataclass(frozen=True, slots=True)
class QuotaReading:
    """What one reply says of the limits of its quota; None where it says nothing."""

    requests: Allowance | None = None
    tokens: Allowance | None = None
    input_tokens: Allowance | None = None
    output_tokens: Allowance | None = None


def read_quota(headers: Mapping[str, str]) -> QuotaReading | None:
    """Return what the headers of a reply say of limits, or None if they say nothing.

    Args:
        headers: names in any case if the mapping does not care, else in lower case.
    """
    if "x-ratelimit-limit-requests" in headers or "x-ratelimit-limit-tokens" in headers:
        read: dict[str, Allowance | None] = {
            name: _read(
                headers.get(f"x-ratelimit-limit-{name}"),
                headers.get(f"x-ratelimit-remaining-{name}"),
                _duration_seconds(headers.get(f"x-ratelimit-reset-{name}", "")),
            )
            for name in ("requests", "tokens")
        }
        return QuotaReading(**read)
    read = {}
    for name, spelt in _MEASURES:
        prefix = f"anthropic-ratelimit-{spelt}"
        if (limit := headers.get(f"{prefix}-limit")) is not None:
            reset = _seconds_until(headers.get(f"{prefix}-reset", ""))
            read[name] = _read(limit, headers.get(f"{prefix}-remaining"), reset)
    return QuotaReading(**read) if read else None


def report_quota(scope: str | None, headers: Mapping[str, str]) -> None:
    """Tell whoever listens what a reply's headers say of the limits of `scope`.

    Built-in strategies call it after every reply, errors included; a strategy of your own may.
    Where no processor listens it costs next to nothing.
    """
    listener = _listener.get()
    if listener is not None and (reading := read_quota(headers)) is not None:
        listener(scope, reading)


@contextmanager
def listening(listener: Callable[[str | None, QuotaReading], None]) -> Iterator[None]:
    """Hear what `report_quota` is told in this context, and in those copied from it meanwhile."""
    outer = _listener.get()
    _listener.set(listener)
    try:
        yield
    finally:
        # No token: the block may end in another context.
        _listener.set(outer)


_listener: ContextVar[Callable[[str | None, QuotaReading], None] | None] = ContextVar(
    "batch_llm_quota_listener", default=None
)


def _read(limit: str | None, remaining: str | None, reset: float | None) -> Allowance | None:
    most, left = _count(limit), _count(remaining)
    if not most or left is None:
        return None
    return Allowance(most, left, 0.0 if reset is None else reset)


# Limits stay the same from reply to reply, and what is left takes few values.
@lru_cache(maxsize=1024)
def _count(value: str | None) -> int | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return int(number) if math.isfinite(number) and number >= 0 else None


@lru_cache(maxsize=1024)
def _duration_seconds(value: str) -> float | None:
    """Return the seconds in "6m0s", "1.5s", "20ms" or "12"; None for anything else."""
    try:
        seconds = float(value)
    except ValueError:
        pieces = _PIECE.findall(value)
        if not pieces or "".join(number + unit for number, unit in pieces) != value:
            return None
        return math.fsum(float(number) * _UNITS[unit] for number, unit in pieces)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _seconds_until(moment: str) -> float | None:
    try:
        return max(0.0, _timestamp(moment) - time.time())
    except ValueError:
        return None


@lru_cache(maxsize=64)
def _timestamp(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
