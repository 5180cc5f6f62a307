"""The bill in an answer of OpenAI's Responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..base.usage import complete_usage
from .answer import UNREADABLE

if TYPE_CHECKING:
    from ..base.usage import TokenUsage


class _CachedTokens(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: _CachedTokens | None = None


class _Billed(msgspec.Struct):
    usage: _Usage | None = None


# Lax, since servers write counts as 12.0 and "12" too.
_BILLS = msgspec.json.Decoder(_Billed, strict=False)


def billed_tokens(body: bytes) -> TokenUsage | None:
    """Return the tokens that a body says were billed, whatever else can be read of it, if any."""
    try:
        usage = _BILLS.decode(body).usage
    except UNREADABLE:
        return None
    if usage is None:
        return None
    details = usage.input_tokens_details
    return complete_usage(
        {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
            "cached_input_tokens": details.cached_tokens if details is not None else None,
            "cache_write_tokens": details.cache_write_tokens if details is not None else None,
        }
    )
