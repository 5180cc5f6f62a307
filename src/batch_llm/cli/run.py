"""`batch-llm run`: the door, the run, and the report."""

from __future__ import annotations

import asyncio
import logging
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING, Any

from ..exceptions import BatchLLMError, InputError, LedgerError, SourceError
from ..ledger import read_ledger
from ..parallel import ParallelBatchProcessor
from ..rows.sink import OutputError
from .display import display_for
from .door import enter
from .exit_status import ExitStatus
from .monitor import Monitor
from .stderr import logged_to
from .summary import Cap, dry_run_summary, summary, truncated_answers
from .wording import in_words_of_the_command

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.text import Text

    from ..base import WorkItemResult
    from ..rows.run import RowRun
    from .display import Display
    from .door import Job
    from .monitor import Glance
    from .run_options import LedgerOptions, RunOptions
    from .stderr import ErrorConsole


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
        report = _report(options, job, monitor.glance())
        for line in truncated_answers(job.rows.tally) if quiet else report:
            console.print(line, soft_wrap=True)
    if trouble is not None:
        console.say(f"Error: {in_words_of_the_command(str(trouble))}", style="red")
        return ExitStatus.FAILED
    tally = job.rows.tally
    if tally.cancelled or tally.done < tally.total:
        return ExitStatus.FAILED if _ran_out(job, monitor.glance()) else ExitStatus.INTERRUPTED
    return ExitStatus.SUCCEEDED if tally.all_succeeded else ExitStatus.FAILED


# -- the run


def carry_out(job: Job, monitor: Monitor, display: Display) -> BatchLLMError | None:
    """Process all rows, and give each that was cut short its result; return what broke the run.

    Raises:
        BatchLLMError: what is wrong with the ledger or the output, if nothing has been done yet.
        KeyboardInterrupt: if the user stopped it before that.
    """
    trouble: BatchLLMError | None = None
    try:
        with display:
            asyncio.run(_process(job, monitor, display))
    except KeyboardInterrupt:
        if not job.sink.is_begun:
            raise
        # The second Ctrl-C; the rows that are still open say so below.
    except OutputError as error:
        return OutputError(f"{error} The run was stopped.")
    except LedgerError as error:
        trouble = error
    except SourceError as error:
        trouble = error.__cause__ if isinstance(error.__cause__, BatchLLMError) else error
    if trouble is not None and not job.sink.is_begun:
        raise trouble
    at_the_end = _close(job)
    return trouble or at_the_end


def _close(job: Job) -> BatchLLMError | None:
    """Give the rows that are open their results, and close the output; return what went wrong."""
    trouble: BatchLLMError | None = None
    try:
        try:
            job.rows.close_open_rows()
        except InputError as error:
            trouble = error
        job.sink.close()
    except KeyboardInterrupt:
        pass  # the third Ctrl-C; the summary tells how many rows were not written
    except OutputError as error:
        trouble = trouble or error
    return trouble


async def _process(job: Job, monitor: Monitor, display: Display) -> None:
    async with ParallelBatchProcessor[str, Any, None](
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


def _finish_all(rows: RowRun, results: Iterable[WorkItemResult[Any, None]]) -> None:
    """Finish each of `results`; where they cannot be written, their cost is still counted."""
    trouble: OutputError | None = None
    for result in results:
        try:
            rows.finish(result)
        except OutputError as error:
            trouble = error
    if trouble is not None:
        raise trouble


async def _watch(
    processor: ParallelBatchProcessor[str, Any, None], monitor: Monitor, display: Display
) -> None:
    while True:
        monitor.take_stats(await processor.get_stats())
        try:
            display.show(monitor.glance())
        except OSError:
            return  # the terminal has gone; the run goes on
        await asyncio.sleep(display.interval_seconds)


# -- the report


def _report(options: RunOptions, job: Job, glance: Glance) -> Iterable[Text]:
    if options.dry_run:
        return dry_run_summary(job.rows.tally)
    return summary(
        job.rows.tally,
        glance,
        output=job.sink.name,
        cap=_cap(options, job),
        again=_again(options.ledger),
        is_resumed=job.is_resumed,
        ran_out=_ran_out(job, glance),
    )


def _again(ledger: LedgerOptions | None) -> str | None:
    if ledger is None:
        return None
    return f"run the same command again{'' if ledger.resume else ' with --resume'}"


def _ran_out(job: Job, glance: Glance) -> bool:
    deadline_seconds = job.config.run_deadline_seconds
    return deadline_seconds is not None and glance.elapsed_seconds >= deadline_seconds


def _cap(options: RunOptions, job: Job) -> Cap | None:
    """Return what is left of the cap, by the ledger where there is one."""
    max_usd, tally = options.pace.max_cost_usd, job.rows.tally
    if max_usd is None:
        return None
    if options.ledger is None:
        return Cap(max_usd, max_usd - tally.cost_usd, is_exact=not tally.unanswered_calls)
    try:
        kept = read_ledger(options.ledger.path).summary()
    except BatchLLMError:
        return None  # it broke the run, which is told
    return Cap(max_usd, max_usd - kept.spent_usd - kept.held_usd, is_exact=True)
