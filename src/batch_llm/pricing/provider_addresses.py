"""Whose API an address is."""

from __future__ import annotations

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

# What we call a provider, where the price list calls it otherwise.
_OURS: Final = {"google": "gemini"}


@lru_cache(maxsize=256)
def provider_at(url: str) -> str | None:
    """Return the provider that serves `url`, by the price list's own patterns; None if unknown.

    Args:
        url: an absolute URL. Without TLS, and without a domain, it is nobody's.
    """
    address = urlsplit(url)
    if address.scheme != "https" or "." not in (address.hostname or ""):
        return None
    # Only here: loading the list takes a tenth of a second.
    from genai_prices.data_snapshot import get_snapshot

    try:
        found = get_snapshot().find_provider(None, None, url)
    except LookupError:
        return None
    return _OURS.get(found.id, found.id)
