"""`batch-llm run --estimate`: what a run would take, told without a call."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from ..base import figures
from ..ledger import identify, request_digest
from ..llm_strategies.escalation import EscalatingStrategy
from ..pricing import Estimate
from .door import earlier_results, models_of, survey_of
from .exit_status import ExitStatus
from .wording import in_words_of_the_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..base import LLMCallStrategy
    from ..rows.earlier_results import EarlierResults
    from ..rows.source import RowSource
    from ..rows.survey import Survey
    from .run_options import PaceOptions, RunOptions
    from .stderr import ErrorConsole


@dataclass(frozen=True, slots=True)
class Work:
    """The rows of a run.

    Attributes:
        total: all of them.
        unusable: those without a prompt.
        done: those that an earlier run has finished.
    """

    total: int
    unusable: int
    done: int


def estimate(options: RunOptions, console: ErrorConsole) -> ExitStatus:
    """Print what the run would take at least and at most; make no call, write nothing.

    Raises:
        BatchLLMError: what is wrong with the rows, the models or the ledger.
    """
    members = models_of(options)
    # Refused where the run would be: without --resume, there are to be no earlier results.
    earlier = earlier_results(options.ledger)
    with ExitStack() as resources:
        source, found = survey_of(options, resources)
        estimates = [_new_estimate(member, options.pace) for member in members]
        work = _add_rows(estimates, options, source, found, _Finished(members, earlier))
    for line in _lines(options, work, estimates):
        console.print(line, soft_wrap=True)
    return ExitStatus.SUCCEEDED


class _Finished:
    """Knows what a run would replay."""

    def __init__(self, members: Sequence[LLMCallStrategy[Any]], earlier: EarlierResults) -> None:
        self._earlier = earlier
        whole = members[0] if len(members) == 1 else EscalatingStrategy(members)
        self._fingerprint = whole.fingerprint() if earlier else None

    def has(self, row_id: str, prompt: str) -> bool:
        if self._fingerprint is None:
            return False
        item = identify(row_id, request_digest(self._fingerprint, prompt))
        return self._earlier.has_success(item.digest)


def _new_estimate(strategy: LLMCallStrategy[Any], pace: PaceOptions) -> Estimate:
    return Estimate(
        strategy,
        requests_per_minute=pace.requests_per_minute,
        tokens_per_minute=pace.tokens_per_minute,
    )


def _add_rows(
    estimates: Sequence[Estimate],
    options: RunOptions,
    source: RowSource,
    found: Survey,
    finished: _Finished,
) -> Work:
    done = 0
    for entry in options.plan.entries(source):
        if entry.prompt is None:
            continue
        if finished.has(found.id_of(entry), entry.prompt):
            done += 1
            continue
        for each in estimates:
            each.add(entry.prompt)
    return Work(found.total, found.unusable, done)


# -- what is printed


def _lines(options: RunOptions, work: Work, estimates: Sequence[Estimate]) -> Iterator[Text]:
    yield Text("Estimate: no model was called, and nothing was written.", style="yellow")
    yield Text(_rows(work, estimates[0].rows), style="bold")
    specs = options.model.specs
    for number, (spec, each) in enumerate(zip(specs, estimates, strict=True)):
        if len(specs) > 1:
            when = "for every row" if number == 0 else "if every row came to it"
            yield Text(f"{spec}, {when}:")
        yield Text(f"Tokens in: {_span(each.input_tokens, each.input_tokens_bound)}.")
        yield Text(f"Tokens out: {_span(each.low_output_tokens, each.high_output_tokens)}.")
        yield Text(f"Cost: {cost_line(each)}")
    yield Text(f"Time at the limits: {time_line(options.pace, estimates[0])}")
    yield Text("Rows that are tried more than once come on top.", style="dim")


def _rows(work: Work, to_call: int) -> str:
    parts = [f"{figures.count(to_call)} to be called for"]
    if work.done:
        parts.append(f"{figures.count(work.done)} in the ledger already")
    if work.unusable:
        parts.append(f"{figures.count(work.unusable)} that cannot be used")
    return f"{figures.plural(work.total, 'row')}: {', '.join(parts)}."


def _span(low: int, high: int | None) -> str:
    most = "with no upper bound" if high is None else f"at most {figures.count(high)}"
    return f"about {figures.count(low)}, {most}"


def cost_line(found: Estimate) -> str:
    """Return what the calls cost at both ends, or why that is not known."""
    if found.low_usd is None:
        return "not known; --priced-as PROVIDER:MODEL says what calls are billed as."
    low = figures.usd(found.low_usd)
    if found.high_usd is not None:
        return f"from {low} to at most {figures.usd(found.high_usd)}."
    why = in_words_of_the_command(found.unbounded or "The price has no upper bound.")
    return f"from {low}, with no upper bound. {why}"


def time_line(pace: PaceOptions, found: Estimate) -> str:
    """Return how long the limits make the run take, or that there are none."""
    low, high = minutes(pace, found)
    if low is None:
        return "no limit is given; --rpm and --tpm give one."
    shown = figures.duration(low * 60)
    if high is None or high == low:
        return f"at least {shown}."
    return f"from {shown} to {figures.duration(high * 60)}."


def minutes(pace: PaceOptions, found: Estimate) -> tuple[float | None, float | None]:
    """Return the minutes that all limits make a run take, at least and at most; None: not known."""
    low, high = [found.low_minutes], [found.high_minutes]
    for limit, least, most in (
        (pace.input_tokens_per_minute, found.input_tokens, found.input_tokens_bound),
        (pace.output_tokens_per_minute, found.low_output_tokens, found.high_output_tokens),
    ):
        if limit is not None:
            low.append(least / limit)
            high.append(None if most is None else most / limit)
    known = [each for each in low if each is not None]
    if not known:
        return None, None
    is_bounded = all(each is not None for each in high[1:]) and (
        high[0] is not None or low[0] is None
    )
    return max(known), max(each for each in high if each is not None) if is_bounded else None
