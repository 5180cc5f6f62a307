"""What is checked before a run, and what then goes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core import AUTO, LedgerConfig, ProcessorConfig, RateLimitConfig, RetryConfig
from ..exceptions import ConfigurationError
from ..ledger import read_ledger
from ..llm_strategies.by_name import strategy_by_name
from ..llm_strategies.escalation import EscalatingStrategy
from ..pricing import most_usd
from ..rows.earlier_results import EarlierResults
from ..rows.formats import FORMATS, format_of
from ..rows.replacing_sink import ReplacingSink
from ..rows.run import RowRun
from ..rows.sink import check_output, discarding_sink, open_sink
from ..rows.source import RowSource, open_source
from ..rows.survey import survey
from .sameness import check_apart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from ..base import LLMCallStrategy
    from ..rows.format import RowFormat
    from ..rows.plan import RowPlan
    from ..rows.sink import ResultSink
    from ..rows.survey import Survey
    from .run_options import FileOptions, LedgerOptions, RunOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What has passed the door and can be run.

    Attributes:
        is_resumed: whether earlier runs have left results.
    """

    rows: RowRun
    sink: ResultSink
    strategy: LLMCallStrategy[Any]
    config: ProcessorConfig
    is_resumed: bool


def enter(options: RunOptions, resources: ExitStack) -> Job:
    """Check everything that can be checked before a call, and open what the run needs.

    Raises:
        BatchLLMError: for the first thing that is wrong. The output is then as it was.
    """
    files, plan = options.files, options.plan
    members = models_of(options)
    config = _config(options, members)
    if config.max_cost_usd is not None:
        check_cap(members, options.model.specs)
    if options.ledger is not None:
        check_apart("--ledger", options.ledger.path, files.input, files.output)
    earlier = EarlierResults(None) if options.dry_run else earlier_results(options.ledger)
    output_format = format_or(files.output, files.output_format, standard="jsonl")
    if not options.dry_run:
        _check_output(options, output_format, earlier)
    source, found = survey_of(options, resources)
    kept = found.fields if plan.keep is None else tuple(plan.keep)
    sink = _sink(options, output_format, kept, earlier, resources)
    rows = RowRun(source, plan, found, sink, in_input_order=files.in_input_order, earlier=earlier)
    return Job(
        rows=rows,
        sink=sink,
        strategy=_one_of(members),
        config=config,
        is_resumed=bool(earlier),
    )


# -- models


def models_of(options: RunOptions) -> list[LLMCallStrategy[Any]]:
    """Return the models in the order in which they are asked; no call is made.

    Raises:
        ConfigurationError: for one that there is not, or whose key or library is missing.
    """
    model, workers = options.model, options.pace.max_workers
    slots = workers if isinstance(workers, int) else None
    first = strategy_by_name(
        model.spec,
        api_key=model.api_key,
        priced_as=model.priced_as,
        parallel_slots=slots,
        **model.request,
    )
    others = (strategy_by_name(spec, parallel_slots=slots, **model.request) for spec in model.then)
    return [first, *others]


def check_cap(members: Sequence[LLMCallStrategy[Any]], specs: Sequence[str]) -> None:
    """Make sure that a cap in USD can be kept: that there is a most that each call can cost.

    Raises:
        ConfigurationError: naming the model for which there is none, and what to do.
    """
    for member, spec in zip(members, specs, strict=True):
        problem = _why_unbounded(member)
        if problem is not None:
            raise ConfigurationError(f"--max-cost cannot be kept with {spec}: {problem}")


def _why_unbounded(strategy: LLMCallStrategy[Any]) -> str | None:
    priced = strategy.priced_as
    if priced is None:
        return (
            "what its calls are billed as is not known. Say it with --priced-as PROVIDER:MODEL, or "
            "run without a cap."
        )
    bound = strategy.token_bound("x")
    if bound is None:
        return "nothing bounds the tokens of a call. Run without a cap."
    if bound.output_tokens is None:
        return "nothing bounds its answers. Add --max-tokens N."
    if most_usd(priced, bound) is None:
        return (
            f"the price of {priced.provider}'s {priced.model!r} is not known. Name another model, "
            f"or run without a cap."
        )
    return None


def _one_of(members: list[LLMCallStrategy[Any]]) -> LLMCallStrategy[Any]:
    return members[0] if len(members) == 1 else EscalatingStrategy(members)


# -- settings


def _config(options: RunOptions, members: Sequence[LLMCallStrategy[Any]]) -> ProcessorConfig:
    pace, ledger = options.pace, options.ledger
    config = ProcessorConfig(
        max_workers=pace.max_workers or _usual_workers(members),
        timeout_per_item=pace.timeout_seconds,
        item_deadline_seconds=pace.row_deadline_seconds,
        run_deadline_seconds=pace.run_deadline_seconds,
        retry=RetryConfig(max_attempts=pace.max_attempts),
        rate_limit=RateLimitConfig(cooldown_seconds=pace.cooldown_seconds),
        max_requests_per_minute=pace.requests_per_minute,
        max_tokens_per_minute=pace.tokens_per_minute,
        max_input_tokens_per_minute=pace.input_tokens_per_minute,
        max_output_tokens_per_minute=pace.output_tokens_per_minute,
        max_cost_usd=pace.max_cost_usd,
        share_identical=pace.share_identical,
        ledger=None if ledger is None else _ledger_config(ledger),
        dry_run=options.dry_run,
    )
    config.validate()
    return config


def _ledger_config(ledger: LedgerOptions) -> LedgerConfig:
    return LedgerConfig(
        ledger.path,
        store_prompts=ledger.store_prompts,
        durability=ledger.durability,
        response_cache=ledger.cache,
    )


def _usual_workers(members: Sequence[LLMCallStrategy[Any]]) -> Any:
    """Return "auto", or as many as a model in this process has slots."""
    slots = [getattr(member, "parallel_slots", None) for member in members]
    return min((count for count in slots if isinstance(count, int)), default=AUTO)


# -- what earlier runs have left


def earlier_results(ledger: LedgerOptions | None) -> EarlierResults:
    """Return what the ledger tells of earlier runs: nothing where it is new.

    Raises:
        ConfigurationError: if it holds results, and it is not said that they are to be gone on
            with; or if it is no ledger.
        LedgerError: if it cannot be read.
    """
    if ledger is None or not ledger.path.exists() or ledger.path.stat().st_size == 0:
        return EarlierResults(None)
    earlier = EarlierResults(read_ledger(ledger.path))
    if earlier and not ledger.resume:
        raise ConfigurationError(
            f"The ledger {str(ledger.path)!r} holds results of an earlier run. Add --resume to go "
            f"on with them, or name another file with --ledger to begin anew."
        )
    return earlier


def _check_output(options: RunOptions, output_format: RowFormat, earlier: EarlierResults) -> None:
    """Refuse an output that exists, unless it is this ledger's own or may be overwritten."""
    files, ledger = options.files, options.ledger
    path = files.output
    if ledger is None or path is None:
        check_output(path, files.input, overwrite=files.overwrite)
        return
    is_there = path.is_file() and not files.overwrite
    if not (is_there and ledger.resume):
        check_output(path, files.input, overwrite=files.overwrite)
        return
    check_output(path, files.input, overwrite=True)
    with path.open("rb") as stream:
        is_ours = earlier.hold_all_of(RowSource(stream, output_format, str(path)))
    if not is_ours:
        raise ConfigurationError(
            f"The output {str(path)!r} exists, and holds what the ledger {str(ledger.path)!r} does "
            f"not; name another, or ask to overwrite it with --force."
        )


# -- files


def survey_of(options: RunOptions, resources: ExitStack) -> tuple[RowSource, Survey]:
    """Return the rows, and what the first pass over them found.

    Raises:
        BatchLLMError: if they cannot be used.
    """
    return rows_of(options.files, options.plan, resources)


def rows_of(files: FileOptions, plan: RowPlan, resources: ExitStack) -> tuple[RowSource, Survey]:
    """Return the rows of the input, and what the first pass over them found.

    Raises:
        BatchLLMError: if they cannot be used.
    """
    input_format = format_or(files.input, files.input_format, standard=None)
    source = resources.enter_context(open_source(files.input, input_format))
    return source, survey(source, plan)


def format_or(path: Path | None, name: str | None, *, standard: str | None) -> RowFormat:
    """Return the format of a file or stream; `standard` is that of a stream that names none.

    Raises:
        ConfigurationError: if there is none.
    """
    if name is not None:
        return FORMATS[name]
    if path is not None:
        return format_of(path)
    if standard is not None:
        return FORMATS[standard]
    raise ConfigurationError(
        f"Standard input has no name that tells its format: add --format, one of "
        f"{', '.join(FORMATS)}."
    )


def _sink(
    options: RunOptions,
    row_format: RowFormat,
    kept: tuple[str, ...],
    earlier: EarlierResults,
    resources: ExitStack,
) -> ResultSink:
    if options.dry_run:
        return resources.enter_context(discarding_sink(row_format, kept))
    if options.ledger is not None and _is_replaceable(options.files):
        assert options.files.output is not None, "a file"
        return resources.enter_context(
            ReplacingSink(options.files.output, row_format, kept, earlier=earlier)
        )
    files = options.files
    return resources.enter_context(
        open_sink(files.output, row_format, kept, overwrite=files.overwrite)
    )


def _is_replaceable(files: FileOptions) -> bool:
    """Return whether the output is a file, and no stream, device or named pipe."""
    return files.output is not None and (files.output.is_file() or not files.output.exists())
