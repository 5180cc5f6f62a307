"""Counts of a run, kept while it goes on."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .usage import TokenUsage


@dataclass(slots=True)
class ProcessingStats:
    """Counts of one run.

    Attributes:
        total: items that went in so far.
        processed: items that ended: `succeeded + failed`.
        start_time: seconds since the epoch at which the run began.
        cancelled: the part of `failed` that the end of the run cut short.
        error_counts: failed items by exception type.
        rate_limit_count: calls refused by a rate limit.
        reused: items answered without a call: by a ledger, a cache, or an equal item's call; their
            tokens are not counted.
        retries: calls beyond an item's first, those after a rate limit included.
    """

    total: int = 0
    processed: int = 0
    succeeded: int = 0
    failed: int = 0
    start_time: float = field(default_factory=time.time)
    error_counts: Counter[str] = field(default_factory=Counter)
    rate_limit_count: int = 0
    retries: int = 0
    total_input_tokens: int = 0
    total_output_tokens: int = 0
    total_tokens: int = 0
    cached_input_tokens: int = 0
    reused: int = 0
    cancelled: int = 0

    @property
    def total_cached_tokens(self) -> int:
        """Another name for `cached_input_tokens`."""
        return self.cached_input_tokens

    def count_tokens(self, usage: TokenUsage) -> None:
        """Add the tokens of one item, or of one attempt; `usage` is complete."""
        self.total_input_tokens += usage["input_tokens"]
        self.total_output_tokens += usage["output_tokens"]
        self.total_tokens += usage["total_tokens"]
        if cached := usage.get("cached_input_tokens"):
            self.cached_input_tokens += cached

    def copy(self) -> dict[str, Any]:
        """Return the counts as a new dictionary."""
        return {
            "total": self.total,
            "processed": self.processed,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "start_time": self.start_time,
            "error_counts": dict(self.error_counts),
            "rate_limit_count": self.rate_limit_count,
            "retries": self.retries,
            "total_input_tokens": self.total_input_tokens,
            "total_output_tokens": self.total_output_tokens,
            "total_tokens": self.total_tokens,
            "cached_input_tokens": self.cached_input_tokens,
            "total_cached_tokens": self.cached_input_tokens,
            "reused": self.reused,
            "cancelled": self.cancelled,
        }
