"""`batch-llm status`: what a ledger says of its runs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ..base import figures
from ..base.json_text import as_json
from ..ledger import read_ledger
from .exit_status import ExitStatus
from .process import is_alive
from .stdout import print_lines
from .wording import in_words_of_the_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..ledger import KeptRow, KeptRun, LedgerReader, LedgerSummary


_COUNTS: Final = (
    ("succeeded", "succeeded"),
    ("failed", "failed"),
    ("cancelled", "cancelled"),
    ("reused", "of them without a call of their own"),
)


def status(path: Path, *, as_json_text: bool) -> ExitStatus:
    """Print what the ledger at `path` says, also while a run writes it.

    Args:
        path: the ledger.
        as_json_text: print one JSON object, and no lines to read.

    Raises:
        ConfigurationError: if there is no such ledger.
        LedgerError: if it cannot be read.
        OutputError: if standard output cannot be written.
    """
    ledger = read_ledger(path)
    found = ledger.summary()
    failures = _failures(ledger)
    has_unpriced = any(row.cost_usd is None and row.attempts for row in ledger.results())
    if as_json_text:
        lines = [as_json(_document(found, failures, has_unpriced=has_unpriced)).decode()]
    else:
        lines = list(_lines(path, found, failures, has_unpriced=has_unpriced))
    print_lines(lines)
    return ExitStatus.SUCCEEDED


def _failures(ledger: LedgerReader) -> dict[str, KeptRow]:
    """Return the first failure of each category."""
    first: dict[str, KeptRow] = {}
    for row in ledger.results(outcome="failed"):
        first.setdefault(row.error_category or "unknown", row)
    return first


def state_of(run: KeptRun) -> str:
    """Return "ended", "running" or "cut off"; "not ended" where no more can be known."""
    if run.ended_at is not None:
        return "ended"
    alive = is_alive(run.pid)
    if alive is None:
        return "not ended"
    return "running" if alive else "cut off"


# -- to read


def _lines(
    path: Path, found: LedgerSummary, failures: dict[str, KeptRow], *, has_unpriced: bool
) -> Iterator[str]:
    items = found.succeeded + found.failed
    yield (
        f"{path}: {figures.plural(items, 'row')}, {figures.count(found.succeeded)} "
        f"succeeded, {figures.count(found.failed)} failed."
    )
    yield (
        f"Tokens: {figures.count(found.usage['input_tokens'])} in, "
        f"{figures.count(found.usage['output_tokens'])} out."
    )
    yield _cost(found, has_unpriced=has_unpriced)
    if found.failures:
        yield "Failures:"
    for category, count in found.failures.items():
        yield f"  {category}: {figures.plural(count, 'row')}{_example(failures.get(category))}"
    yield "Runs:" if found.runs else "There was no run yet."
    for run in found.runs:
        yield f"  {_run(run)}"


def _example(row: KeptRow | None) -> str:
    if row is None:
        return ""  # it came after the summary was made
    text = f", first {row.item_id!r}: {in_words_of_the_command(row.error or '')}"
    return "".join(c if c.isprintable() else " " for c in text)


def _cost(found: LedgerSummary, *, has_unpriced: bool) -> str:
    least = "at least " if has_unpriced else ""
    why = ", the price of some calls is not known" if has_unpriced else ""
    text = f"Cost: {least}{figures.usd(found.spent_usd)} spent{why}"
    if found.held_calls:
        calls = figures.plural(found.held_calls, "call")
        text += f"; {figures.usd(found.held_usd)} held for {calls} not settled"
    return f"{text}."


def _run(run: KeptRun) -> str:
    began = datetime.fromtimestamp(run.started_at).strftime("%Y-%m-%d %H:%M:%S")
    parts = [f"{run.number}. {began}, {state_of(run)}"]
    if run.ended_at is not None:
        parts[0] += f" after {figures.duration(run.ended_at - run.started_at)}"
    parts.append(f"process {run.pid}")
    if run.counts:
        total = figures.plural(int(run.counts.get("total", 0)), "row")
        counts = (
            f"{figures.count(int(run.counts.get(key, 0)))} {said}"
            for key, said in _COUNTS
            if run.counts.get(key) or key in ("succeeded", "failed")
        )
        parts.append(f"{total}: {', '.join(counts)}")
    return ", ".join(parts)


# -- for programs


def _document(
    found: LedgerSummary, failures: dict[str, KeptRow], *, has_unpriced: bool
) -> dict[str, Any]:
    return {
        "path": str(found.path),
        "succeeded": found.succeeded,
        "failed": found.failed,
        "failures": [
            {
                "category": category,
                "rows": count,
                "first_id": failures[category].item_id if category in failures else None,
                "first_error": failures[category].error if category in failures else None,
            }
            for category, count in found.failures.items()
        ],
        "tokens": found.usage,
        "spent_usd": found.spent_usd,
        "is_spent_whole": not has_unpriced,
        "held_usd": found.held_usd,
        "held_calls": found.held_calls,
        "first_ended_at": _moment(found.first_ended_at),
        "last_ended_at": _moment(found.last_ended_at),
        "runs": [_run_document(run) for run in found.runs],
    }


def _run_document(run: KeptRun) -> dict[str, Any]:
    return {
        "number": run.number,
        "state": state_of(run),
        "pid": run.pid,
        "version": run.version,
        "started_at": _moment(run.started_at),
        "ended_at": _moment(run.ended_at),
        "counts": dict(run.counts),
    }


def _moment(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
