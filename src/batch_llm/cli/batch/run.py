"""`batch-llm batch` and the commands that go on with its state: the run, and the report."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from ...batch.jobs.job_book import JobBook
from ...batch.params import BatchParams
from ...batch.results.row_results import unusable_rows
from ...batch.running.run import BatchRun
from ...batch.state.resubmission import resubmit
from ...exceptions import BatchLLMError, ConfigurationError, JobError
from ...rows.formats import FORMATS, format_of
from ...rows.output_lock import OutputLock
from ...rows.sink import check_output
from ..exit_status import ExitStatus
from ..option_values import read_path, read_schema
from ..sameness import check_apart
from ..stderr import logged_to
from ..summary import truncated_answers
from ..wording import in_words_of_the_command
from .clients import Model, clients_for, deadline_for
from .display import display_for
from .hints import command_on
from .output import check_is_ours, shown, write_output
from .state import asked_of, opened, run_status
from .summary import End, advice, counts, place_of_results, summary
from .watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from ...base import JobResult
    from ...batch import RunStatus
    from ...batch.state.events import Asked, Outcome
    from ...batch.state.journal import Journal
    from ...rows.tally import Tally
    from ..stderr import ErrorConsole
    from .options import Changes


_NONE_TO_SEND: Final[dict[Outcome, str]] = {
    "failed": "no row has failed",
    "expired": "no row has expired",
    "cancelled": "no row was cancelled",
}


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be done with a state.

    Attributes:
        again: how jobs ended that are to be tried once more; None for none.
        cancels: whether to have the providers stop, and send nothing.
    """

    again: Outcome | None = None
    cancels: bool = False


def carry_on(
    state: Path, changes: Changes, console: ErrorConsole, *, quiet: bool, task: Task | None = None
) -> ExitStatus:
    """Run what a state holds to its end, write the results, and print how it went.

    Args:
        state: the state, as the user calls it.
        changes: what is set anew.
        console: standard error.
        quiet: whether to print errors only.
        task: what is to be done; by default to go on.

    Raises:
        BatchLLMError: what is wrong, if it is found before anything is sent.
    """
    task = task or Task()
    with opened(state) as journal:
        asked = _asked_now(journal, state, changes)
        refused = _refused(journal, asked)
        if not task.cancels:
            _check_schema(journal, asked, task.again)
        if task.again is not None and not resubmit(journal, task.again):
            console.say(f"{state}: {_NONE_TO_SEND[task.again]} that could be sent again.")
            return _as_it_stands(run_status(journal.state), asked, state, console)
    with _output_held(asked):
        run = _run_of(state, asked, refused, task)
        watch = Watch(run, console, command_on(state, "resume"), quiet=quiet)
        began_at = time.monotonic()
        _to_the_end(run, task, watch, console, quiet=quiet)
        status, seconds = run.status(), time.monotonic() - began_at
        tally, late = _written(state, asked, has_ended=watch.has_ended)
    was_stopped = task.cancels or watch.is_stopped
    end = End(status, tally, asked, state, seconds, was_stopped=was_stopped)
    troubles = [trouble for trouble in (watch.trouble, late) if trouble is not None]
    _tell(end, troubles, console, quiet=quiet)
    return _exit_status(end, watch, is_broken=bool(troubles))


def _as_it_stands(
    status: RunStatus, asked: Asked, state: Path, console: ErrorConsole
) -> ExitStatus:
    """Print what may be done with a state where nothing was, and return how its rows stand."""
    if status.succeeded == status.total:
        return ExitStatus.SUCCEEDED
    console.say(f"{state}: {counts(status)}.")
    for line in advice(status, asked, state):
        console.print(line, soft_wrap=True)
    return ExitStatus.FAILED


# -- before it begins


def _asked_now(journal: Journal, state: Path, changes: Changes) -> Asked:
    """Return what is asked for from now on; it is in the state."""
    before = asked_of(journal.state, state)
    asked = _changed(before, state, changes)
    if asked.schema is not None:
        read_schema(asked.schema)  # found from here, as it was at first
    if changes.output is None and not changes.overwrite:
        check_is_ours(asked)
    if asked != before:
        journal.write(asked)
    return asked


def _changed(asked: Asked, state: Path, changes: Changes) -> Asked:
    new: dict[str, object] = {
        name: value
        for name in (
            "max_cost_usd",
            "max_concurrent",
            "poll_interval_seconds",
            "deadline_seconds",
        )
        if (value := getattr(changes, name)) is not None
    }
    if changes.drops_max_cost:
        new["max_cost_usd"] = None
    if changes.output is not None:
        path = read_path(changes.output)
        check_apart("STATE", state, None, path)
        check_output(path, None, overwrite=changes.overwrite)
        new["output"] = None if path is None else str(path.absolute())
        new["output_format"] = _format_name(path)
        new["written"] = []
    return msgspec.structs.replace(asked, **new)


def _format_name(path: Path | None) -> str:
    if path is None:
        return "jsonl"
    row_format = format_of(path)
    row_format.check_installed()
    return next(name for name, each in FORMATS.items() if each is row_format)


def _check_schema(journal: Journal, asked: Asked, again: Outcome | None) -> None:
    """Refuse a schema that is another by now: what is to be sent was to fit the one before.

    Rows share it, so that one of them tells.

    Raises:
        ConfigurationError: naming it.
    """
    state = journal.state
    to_send = chain(state.pending_ids(), state.ended_ids(again) if again is not None else ())
    job_id = next(to_send, None)
    if job_id is None:
        return
    try:
        JobBook((), journal, {}).job_to_send(job_id)
    except JobError as error:
        raise ConfigurationError(
            f"--schema {asked.schema} has changed since the rows were read, and nothing was sent. "
            f"Put it back, or send the rows anew, with another state."
        ) from error


def _refused(journal: Journal, asked: Asked) -> list[JobResult]:
    """Return the results of rows that make no job."""
    return list(unusable_rows(journal.path)) if asked.rows > asked.jobs else []


@contextmanager
def _output_held(asked: Asked) -> Iterator[None]:
    """Let no other process write the output meanwhile."""
    if asked.output is None or not Path(asked.output).parent.is_dir():
        yield
        return
    lock = OutputLock(Path(asked.output), shown(asked))
    try:
        yield
    finally:
        lock.close()


def _run_of(state: Path, asked: Asked, refused: list[JobResult], task: Task) -> BatchRun:
    model = Model(asked.model, asked.base_url, asked.api_key_env)
    return BatchRun(
        [],
        _params(state, asked),
        refused=refused,
        clients=clients_for(model),
        deadline=None if task.cancels else deadline_for(model, asked.deadline_seconds),
    )


def _params(state: Path, asked: Asked) -> BatchParams:
    return BatchParams(
        state,
        max_concurrent=asked.max_concurrent,
        items_per_batch=asked.items_per_batch,
        cost_limit_usd=asked.max_cost_usd,
        poll_interval_seconds=asked.poll_interval_seconds,
    )


# -- while it runs


def _to_the_end(
    run: BatchRun, task: Task, watch: Watch, console: ErrorConsole, *, quiet: bool
) -> None:
    with logged_to(console, logging.ERROR if quiet else logging.WARNING):
        if task.cancels:
            run.cancel(wait=False)
        else:
            run.start()
        watch.to_the_end(display_for(console, quiet=quiet))


# -- at the end


def _written(
    state: Path, asked: Asked, *, has_ended: bool
) -> tuple[Tally | None, BatchLLMError | None]:
    """Write the results; return how rows ended, and what went wrong."""
    if not has_ended:
        return None, None
    try:
        with opened(state) as journal:
            return write_output(journal, journal.state.asked or asked), None
    except BatchLLMError as error:
        return None, error


def _tell(end: End, troubles: list[BatchLLMError], console: ErrorConsole, *, quiet: bool) -> None:
    for line in _report(end, quiet=quiet):
        console.print(line, soft_wrap=True)
    for trouble in troubles:
        console.say(f"Error: {in_words_of_the_command(str(trouble))}", style="red")
    if quiet and troubles and end.tally is None:
        console.say(f"Results: {place_of_results(end)}")


def _report(end: End, *, quiet: bool) -> Iterator[Text]:
    if not quiet:
        yield from summary(end)
    elif end.tally is not None:
        yield from truncated_answers(end.tally)


def _exit_status(end: End, watch: Watch, *, is_broken: bool) -> ExitStatus:
    if is_broken:
        return ExitStatus.FAILED
    if watch.is_stopped and end.status.completed < end.status.total:
        return ExitStatus.INTERRUPTED
    is_whole = end.status.succeeded == end.status.total
    return ExitStatus.SUCCEEDED if is_whole else ExitStatus.FAILED
