"""Tokens of an agent's run, by whatever names its library gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...base.usage import complete_usage, empty_usage

if TYPE_CHECKING:
    from ...base.usage import TokenUsage

# Today's names stand first: a library may warn when an older one is read.
_NAMES = {
    "input_tokens": ("input_tokens", "request_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "response_tokens", "completion_tokens"),
    "total_tokens": ("total_tokens",),
    "cached_input_tokens": ("cached_input_tokens", "cache_read_tokens"),
    "cache_write_tokens": ("cache_write_tokens",),
    "hour_cache_write_tokens": ("hour_cache_write_tokens", "cache_write_1h_tokens"),
    "reasoning_tokens": ("reasoning_tokens",),
}


def usage_of(result: object) -> TokenUsage:
    """Return the tokens that `result.usage` states, zero where it states none.

    Args:
        result: a run's result; its `usage` is what `read_usage` takes, or a method without
            arguments that returns it.
    """
    usage = getattr(result, "usage", None)
    # Counts are looked for first: pydantic-ai's usage object can also be called, and warns.
    if callable(usage) and not _counts(usage):
        usage = usage()
    return read_usage(usage)


def read_usage(usage: object) -> TokenUsage:
    """Return the tokens of an object or mapping that holds counts."""
    return complete_usage(_counts(usage))


def attach_usage(error: BaseException, usage: TokenUsage | None) -> None:
    """Give the tokens that were billed to a foreign error, where a processor looks for them."""
    if usage is not None and usage != empty_usage():
        error.__dict__.setdefault("_failed_token_usage", usage)


def _counts(usage: object) -> dict[str, int | None]:
    return {
        ours: count
        for ours, names in _NAMES.items()
        if (count := _first_count(usage, names)) is not None
    }


def _first_count(usage: object, names: tuple[str, ...]) -> int | None:
    for name in names:
        value: Any = usage.get(name) if isinstance(usage, Mapping) else getattr(usage, name, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
