"""What a run came to, in a few lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.text import Text

from ..base import figures
from ..rows.result_row import INPUT_ERROR
from .wording import in_words_of_the_command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..rows.tally import Tally
    from .monitor import Glance


BUDGET_EXCEEDED: Final = "budget_exceeded"


@dataclass(frozen=True, slots=True)
class Cap:
    """What is left of a limit in USD.

    Attributes:
        max_usd: the limit.
        left_usd: what later calls may cost.
        is_exact: False where some of it may be gone: for calls whose answers never came.
    """

    max_usd: float
    left_usd: float
    is_exact: bool


def summary(
    tally: Tally,
    glance: Glance,
    *,
    output: str,
    cap: Cap | None = None,
    again: str | None = None,
    is_resumed: bool = False,
    ran_out: bool = False,
) -> Iterator[Text]:
    """Yield the lines that end a run.

    Args:
        tally: the counts of all results.
        glance: the run at its end.
        output: where the results are.
        cap: what is left of the limit in USD; None without one.
        again: how a later run goes on from here, as what to do; None where it cannot.
        is_resumed: whether this run went on from an earlier one.
        ran_out: whether the run's deadline has passed.
    """
    yield _outcome(tally, glance)
    yield from _reused(tally, is_resumed=is_resumed)
    yield Text(
        f"Tokens: {figures.count(tally.input_tokens)} in, {figures.count(tally.output_tokens)} "
        f"out. Retries: {figures.count(glance.retries)}. "
        f"Rate limits: {figures.count(glance.rate_limits)}."
    )
    yield Text(" ".join((_cost(tally), *_left(cap))))
    yield from truncated_answers(tally)
    yield from failures(tally)
    yield from _advice(tally, again, ran_out=ran_out)
    yield Text(f"Results: {output}")


def truncated_answers(tally: Tally) -> Iterator[Text]:
    """Yield a line where answers were cut: their rows count as succeeded, and may be of no use."""
    if tally.truncated:
        answers = figures.plural(tally.truncated, "answer")
        were = "was" if tally.truncated == 1 else "were"
        yield Text(f"{answers} {were} cut at the token limit (--max-tokens).", style="yellow")


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
    yield from failures(tally)


def failures(tally: Tally) -> Iterator[Text]:
    """Yield a line for each category of failed rows, the largest first."""
    if tally.failures:
        yield Text("Failures:", style="red")
    for group in sorted(tally.failures.values(), key=lambda group: -group.rows):
        yield Text(
            f"  {group.category}: {figures.plural(group.rows, 'row')}, "
            f"first {_one_line(group.first_id)!r}: "
            f"{in_words_of_the_command(_one_line(group.first_error))}"
        )


def _reused(tally: Tally, *, is_resumed: bool) -> Iterator[Text]:
    parts = []
    if is_resumed:
        parts.append(f"{figures.plural(tally.replayed, 'row')} replayed from the ledger")
    if tally.failures_tried_again:
        again = figures.plural(tally.failures_tried_again, "earlier failure")
        parts.append(f"{again} tried again")
    if tally.changed:
        changed = figures.plural(tally.changed, "row")
        parts.append(f"{changed} asked anew, since prompt or model have changed")
    if tally.cached:
        parts.append(f"{figures.plural(tally.cached, 'row')} answered from the cache")
    if tally.shared:
        parts.append(f"{figures.plural(tally.shared, 'row')} answered by the call of an equal one")
    if parts:
        yield Text(f"{', '.join(parts)}. {_calls(tally)}")


def _calls(tally: Tally) -> str:
    called = figures.plural(tally.called, "row")
    return f"{called} called for." if tally.called else "No call was made."


def _cost(tally: Tally) -> str:
    if tally.unpriced and tally.unpriced == tally.called:
        return "Cost: not known; --priced-as PROVIDER:MODEL says what calls are billed as."
    reasons = []
    if tally.unpriced:
        reasons.append(f"the price of {figures.plural(tally.unpriced, 'row')} is not known")
    if tally.unanswered_calls:
        calls = figures.plural(tally.unanswered_calls, "call")
        reasons.append(f"{calls} that may be billed got no answer")
    at_least = f"at least {figures.usd(tally.cost_usd)}: {' and '.join(reasons)}"
    return f"Cost: {at_least if reasons else figures.usd(tally.cost_usd)}."


def _left(cap: Cap | None) -> Iterator[str]:
    if cap is not None:
        left = figures.usd(max(0.0, cap.left_usd))
        limit = f"{cap.max_usd:.9f}".rstrip("0").rstrip(".")
        yield f"Left of --max-cost {limit}: {'' if cap.is_exact else 'at most '}{left}."


def _advice(tally: Tally, again: str | None, *, ran_out: bool) -> Iterator[Text]:
    """Say how to come to the rows that are left."""
    later = again or "run the command with a --ledger, from which later runs go on"
    if BUDGET_EXCEEDED in tally.failures:
        rows = figures.plural(tally.failures[BUDGET_EXCEEDED].rows, "row")
        yield Text(f"The cap stopped {rows}: raise --max-cost, and {later}.", style="yellow")
    elif ran_out:
        yield Text(f"The deadline has passed; to go on, {later}.", style="yellow")
    elif again and _has_rows_to_call(tally):
        yield Text(f"To try again what has not succeeded, {again}.", style="yellow")


def _has_rows_to_call(tally: Tally) -> bool:
    """Return whether rows are left that another run may call for: not those that are unusable."""
    unusable = tally.failures[INPUT_ERROR].rows if INPUT_ERROR in tally.failures else 0
    return tally.succeeded + unusable < tally.total


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
