"""Sums in USD, for people."""

from __future__ import annotations

import math


def usd_text(amount: float) -> str:
    """Return 1234.5 as "1,234.50 USD", and below 1 USD the first three digits: "0.0123 USD"."""
    if amount >= 0.9995 or amount == 0:  # what would be rounded up to 1.000 is 1.00
        return f"{amount:,.2f} USD"
    if amount < 0:
        return f"-{usd_text(-amount)}"
    places = max(2, 2 - math.floor(math.log10(amount)))
    return f"{amount:.{places}f} USD"
