"""`batch-llm batch` and the commands that go on with its state: the run, and the report."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from ...batch.params import BatchParams
from ...batch.resubmission import resubmit
from ...batch.row_results import unusable_rows
from ...batch.run import BatchRun
from ...batch.stop_signals import stopping_signals
from ...exceptions import BatchLLMError
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
from .state import asked_of, opened
from .summary import End, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from ...batch import RunStatus
    from ...batch.events import Asked, Outcome
    from ...batch.journal import Journal
    from ...rows.tally import Tally
    from ..stderr import ErrorConsole
    from .display import Display
    from .options import Changes

_LOOK_SECONDS: Final = 0.1
_LEAVING_SECONDS: Final = 5.0


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
        refused = list(unusable_rows(journal.path)) if asked.rows > asked.jobs else []
        if task.again is not None and not resubmit(journal, task.again):
            word = "failed" if task.again == "failed" else task.again
            console.say(f"{state}: no row has {word} that could be sent again.")
            return ExitStatus.SUCCEEDED
    with ExitStack() as resources:
        if asked.output is not None and Path(asked.output).parent.is_dir():
            lock = OutputLock(Path(asked.output), shown(asked))
            resources.callback(lock.close)
        model = Model(asked.model, asked.base_url, asked.api_key_env)
        run = BatchRun(
            [],
            _params(state, asked),
            refused=refused,
            clients=clients_for(model),
            deadline=None if task.cancels else deadline_for(model, asked.deadline_seconds),
        )
        began_at = time.monotonic()
        with logged_to(console, logging.ERROR if quiet else logging.WARNING):
            if task.cancels:
                run.cancel(wait=False)
            else:
                run.start()
            watch = Watch(run, console, command_on(state, "resume"), quiet=quiet)
            watch.to_the_end(display_for(console, quiet=quiet))
        status, seconds = run.status(), time.monotonic() - began_at
        tally, late = _written(state, asked, has_ended=watch.has_ended)
    was_stopped = task.cancels or watch.is_stopped
    end = End(status, tally, asked, state, seconds, was_stopped=was_stopped)
    for line in _report(end, quiet=quiet):
        console.print(line, soft_wrap=True)
    for trouble in filter(None, (watch.trouble, late)):
        console.say(f"Error: {in_words_of_the_command(str(trouble))}", style="red")
    return _exit_status(end, watch, is_broken=bool(watch.trouble or late))


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


def _params(state: Path, asked: Asked) -> BatchParams:
    return BatchParams(
        state,
        max_concurrent=asked.max_concurrent,
        items_per_batch=asked.items_per_batch,
        cost_limit_usd=asked.max_cost_usd,
        poll_interval_seconds=asked.poll_interval_seconds,
    )


# -- while it runs


class Watch:
    """Shows a run until it has ended, or was left.

    Args:
        run: that was started.
        console: standard error.
        resume: the command that goes on with it.
        quiet: whether to say errors only.

    Attributes:
        is_stopped: a signal has come.
        has_ended: nothing of the run is at work any longer.
        trouble: what broke it.
    """

    def __init__(self, run: BatchRun, console: ErrorConsole, resume: str, *, quiet: bool) -> None:
        self._run = run
        self._console = console
        self._resume = resume
        self._quiet = quiet
        self.is_stopped = False
        self.has_ended = False
        self.trouble: BatchLLMError | None = None

    def to_the_end(self, display: Display) -> None:
        """Show it until it has ended, or a second signal has come."""
        try:
            with stopping_signals(self._stop, self._leave), display:
                self._look(display)
        except (KeyboardInterrupt, SystemExit):
            # The second signal. What is being submitted at this moment is waited for, so that it
            # is known next time; a third signal does not wait for that.
            self._wait_for_the_last_step()

    def _look(self, display: Display) -> None:
        is_on_screen = True
        while not self._is_over():
            if is_on_screen:
                is_on_screen = _show(display, self._run.status())
            time.sleep(_LOOK_SECONDS)

    def _is_over(self) -> bool:
        try:
            self.has_ended = self._run.is_complete
        except BatchLLMError as error:
            self.has_ended, self.trouble = True, error
        return self.has_ended

    def _wait_for_the_last_step(self) -> None:
        until = time.monotonic() + _LEAVING_SECONDS
        while not self._is_over() and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)

    def _stop(self) -> None:
        self.is_stopped = True
        if not self._quiet:
            self._console.say(
                f"Remote batches go on at the provider without this program; later, "
                f"{self._resume} collects them and sends the rest.",
                style="yellow",
            )
        self._shut_down(waits=True)

    def _leave(self) -> None:
        self._shut_down(waits=False)

    def _shut_down(self, *, waits: bool) -> None:
        # It waits, and a signal's handler must not.
        threading.Thread(target=self._run.shutdown, args=(waits,), daemon=True).start()


def _show(display: Display, status: RunStatus) -> bool:
    """Show it; return whether that was possible: a terminal may go, and the run goes on."""
    try:
        display.show(status)
    except OSError:
        return False
    return True


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
