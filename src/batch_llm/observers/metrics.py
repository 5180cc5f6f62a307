"""Counting what happens in a run."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from .base import HEARD, BaseObserver, ProcessingEvent
from .prometheus import Family, render

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

_COMPLETED = ProcessingEvent.ITEM_COMPLETED
_FAILED = ProcessingEvent.ITEM_FAILED
_RATE_LIMITED = ProcessingEvent.RATE_LIMIT_HIT
_COOLED_DOWN = ProcessingEvent.COOLDOWN_ENDED


class Metrics(TypedDict):
    """What a `MetricsObserver` has counted.

    Keys:
        items_processed: items that ended, `items_succeeded + items_failed`.
        items_succeeded: those with an output.
        items_failed: those without.
        rate_limits_hit: calls that a rate limit refused.
        total_cooldown_time: seconds of all cooldowns.
        processing_times: seconds from start to end of each item that succeeded, in order.
        error_counts: failed items by exception type.
        avg_processing_time: mean of `processing_times` in seconds; 0 where there are none.
        success_rate: `items_succeeded / items_processed`, 0 to 1; 0 where there are none.
    """

    items_processed: int
    items_succeeded: int
    items_failed: int
    rate_limits_hit: int
    total_cooldown_time: float
    processing_times: list[float]
    error_counts: dict[str, int]
    avg_processing_time: float
    success_rate: float


class MetricsObserver(BaseObserver):
    """Counts items, failures, rate limits and times; one observer may watch several runs.

    It keeps 8 bytes for each item that succeeded, and costs less than a microsecond an event.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from zero."""
        self._succeeded = 0
        self._failed = 0
        self._rate_limits = 0
        self._cooldown_seconds = 0.0
        self._seconds = array("d")
        self._errors: Counter[str] = Counter()

    def on_event(self, event: ProcessingEvent, data: Mapping[str, Any]) -> Awaitable[None]:
        """Count one event; keys of `data` that are missing are not counted."""
        if event is _COMPLETED:
            self._succeeded += 1
            if "duration" in data:
                self._seconds.append(data["duration"])
        elif event is _FAILED:
            self._failed += 1
            if "error_type" in data:
                self._errors[data["error_type"]] += 1
        elif event is _RATE_LIMITED:
            self._rate_limits += 1
        elif event is _COOLED_DOWN:
            self._cooldown_seconds += data.get("duration", 0.0)
        return HEARD

    @property
    def metrics(self) -> Metrics:
        """What has been counted so far, as a new dictionary."""
        processed = self._succeeded + self._failed
        times = self._seconds
        return {
            "items_processed": processed,
            "items_succeeded": self._succeeded,
            "items_failed": self._failed,
            "rate_limits_hit": self._rate_limits,
            "total_cooldown_time": self._cooldown_seconds,
            "processing_times": times.tolist(),
            "error_counts": dict(self._errors),
            "avg_processing_time": sum(times) / len(times) if times else 0.0,
            "success_rate": self._succeeded / processed if processed else 0.0,
        }

    async def get_metrics(self) -> Metrics:
        """Return what has been counted so far."""
        return self.metrics

    async def export_dict(self) -> Metrics:
        """Return what has been counted so far."""
        return self.metrics

    async def export_json(self) -> str:
        """Return what has been counted so far as a JSON object of the same keys."""
        return json.dumps(self.metrics)

    async def export_prometheus(self) -> str:
        """Return what has been counted so far in Prometheus' text format (version 0.0.4).

        The names are `batch_llm_` and the key; `processing_times` is left to its average, and
        `error_counts` is `batch_llm_errors_total{error_type="…"}`.
        """
        return render(_families(self.metrics))


# key: (kind, help). `processing_times` and `error_counts` have no single value.
_SINGLE: dict[str, tuple[Literal["counter", "gauge"], str]] = {
    "items_processed": ("counter", "Items that ended."),
    "items_succeeded": ("counter", "Items that ended with an output."),
    "items_failed": ("counter", "Items that ended without an output."),
    "rate_limits_hit": ("counter", "Calls that a rate limit refused."),
    "total_cooldown_time": ("counter", "Seconds of all cooldowns."),
    "avg_processing_time": ("gauge", "Mean seconds from start to end of items that succeeded."),
    "success_rate": ("gauge", "Share of ended items that succeeded, 0 to 1."),
}


def _families(metrics: Metrics) -> list[Family]:
    values: Mapping[str, Any] = metrics
    families = [
        Family(f"batch_llm_{key}", kind, help_text, values[key])
        for key, (kind, help_text) in _SINGLE.items()
    ]
    families.append(
        Family(
            "batch_llm_errors_total",
            "counter",
            "Failed items by exception type.",
            label="error_type",
            by_label=metrics["error_counts"],
        )
    )
    return families
