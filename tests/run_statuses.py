"""Runs of remote batches at one moment, for whatever shows them."""

from __future__ import annotations

from typing import Any

from batch_llm.batch import RunStatus


def batch(number: int = 0, **changes: Any) -> Any:
    """Return a remote batch that is under way, but for `changes`."""
    return {
        "number": number,
        "provider": "openai",
        "model": "gpt-4o-mini",
        "remote_id": f"batch_{number}",
        "state": "created",
        "provider_state": "in_progress",
        "jobs": 50,
        "waiting": 50,
        "counts": {"total": 50, "succeeded": 20, "failed": 1},
        "age_seconds": 75.0,
        "cost_usd": None,
        "reserved_usd": 0.25,
        "why_waiting": "",
        **changes,
    }


def status(*batches: Any, **changes: Any) -> RunStatus:
    """Return a run of 200 jobs whose first half has ended, but for `changes`."""
    found: dict[str, Any] = {
        "total": 200,
        "completed": 100,
        "succeeded": 97,
        "failed": 3,
        "expired": 0,
        "cancelled": 0,
        "pending": 50,
        "in_flight": 50,
        "is_complete": False,
        "is_running": True,
        "stopped_because": None,
        "cost_usd": 0.5,
        "unpriced": 0,
        "overruns": 0,
        "reserved_usd": 0.25,
        "cost_limit_usd": 15.0,
        "batches": list(batches),
        "waiting": [],
        "live": 0,
    }
    return RunStatus(found | changes)
