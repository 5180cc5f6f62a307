"""Dates as people write them."""

from __future__ import annotations

import datetime
import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .words import fold

if TYPE_CHECKING:
    from collections.abc import Iterable

_MONTHS = (
    "january jan januar janner janvier janv",
    "february feb februar fevrier fevr fev",
    "march mar marz maerz mars mrz",
    "april apr avril avr",
    "may mai",
    "june jun juni juin",
    "july jul juli juillet juil",
    "august aug aout",
    "september sep sept septembre",
    "october oct oktober okt octobre",
    "november nov novembre",
    "december dec dezember dez decembre",
)
_MONTH_OF = {name: month for month, names in enumerate(_MONTHS, 1) for name in names.split()}
_NAME = r"(?P<name>[^\W\d_]{3,10})\.?"
_YEAR = r"(?P<year>[12]\d{3})"
_EDGE, _STOP = r"(?<![\w./-])", r"(?![\w/]|[.-]\d)"
_PATTERNS = tuple(
    re.compile(_EDGE + body + _STOP, re.IGNORECASE)
    for body in (
        _YEAR + r"(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
        r"(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?",
        r"(?P<first>\d{1,2})(?P<mark>[./-])(?P<second>\d{1,2})(?P=mark)(?P<short>\d{4}|\d{2})",
        r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|\.)?(?:\s+(?:day\s+)?(?:of\s+)?|-)"
        + _NAME
        + r"(?:,?\s+|-)"
        + _YEAR,
        _NAME + r"\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+" + _YEAR,
        _NAME + r",?\s+" + _YEAR,
        _YEAR + r"-(?P<month>0[1-9]|1[0-2])",
    )
)
_PIVOT = 69
"""Two digits up to this are a year of 2000, as POSIX has it."""


@dataclass(frozen=True, slots=True)
class CalendarDate:
    """A day, or a month where `day` is None."""

    year: int
    month: int
    day: int | None


@dataclass(frozen=True, slots=True)
class DateMention:
    """A date in a text.

    Attributes:
        readings: what it may mean; two where day and month may be either.
        is_day_first: what the text itself tells of the order of digits; None where nothing.
    """

    start: int
    end: int
    readings: tuple[CalendarDate, ...]
    is_day_first: bool | None = None


def find_dates(text: str) -> list[DateMention]:
    """Return the dates in `text`, in order; none overlaps another."""
    found: list[DateMention] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            place = bisect_left(found, match.end(), key=lambda one: one.start)
            if place and match.start() < found[place - 1].end:
                continue
            if mention := _mention(match):
                found.insert(place, mention)
    return found


def whole_date(text: str) -> tuple[CalendarDate, ...]:
    """Return what `text` means if it is a date and nothing else."""
    stripped = text.strip()
    found = find_dates(stripped)
    if len(found) == 1 and (found[0].start, found[0].end) == (0, len(stripped)):
        return found[0].readings
    return ()


def order_of_digits(mentions: Iterable[DateMention]) -> bool | None:
    """Return whether days come first, where all dates that tell agree."""
    orders = {one.is_day_first for one in mentions} - {None}
    return orders.pop() if len(orders) == 1 else None


def read_in_order(mention: DateMention, is_day_first: bool | None) -> DateMention:
    """Return `mention` with the one reading that an order of digits leaves."""
    if len(mention.readings) != 2 or is_day_first is None:
        return mention
    reading = mention.readings[0 if is_day_first else 1]
    return DateMention(mention.start, mention.end, (reading,), is_day_first)


def _mention(match: re.Match[str]) -> DateMention | None:
    parts = match.groupdict()
    if parts.get("short"):
        return _of_digits(match)
    month = _MONTH_OF.get(fold(parts["name"])) if parts.get("name") else int(parts["month"])
    day = int(parts["day"]) if parts.get("day") else None
    if month is None or (reading := _date(int(parts["year"]), month, day)) is None:
        return None
    return DateMention(match.start(), match.end(), (reading,))


def _of_digits(match: re.Match[str]) -> DateMention | None:
    """Read 03/04/24 both ways; 03.04.24 is always day first."""
    first, second, year = int(match["first"]), int(match["second"]), int(match["short"])
    if len(match["short"]) == 2:
        year += 2000 if year <= _PIVOT else 1900
    day_first, month_first = _date(year, second, first), _date(year, first, second)
    if match["mark"] == ".":
        month_first = None
    readings = tuple(dict.fromkeys(one for one in (day_first, month_first) if one))
    if not readings:
        return None
    told = None if len(readings) == 2 or first == second else readings[0] == day_first
    return DateMention(match.start(), match.end(), readings, told if match["mark"] != "." else None)


def _date(year: int, month: int, day: int | None) -> CalendarDate | None:
    try:
        datetime.date(year, month, day or 1)
    except ValueError:
        return None
    return CalendarDate(year, month, day)
