"""The state of a run, as the command line looks at it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...batch.running.run_status import status_of
from ...batch.state.journal import open_journal
from ...batch.state.state_file import STATE, fold, read_header, state_path
from ...exceptions import ConfigurationError, StateError
from ...files import holder_of
from ..process import is_alive
from .hints import command_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...batch import RunStatus
    from ...batch.state.events import Asked
    from ...batch.state.journal import Journal
    from ...batch.state.run_state import RunState
    from ...batch.state.state_file import FoldedFile


def read_state(state: Path) -> tuple[Path, FoldedFile]:
    """Return where a state is and what it holds, also while a run writes it.

    Raises:
        ConfigurationError: if there is none.
        StateError: if it cannot be read.
    """
    path = require_state(state)
    try:
        return path, fold(path)
    except OSError as error:
        raise STATE.broken(path, "Reading", error) from error


def require_state(state: Path) -> Path:
    """Return where a state is.

    Raises:
        ConfigurationError: if there is none.
    """
    path, beside = state_path(state), Path(f"{state}.state")
    if beside.exists():
        raise ConfigurationError(
            f"{str(state)!r} is no state. Did you mean the one beside it, {str(beside)!r}?"
        )
    if not path.exists():
        raise ConfigurationError(f"There is no state {str(state)!r}.")
    return path


@contextmanager
def opened(state: Path) -> Iterator[Journal]:
    """Open a state that there is, for this process alone.

    Raises:
        ConfigurationError: if there is none, or nothing stands in it.
        StateError: if another process has it, saying how that is ended; or it cannot be read.
    """
    path = require_state(state)
    _require_begun(path, state)
    try:
        journal = open_journal(path)
    except StateError as error:
        pid = running_process(path)
        if error.reason != "locked" or pid is None:
            raise
        raise StateError(
            f"The process {pid} is at work on {str(state)!r}. Watch it with "
            f"{command_on(state, 'status')}; end it with Ctrl-C in its terminal, or kill -INT "
            f"{pid}, and try again.",
            path,
            error.reason,
        ) from error
    with journal:
        yield journal


def _require_begun(path: Path, state: Path) -> None:
    """Refuse a file that is no state before anything is written into it, or beside it."""
    try:
        header = read_header(path)
    except OSError as error:
        raise STATE.broken(path, "Reading", error) from error
    if header is None:
        raise _no_rows(state)


def running_process(path: Path) -> int | None:
    """Return the process that works on a state; None for none.

    Where locks cannot be asked, it may be another that has the number of one which was killed.
    """
    pid = holder_of(path)
    return pid if pid is not None and is_alive(pid) is not False else None


def asked_of(found: RunState, state: Path) -> Asked:
    """Return what the run of a state was asked for.

    Raises:
        ConfigurationError: if it is not one of the command's, or was cut off before its rows were
            in the state.
    """
    asked = found.asked
    if asked is None:
        if len(found):
            raise ConfigurationError(
                f"The state {str(state)!r} is that of a script, and not of this command: run the "
                f"script again, and it goes on."
            )
        raise _no_rows(state)
    if len(found) < asked.jobs:
        raise ConfigurationError(
            f"The state {str(state)!r} lacks {asked.jobs - len(found):,} of {asked.rows:,} rows. "
            f"{_BEGIN_ANEW}"
        )
    return asked


def _no_rows(state: Path) -> ConfigurationError:
    return ConfigurationError(f"The state {str(state)!r} holds no rows yet. {_BEGIN_ANEW}")


_BEGIN_ANEW = (
    "The command was cut off before anything was sent: run the same batch-llm batch INPUT … again."
)


def run_status(state: RunState, *, is_running: bool = False) -> RunStatus:
    """Return how a run stands, by its state alone.

    Args:
        state: of the run.
        is_running: whether a process is at work on it.
    """
    asked = state.asked
    return status_of(
        state,
        refused_rows=0 if asked is None else asked.rows - asked.jobs,
        is_running=is_running,
        cost_limit_usd=None if asked is None else asked.max_cost_usd,
    )
