"""Tokens that a failed attempt was billed for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..base import complete_usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..base import TokenUsage

logger = logging.getLogger("batch_llm")

_CHAIN_LIMIT = 20
# Each count, by the names that libraries give it.
_NAMES = {
    "input_tokens": ("input_tokens", "request_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "response_tokens", "completion_tokens"),
    "total_tokens": ("total_tokens",),
    "cached_input_tokens": ("cached_input_tokens", "cache_read_tokens"),
}


def failed_usage(exception: BaseException) -> TokenUsage | None:
    """Return the tokens that an exception, or one it came from, says were used.

    Read in this order, along the chain of causes: `_failed_token_usage` in the exception's
    `__dict__`, `usage` (a value or a method), `result.usage` (likewise). None where none says.
    """
    for link in _chain(exception):
        for holder in (link, getattr(link, "result", None)):
            usage = _stated(holder)
            if usage is not None:
                return usage
    logger.debug("%s carries no token usage; counted as 0.", type(exception).__name__)
    return None


def usage_counts(usage: object) -> TokenUsage | None:
    """Return a usage of any library as ours, or None where it holds no counts."""
    counts = {
        ours: count
        for ours, names in _NAMES.items()
        if (count := _first_count(usage, names)) is not None
    }
    return complete_usage(counts) if counts else None


def _chain(exception: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = exception
    for _ in range(_CHAIN_LIMIT):  # causes can form a ring
        if link is None:
            return
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _stated(holder: object) -> TokenUsage | None:
    if holder is None:
        return None
    try:
        usage = getattr(holder, "__dict__", {}).get("_failed_token_usage")
        if usage is None:
            usage = getattr(holder, "usage", None)
        return usage_counts(usage() if callable(usage) else usage)
    except Exception:  # foreign `usage` methods may raise anything; the count is then unknown
        logger.debug("Could not read the usage of a %s.", type(holder).__name__, exc_info=True)
        return None


def _first_count(usage: object, names: tuple[str, ...]) -> int | None:
    for name in names:
        value: Any = usage.get(name) if isinstance(usage, Mapping) else getattr(usage, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
