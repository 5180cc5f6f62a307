"""Tokens that a call was billed for, read from whatever says so."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..base import complete_usage, empty_usage
from .tracebacks import chain_of

if TYPE_CHECKING:
    from ..base import TokenUsage

logger = logging.getLogger("batch_llm")

# Each count, by the names that libraries give it.
_NAMES = {
    "input_tokens": ("input_tokens", "request_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "response_tokens", "completion_tokens"),
    "total_tokens": ("total_tokens",),
    "cached_input_tokens": ("cached_input_tokens", "cache_read_tokens"),
    "cache_write_tokens": ("cache_write_tokens",),
    "hour_cache_write_tokens": ("hour_cache_write_tokens", "cache_write_1h_tokens"),
    "reasoning_tokens": ("reasoning_tokens",),
}


def usage_of(usage: object, item_id: str) -> TokenUsage:
    """Return the usage that came with an output, complete.

    The output is paid for: a usage that cannot be read is counted as 0, with a warning.
    """
    if usage is None:
        return empty_usage()
    if type(usage) is dict and type(usage.get("input_tokens")) is int:
        try:
            counts = complete_usage(usage)
        except TypeError:  # text or lists in place of numbers
            pass
        else:
            if type(counts["output_tokens"]) is type(counts["total_tokens"]) is int:
                return counts
    counted = _counts(usage)
    if counted is None and usage:
        logger.warning("The token usage of %s cannot be read; counted as 0.", item_id)
    return counted or empty_usage()


def failed_usage(exception: BaseException) -> TokenUsage | None:
    """Return the tokens that an exception, or one it came from, says were used.

    Read in this order, along the chain of causes: `_failed_token_usage` in the exception's
    `__dict__`, `usage` (a value or a method), `result.usage` (likewise). None where none says.
    """
    for link in chain_of(exception):
        usage = _stated(link)
        if usage is not None:
            return usage
    logger.debug("%s carries no token usage; counted as 0.", type(exception).__name__)
    return None


def _stated(link: BaseException) -> TokenUsage | None:
    try:
        attached = getattr(link, "__dict__", {}).get("_failed_token_usage")
        for holder in (attached, link, getattr(link, "result", None)):
            usage = holder if holder is attached else getattr(holder, "usage", None)
            counts = _counts(usage)
            if counts is None and callable(usage):
                # Only now: a library's usage can be both, with calling it deprecated.
                counts = _counts(usage())
            if counts is not None:
                return counts
    except Exception:  # foreign attributes and methods may raise anything; the count is unknown
        logger.debug("Could not read the usage of a %s.", type(link).__name__)
    return None


def _counts(usage: object) -> TokenUsage | None:
    counts = {
        ours: count
        for ours, names in _NAMES.items()
        if (count := _first_count(usage, names)) is not None
    }
    return complete_usage(counts) if counts else None


def _first_count(usage: object, names: tuple[str, ...]) -> int | None:
    for name in names:
        value: Any = usage.get(name) if isinstance(usage, Mapping) else getattr(usage, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
