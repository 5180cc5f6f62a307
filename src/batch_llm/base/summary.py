"""What came of a run, at a glance: as text, and as HTML for notebooks.

Neither shows a prompt, an answer, or the message of an error, which may quote one.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .results import BatchResult

GROUPS_SHOWN = 10


def summary_text(batch: BatchResult[Any, Any]) -> str:
    """Return one line for each thing to know."""
    lines = [f"{name}: {value}" for name, value in _facts(batch)]
    lines += [f"  {cause}: {count}, first {item_id!r}" for cause, count, item_id in _causes(batch)]
    return "\n".join(lines)


def summary_html(batch: BatchResult[Any, Any]) -> str:
    """Return the same as a table."""
    rows = [_row(name, value) for name, value in _facts(batch)]
    rows += [_row(cause, f"{count}, first {item_id!r}") for cause, count, item_id in _causes(batch)]
    return f"<table>{''.join(rows)}</table>"


def _row(name: str, value: str) -> str:
    return f'<tr><th style="text-align:left">{escape(name)}</th><td>{escape(value)}</td></tr>'


def _facts(batch: BatchResult[Any, Any]) -> Iterator[tuple[str, str]]:
    yield "Items", _items(batch)
    if reused := sum(result.origin != "call" for result in batch):
        yield "Answered without a call", f"{reused:,}; what they took at first is no part of Cost"
    if cut := sum(result.is_truncated for result in batch):
        yield "Cut at the token limit", f"{cut:,}"
    yield "Tokens", _tokens(batch)
    yield "Cost", _cost(batch)
    if batch.unanswered_calls:
        yield "Calls without an answer", f"{batch.unanswered_calls:,}, which may be billed too"
    latencies = batch.latency_percentiles()
    if latencies:
        yield "Latency", ", ".join(f"{name} {value:.2f} s" for name, value in latencies.items())


def _items(batch: BatchResult[Any, Any]) -> str:
    parts = [f"{batch.total_items:,}", f"{batch.succeeded:,} succeeded"]
    if failed := batch.failed - batch.cancelled:
        parts.append(f"{failed:,} failed")
    if batch.cancelled:
        parts.append(f"{batch.cancelled:,} cancelled")
    return ", ".join(parts)


def _tokens(batch: BatchResult[Any, Any]) -> str:
    tokens = f"{batch.total_input_tokens:,} in, {batch.total_output_tokens:,} out"
    cached = batch.total_cached_tokens
    return f"{tokens}, {cached:,} of them read from a cache" if cached else tokens


def _cost(batch: BatchResult[Any, Any]) -> str:
    if batch.total_cost_usd is not None:
        return _dollars(batch.total_cost_usd)
    known = batch.known_cost_usd
    return f"{_dollars(known)} and calls of unknown price" if known else "unknown"


def _dollars(usd: float) -> str:
    """Return a sum of money; a small one with the digits that tell it from nothing."""
    return f"${usd:,.4f}" if usd >= 0.1 or not usd else f"${usd:.3g}"


def _causes(batch: BatchResult[Any, Any]) -> Iterator[tuple[str, str, str]]:
    groups = batch.failures()
    for group in groups[:GROUPS_SHOWN]:
        cause = f"{group.category} ({group.error_type})" if group.error_type else group.category
        yield cause, f"{group.count:,}", group.first_item_id
    rest = groups[GROUPS_SHOWN:]
    if rest:
        yield "others", f"{sum(group.count for group in rest):,}", rest[0].first_item_id
