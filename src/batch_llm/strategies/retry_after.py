"""How long a provider asks to wait, read from wherever it says so."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that HTTP headers ask to wait, or None.

    Reads `retry-after-ms` (milliseconds), then `retry-after` (seconds or an HTTP date, RFC 9110).
    """
    millis = _number(headers.get("retry-after-ms"))
    if millis is not None:
        return millis / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    return seconds if seconds is not None else _until(value)


def retry_delay_seconds(details: object) -> float | None:
    """Return the seconds in Google's `RetryInfo.retryDelay` ("3.5s"), or None.

    Args:
        details: the error's body, or any part of it that holds `details[].retryDelay`.
    """
    if isinstance(details, Mapping):
        delay = details.get("retryDelay")
        if isinstance(delay, str) and delay.endswith("s"):
            return _number(delay[:-1])
        return _first(details.get(key) for key in ("error", "details"))
    if isinstance(details, Sequence) and not isinstance(details, (str, bytes)):
        return _first(details)
    return None


def suggested_wait(exception: BaseException) -> float | None:
    """Return the seconds an exception of any library asks to wait, or None.

    Reads `retry_after`, the headers of `headers` or `response.headers`, and Google's details.
    """
    direct = getattr(exception, "retry_after", None)
    if isinstance(direct, (int, float)) and not isinstance(direct, bool):
        return _number(direct)
    for holder in (exception, getattr(exception, "response", None)):
        headers = getattr(holder, "headers", None)
        if isinstance(headers, Mapping):
            seconds = retry_after_seconds(_lower(headers))
            if seconds is not None:
                return seconds
    return retry_delay_seconds(getattr(exception, "details", None))


def _lower(headers: Mapping[Any, Any]) -> dict[str, str]:
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _first(values: Any) -> float | None:
    for value in values:
        seconds = retry_delay_seconds(value)
        if seconds is not None:
            return seconds
    return None


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # anything else is refused just below
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(value: str | None) -> float | None:
    if not value:
        return None
    try:
        moment = parsedate_to_datetime(value).timestamp()
    except ValueError:
        return None
    return max(0.0, moment - time.time())
