"""Numbers as a person reads them."""

from __future__ import annotations

from .usd_text import usd_text

usd = usd_text


def count(number: int) -> str:
    """Return 1234567 as "1,234,567"."""
    return f"{number:,}"


def short_count(number: int) -> str:
    """Return 1234567 as "1.2M"; exact below 10,000."""
    if number < 10_000:
        return count(number)
    for size, letter in ((1_000_000_000, "G"), (1_000_000, "M"), (1000, "k")):
        # What would be rounded up to 1000.0k is 1.0M.
        if number >= size * 0.99995:
            return f"{number / size:.1f}{letter}"
    return count(number)


def duration(seconds: float) -> str:
    """Return 4.25 as "4.2 s", 42.7 as "43 s", 75 as "1:15" and 3723 as "1:02:03"."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def rate(per_second: float) -> str:
    """Return rows a second as "1,234 rows/s", "12.3 rows/s", or the slow ones as "4.5 rows/min"."""
    if per_second < 1:
        return f"{per_second * 60:.1f} rows/min"
    return f"{per_second:,.0f} rows/s" if per_second >= 99.95 else f"{per_second:.1f} rows/s"


def plural(number: int, noun: str, nouns: str | None = None) -> str:
    """Return "1 row", "2 rows"; `nouns` is the plural of other words ("batches")."""
    return f"{count(number)} {noun if number == 1 else nouns or f'{noun}s'}"


def share(done: int, total: int) -> str:
    """Return 500 of 1000 as "500/1,000 50%"; none of none is all."""
    return f"{count(done)}/{count(total)} {done * 100 // total if total else 100}%"
