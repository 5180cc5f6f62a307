"""The table of remote batches as a program's own progress callback."""

from __future__ import annotations

import importlib.util
import io
import os
import select
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from tests.run_statuses import batch, status

from batch_llm import Batch, RichBatchTable
from batch_llm.exceptions import MissingExtraError
from batch_llm.progress import batch_table
from batch_llm.progress.notebook import Picture
from batch_llm.providers import MockBatchClient

if TYPE_CHECKING:
    from collections.abc import Iterator

QUIET_SECONDS = 0.2
HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"
ENDED: dict[str, Any] = {
    "is_running": False,
    "is_complete": True,
    "completed": 200,
    "succeeded": 200,
    "failed": 0,
    "pending": 0,
    "reserved_usd": 0.0,
}


class Terminal:
    """A pair of ends: what is drawn at one is read at the other."""

    def __init__(self) -> None:
        self._outer, inner = os.openpty()
        self.file = os.fdopen(inner, "w")
        self.console = Console(file=self.file, width=100, force_terminal=True)

    def read(self) -> str:
        """Return what was drawn: what is written at once need not come at once."""
        self.file.flush()
        shown = b""
        while select.select([self._outer], [], [], QUIET_SECONDS)[0]:
            shown += os.read(self._outer, 1 << 20)
        return shown.decode()

    def close(self) -> None:
        self.file.close()
        os.close(self._outer)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    yield terminal
    terminal.close()


def plain() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=200), file


def test_a_terminal_has_a_table_until_the_run_has_ended(terminal: Terminal) -> None:
    table = RichBatchTable(terminal.console)
    table(status(batch(why_waiting="polling fails")))
    shown = terminal.read()
    assert shown.startswith(HIDE_CURSOR)
    for part in (
        "100/200 50%",
        "jobs",
        "1. batch_0 gpt-4o-mini",
        "21/50",
        "waiting: polling fails",
    ):
        assert part in shown
    table(status(batch(state="collected", waiting=0, cost_usd=0.5, reserved_usd=None), **ENDED))
    shown = terminal.read()
    assert "200/200 100%" in shown
    assert shown.endswith(SHOW_CURSOR)


def test_a_program_that_ends_before_the_run_gets_its_cursor_back(terminal: Terminal) -> None:
    with RichBatchTable(terminal.console) as table:
        table(status(batch()))
        assert HIDE_CURSOR in terminal.read()
    assert terminal.read().endswith(SHOW_CURSOR)
    table.close()


def test_a_second_run_has_a_table_of_its_own(terminal: Terminal) -> None:
    table = RichBatchTable(terminal.console)
    table(status(batch(), **ENDED))
    assert SHOW_CURSOR in terminal.read()
    table(status(batch()))
    assert terminal.read().startswith(HIDE_CURSOR)
    table.close()


def test_where_there_is_no_terminal_the_end_has_a_line_whatever_the_time() -> None:
    console, file = plain()
    table = RichBatchTable(console)
    for _ in range(3):
        table(status(batch()))
    assert file.getvalue() == ""
    table(status(batch(), **{**ENDED, "stopped_because": "it was shut down"}))
    (line,) = file.getvalue().splitlines()
    assert "200/200 100%" in line
    assert line.endswith("ended: it was shut down")
    assert "\x1b" not in line


@pytest.mark.parametrize("transient", [False, True])
def test_a_notebook_has_one_output_that_changes(
    monkeypatch: pytest.MonkeyPatch, transient: bool
) -> None:
    pictures = list[object]()

    class Handle:
        def update(self, obj: object, /) -> None:
            pictures.append(obj)

    def display(obj: object, /, *, display_id: bool) -> Handle:
        assert display_id
        pictures.append(obj)
        return Handle()

    monkeypatch.setattr(batch_table, "notebook_display", lambda: display)
    table = RichBatchTable(Console(force_jupyter=True), transient=transient)
    table(status(batch(model="<gpt>")))
    table(status(batch(), **ENDED))
    first, last, *gone = pictures
    assert isinstance(first, Picture)
    assert isinstance(last, Picture)
    assert "100/200 50%" in first.text
    assert "&lt;gpt&gt;" in first.html
    assert "<gpt>" not in first.html
    assert "200/200 100%" in last.text
    assert gone == ([Picture()] if transient else [])


def test_a_real_run_draws_it_to_its_end() -> None:
    console, file = plain()
    batch = Batch(clients={"openai": MockBatchClient()}, poll_interval_seconds=0.01)
    for n in range(5):
        batch.add_job(f"job {n}", prompt="any", model="gpt-4o-mini")
    batch.run(wait=True, on_progress=RichBatchTable(console))
    (line,) = file.getvalue().splitlines()
    assert line.startswith("5/5 100%")


def test_without_rich_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_table, "find_spec", lambda name: None)
    assert importlib.util.find_spec("rich") is not None
    with pytest.raises(MissingExtraError, match=r"batch-llm\[cli\]"):
        RichBatchTable()
