"""What a run came to, in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from . import figures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..rows.tally import Tally
    from .monitor import Glance


def summary(tally: Tally, glance: Glance, *, output: str) -> Iterator[Text]:
    """Yield the lines that end a run.

    Args:
        tally: the counts of all results.
        glance: the run at its end.
        output: where the results are.
    """
    yield _outcome(tally, glance)
    yield Text(
        f"Tokens: {figures.count(tally.input_tokens)} in, {figures.count(tally.output_tokens)} "
        f"out. Retries: {figures.count(glance.retries)}. "
        f"Rate limits: {figures.count(glance.rate_limits)}."
    )
    yield from _failures(tally)
    yield Text(f"Results: {output}")


def dry_run_summary(tally: Tally) -> Iterator[Text]:
    """Yield the lines that end a dry run; a row that succeeded is one that would be sent."""
    yield Text("Dry run: no model was called, and nothing was written.", style="yellow")
    parts = [f"{figures.plural(tally.succeeded, 'request')} would be sent"]
    parts.append(f"about {figures.count(tally.input_tokens)} tokens in")
    if tally.failed:
        parts.append(f"{figures.count(tally.failed)} failed")
    if tally.cancelled:
        parts.append(f"{figures.count(tally.cancelled)} not looked at")
    yield Text(
        f"{figures.plural(tally.total, 'row')}: {', '.join(parts)}.",
        style="bold green" if tally.all_succeeded else "bold",
    )
    yield from _failures(tally)


def _failures(tally: Tally) -> Iterator[Text]:
    if tally.failures:
        yield Text("Failures:", style="red")
    for group in sorted(tally.failures.values(), key=lambda group: -group.rows):
        yield Text(
            f"  {group.category}: {figures.plural(group.rows, 'row')}, "
            f"first {_one_line(group.first_id)!r}: {_one_line(group.first_error)}"
        )


def _outcome(tally: Tally, glance: Glance) -> Text:
    seconds = glance.elapsed_seconds
    lived = tally.succeeded + tally.failed
    pace = f" ({figures.rate(lived / seconds)})" if lived and seconds > 0 else ""
    parts = [f"{figures.count(tally.succeeded)} succeeded"]
    if tally.failed:
        parts.append(f"{figures.count(tally.failed)} failed")
    if tally.cancelled:
        parts.append(f"{figures.count(tally.cancelled)} cancelled")
    if tally.done < tally.total:
        parts.append(f"{figures.count(tally.total - tally.done)} not written")
    return Text(
        f"{figures.plural(tally.total, 'row')} in {figures.duration(seconds)}{pace}: "
        f"{', '.join(parts)}.",
        style="bold green" if tally.all_succeeded else "bold",
    )


def _one_line(text: str) -> str:
    """Return `text` without what would move the cursor: it may come from a file or a provider."""
    return "".join(c if c.isprintable() else " " for c in text)
