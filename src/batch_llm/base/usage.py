"""Tokens used by calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypedDict, cast, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping


class TokenUsage(TypedDict, total=False):
    """Tokens billed for one call, or for all attempts of one item.

    `total_tokens` is input plus output; `cached_input_tokens` is the part of the input that the
    provider read from a cache, at its lower price. `cache_write_tokens` is the part that it wrote
    to one, and `hour_cache_write_tokens` the part of these that it keeps for an hour: both cost
    more at Anthropic. `reasoning_tokens` is the part of the output that no one sees.
    """

    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    hour_cache_write_tokens: int
    reasoning_tokens: int


_Part: TypeAlias = Literal[
    "cached_input_tokens", "cache_write_tokens", "hour_cache_write_tokens", "reasoning_tokens"
]
_PARTS: tuple[_Part, ...] = get_args(_Part)


@dataclass(frozen=True, slots=True)
class TokenBound:
    """The most tokens that one call can be billed for.

    Attributes:
        input_tokens: of the input; a token has a byte at least, so the bytes of the request's text
            and what the provider adds are a bound.
        output_tokens: of the output, thinking included; None where nothing bounds it.
    """

    input_tokens: int
    output_tokens: int | None


class _Counts:
    """Makes usage dictionaries that share their keys.

    A run keeps one dictionary an item. One that was an instance's `__dict__` takes 102 bytes on
    CPython 3.11, and one written as a literal 194; in every other way it is a plain dict.
    """

    def __init__(self, input_tokens: int, output_tokens: int, total_tokens: int) -> None:
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.total_tokens = total_tokens


def _usage(input_tokens: int, output_tokens: int, total_tokens: int) -> TokenUsage:
    return cast("TokenUsage", _Counts(input_tokens, output_tokens, total_tokens).__dict__)


def empty_usage() -> TokenUsage:
    """Return a usage of no tokens."""
    return _usage(0, 0, 0)


def complete_usage(usage: Mapping[str, int | None] | None) -> TokenUsage:
    """Return `usage` with every missing count filled in.

    Providers leave counts out, or send None: a missing count is 0, a missing total is the sum.
    """
    if not usage:
        return empty_usage()
    input_tokens = usage.get("input_tokens") or 0
    output_tokens = usage.get("output_tokens") or 0
    complete = _usage(
        input_tokens,
        output_tokens,
        usage.get("total_tokens") or input_tokens + output_tokens,
    )
    for part in _PARTS:
        if count := usage.get(part):
            complete[part] = count
    return complete


def add_usage(left: TokenUsage, right: TokenUsage) -> TokenUsage:
    """Return the sum of two complete usages, as a new dictionary."""
    total = _usage(
        left["input_tokens"] + right["input_tokens"],
        left["output_tokens"] + right["output_tokens"],
        left["total_tokens"] + right["total_tokens"],
    )
    for part in _PARTS:
        if count := left.get(part, 0) + right.get(part, 0):
            total[part] = count
    return total
