"""`batch-llm batch status`: how the rows and the remote batches of a state stand."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from ...base import figures
from ...base.json_text import as_json
from ...progress.run_text import batch_lines, money
from ..exit_status import ExitStatus
from ..stdout import print_lines
from .display import WORDS
from .output import shown
from .state import read_state, run_status, running_process
from .summary import advice, counts, left_of_limit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...batch import RunStatus
    from ...batch.state.events import Asked
    from ...batch.state.run_state import RunState


def status(state: Path, *, as_json_text: bool) -> ExitStatus:
    """Print how a state stands, also while a run writes it.

    Args:
        state: the state.
        as_json_text: print one JSON object, and no lines to read.

    Raises:
        ConfigurationError: if there is no such state.
        StateError: if it cannot be read.
        OutputError: if standard output cannot be written.
    """
    path, folded = read_state(state)
    pid = running_process(path)
    found = run_status(folded.state, is_running=pid is not None)
    if as_json_text:
        lines = [as_json(_document(path, folded.state.asked, found, pid)).decode()]
    else:
        lines = list(_lines(state, folded.state, found, pid))
    print_lines(lines)
    return ExitStatus.SUCCEEDED


def _lines(state: Path, held: RunState, found: RunStatus, pid: int | None) -> Iterator[str]:
    asked = held.asked
    source = "" if asked is None else f" of {asked.input}, for {asked.model}"
    yield f"{state}: {figures.plural(found.total, 'row')}{source}."
    yield f"Rows: {counts(found)}."
    yield f"Cost: {money(found, WORDS)}."
    if held.deadline is not None:
        yield f"Deadline: {_deadline(held, held.deadline.at, is_running=pid is not None)}"
    yield "Remote batches:" if found.batches else "Nothing was sent yet."
    for line in batch_lines(found, WORDS):
        yield f"  {line}"
    if asked is not None:
        yield f"Results: {shown(asked)}"
    if pid is not None:
        yield f"The process {pid} is at work on it."
        return
    if found.pending:
        for left in left_of_limit(found):
            yield f"{left} What does not fit is not sent: resume takes a higher one."
    if asked is not None:
        for text in advice(found, asked, state):
            yield text.plain


def _deadline(held: RunState, at: float, *, is_running: bool) -> str:
    when = datetime.fromtimestamp(at).astimezone().isoformat(" ", "seconds")
    if not held.went_live:
        return f"{when}; rows without an answer by then are called live."
    called = figures.plural(held.ended_live, "row")
    is_at_work = is_running and held.pending > 0
    rest = f", {figures.count(held.pending)} being called or about to be" if is_at_work else ""
    return f"{when}; {called} called live{rest}."


def _document(path: Path, asked: Asked | None, found: RunStatus, pid: int | None) -> dict[str, Any]:
    return {
        "path": str(path),
        "pid": pid,
        "input": None if asked is None else asked.input,
        "model": None if asked is None else asked.model,
        "output": None if asked is None else asked.output,
        **found,
    }
