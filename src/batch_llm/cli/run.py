"""`batch-llm run`: a door where everything is checked, the run, and the report."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core import ProcessorConfig, RateLimitConfig, RetryConfig
from ..exceptions import BatchLLMError, ConfigurationError, InputError, SourceError
from ..llm_strategies.by_name import strategy_by_name, usual_workers
from ..parallel import ParallelBatchProcessor
from ..rows.formats import FORMATS, format_of
from ..rows.plan import Entry
from ..rows.run import RowRun
from ..rows.sink import OutputError, check_output, discarding_sink, open_sink
from ..rows.source import open_source
from ..rows.survey import survey
from .display import display_for
from .exit_status import ExitStatus
from .monitor import Monitor
from .stderr import logged_to
from .summary import dry_run_summary, summary

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Literal

    from ..base import RequestStrategy, WorkItemResult
    from ..llm_strategies.by_name import RequestOptions
    from ..rows.format import RowFormat
    from ..rows.plan import RowPlan
    from ..rows.sink import RowSink
    from .display import Display
    from .stderr import ErrorConsole


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """Where rows come from and results go; None stands for the standard stream."""

    input: Path | None
    output: Path | None
    input_format: str | None = None
    output_format: str | None = None
    overwrite: bool = False
    in_input_order: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PaceOptions:
    """How many calls, how often, how long."""

    max_workers: int | Literal["auto"] | None = None
    max_attempts: int = 3
    timeout_seconds: float = 120.0
    requests_per_minute: float | None = None
    cooldown_seconds: float = 60.0
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """Which model, and what each request asks of it besides the prompt."""

    spec: str
    api_key: str | None = None
    request: RequestOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What one `batch-llm run` was asked for."""

    files: FileOptions
    plan: RowPlan
    model: ModelOptions
    pace: PaceOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What has passed the door and can be run."""

    rows: RowRun
    sink: RowSink
    strategy: RequestStrategy[Any]
    config: ProcessorConfig


def run(options: RunOptions, console: ErrorConsole, *, quiet: bool) -> ExitStatus:
    """Run to the end and print how it went.

    Args:
        options: what was asked for.
        console: standard error.
        quiet: whether to print errors only.

    Raises:
        BatchLLMError: what is wrong, if it is found before any call.
        KeyboardInterrupt: if the user stopped it before any call.
    """
    with ExitStack() as resources:
        job = enter(options, resources)
        monitor = Monitor(job.rows.tally)
        with logged_to(console, logging.ERROR if quiet else logging.WARNING):
            trouble = carry_out(job, monitor, display_for(console, quiet=quiet))
        tally = job.rows.tally
        if not quiet:
            glance = monitor.glance()
            lines = (
                dry_run_summary(tally)
                if options.pace.dry_run
                else summary(tally, glance, output=job.sink.name)
            )
            for line in lines:
                console.print(line, soft_wrap=True)
    if trouble is not None:
        console.say(f"Error: {trouble}", style="red")
        return ExitStatus.FAILED
    if tally.cancelled or tally.done < tally.total:
        return ExitStatus.INTERRUPTED
    return ExitStatus.SUCCEEDED if tally.all_succeeded else ExitStatus.FAILED


# -- the door


def enter(options: RunOptions, resources: ExitStack) -> Job:
    """Check everything that can be checked before a call, and open what the run needs.

    Raises:
        BatchLLMError: for the first thing that is wrong. The output is then as it was.
    """
    files, plan = options.files, options.plan
    strategy = _strategy(options)
    config = _config(options.pace, usual_workers(strategy))
    dry_run = options.pace.dry_run
    if not dry_run:
        check_output(files.output, files.input, overwrite=files.overwrite)
    output_format = _format(files.output, files.output_format, standard="jsonl")
    input_format = _format(files.input, files.input_format, standard=None)
    source = resources.enter_context(open_source(files.input, input_format))
    found = survey(source, plan)
    kept = found.fields if plan.keep is None else tuple(plan.keep)
    if dry_run:
        sink = discarding_sink(output_format, kept)
    else:
        sink = open_sink(files.output, output_format, kept, overwrite=files.overwrite)
    resources.enter_context(sink)
    rows = RowRun(source, plan, found, sink, in_input_order=files.in_input_order)
    return Job(rows=rows, sink=sink, strategy=strategy, config=config)


def _strategy(options: RunOptions) -> RequestStrategy[Any]:
    workers = options.pace.max_workers
    return strategy_by_name(
        options.model.spec,
        api_key=options.model.api_key,
        parallel_slots=workers if isinstance(workers, int) else None,
        **options.model.request,
    )


def _config(pace: PaceOptions, usual_workers: int) -> ProcessorConfig:
    config = ProcessorConfig(
        max_workers=usual_workers if pace.max_workers is None else pace.max_workers,
        timeout_per_item=pace.timeout_seconds,
        retry=RetryConfig(max_attempts=pace.max_attempts),
        rate_limit=RateLimitConfig(cooldown_seconds=pace.cooldown_seconds),
        max_requests_per_minute=pace.requests_per_minute,
        dry_run=pace.dry_run,
    )
    config.validate()
    return config


def _format(path: Path | None, name: str | None, *, standard: str | None) -> RowFormat:
    """Return the format of a file or stream; `standard` is that of a stream that names none."""
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


# -- the run


def carry_out(job: Job, monitor: Monitor, display: Display) -> BatchLLMError | None:
    """Process all rows, and give each that was cut short its result; return what broke the run."""
    trouble: BatchLLMError | None = None
    try:
        with display:
            asyncio.run(_process(job, monitor, display))
    except KeyboardInterrupt:
        pass  # the second Ctrl-C; the rows that are still open say so below
    except OutputError as error:
        return error
    except SourceError as error:
        trouble = error.__cause__ if isinstance(error.__cause__, BatchLLMError) else error
    try:
        job.rows.close_open_rows()
        job.sink.close()
    except KeyboardInterrupt:
        pass  # the third Ctrl-C; the summary tells how many rows were not written
    except (OutputError, InputError) as error:
        trouble = trouble or error
    return trouble


async def _process(job: Job, monitor: Monitor, display: Display) -> None:
    async with ParallelBatchProcessor[str, Any, Entry](
        config=job.config, observers=[monitor]
    ) as processor:
        watch = asyncio.create_task(_watch(processor, monitor, display))
        try:
            async with aclosing(processor.stream(job.rows.items(job.strategy))) as results:
                async for result in results:
                    job.rows.finish(result)
        finally:
            # Cut short, the stream leaves behind what had ended by then: it is paid for.
            try:
                _finish_all(job.rows, processor.results)
            finally:
                monitor.take_stats(await processor.get_stats())
                watch.cancel()


def _finish_all(rows: RowRun, results: Iterable[WorkItemResult[Any, Entry]]) -> None:
    """Finish each of `results`; where they cannot be written, their tokens are still counted."""
    trouble: OutputError | None = None
    for result in results:
        try:
            rows.finish(result)
        except OutputError as error:
            trouble = error
    if trouble is not None:
        raise trouble


async def _watch(
    processor: ParallelBatchProcessor[str, Any, Entry], monitor: Monitor, display: Display
) -> None:
    while True:
        monitor.take_stats(await processor.get_stats())
        try:
            display.show(monitor.glance())
        except OSError:
            return  # the terminal has gone; the run goes on
        await asyncio.sleep(display.interval_seconds)
