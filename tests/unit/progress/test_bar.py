"""The progress bar: what stands in the terminal, and that it is left as it was."""

from __future__ import annotations

import importlib.util
import io
from typing import Any

import pytest
from rich.console import Console

from batch_llm.exceptions import MissingExtraError
from batch_llm.progress import RichProgressBar

HIDE_CURSOR, SHOW_CURSOR = "\x1b[?25l", "\x1b[?25h"


def console(*, is_terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=is_terminal, width=120)


def written(bar: RichProgressBar) -> str:
    assert bar.console is not None
    assert isinstance(bar.console.file, io.StringIO)
    return bar.console.file.getvalue()


def lines(bar: RichProgressBar) -> list[str]:
    return written(bar).splitlines()


def test_draws_nothing_before_the_first_report() -> None:
    bar = RichProgressBar(console=console(is_terminal=True))
    bar.close()
    assert written(bar) == ""


def test_ends_by_itself_when_all_items_have_ended() -> None:
    bar = RichProgressBar("Reviews", console=console(is_terminal=True))
    for done in range(1, 4):
        bar(done, 3, f"item-{done}")
    text = written(bar)
    assert text.startswith(HIDE_CURSOR)
    assert text.endswith(SHOW_CURSOR)
    assert "Reviews" in text
    assert "3/3" in text


def test_writes_one_plain_line_where_there_is_no_terminal() -> None:
    bar = RichProgressBar("Reviews", console=console(is_terminal=False))
    for done in range(1, 4):
        bar(done, 3, f"item-{done}")
    (line,) = lines(bar)
    assert line.startswith("Reviews")
    assert "3/3" in line
    assert "\x1b" not in line


def test_follows_a_total_that_grows() -> None:
    bar = RichProgressBar(console=console(is_terminal=False))
    for done, total in ((1, 2), (2, 5), (4, 5), (5, 5)):
        bar(done, total, "x")
    (line,) = lines(bar)
    assert "5/5" in line


def test_draws_a_new_bar_for_a_second_run() -> None:
    bar = RichProgressBar(console=console(is_terminal=False))
    bar(2, 2, "x")
    bar(1, 3, "x")
    bar(3, 3, "x")
    first, second = lines(bar)
    assert "2/2" in first
    assert "3/3" in second


def test_a_run_that_stops_early_is_closed_with_what_it_reached() -> None:
    with RichProgressBar(console=console(is_terminal=True)) as bar:
        bar(1, 3, "x")
        assert not written(bar).endswith(SHOW_CURSOR)
    assert written(bar).endswith(SHOW_CURSOR)
    assert "1/3" in written(bar)
    before = written(bar)
    bar.close()
    assert written(bar) == before


def test_gives_the_cursor_back_when_the_program_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    at_exit: list[Any] = []
    monkeypatch.setattr("atexit.register", at_exit.append)
    bar = RichProgressBar(console=console(is_terminal=True))
    bar(1, 3, "x")
    (close,) = at_exit
    close()
    assert written(bar).endswith(SHOW_CURSOR)


def test_shows_the_last_item_as_it_is_written() -> None:
    bar = RichProgressBar(console=console(is_terminal=False), show_item_id=True)
    bar(1, 1, "[red]row[/red]")
    (line,) = lines(bar)
    assert "[red]row[/red]" in line


def test_is_wiped_away_when_asked_to() -> None:
    bar = RichProgressBar(console=console(is_terminal=False), transient=True)
    bar(1, 1, "x")
    assert "1/1" not in written(bar)


def test_names_the_extra_where_rich_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "batch_llm.progress.bar.find_spec", lambda name: None if name == "rich" else find_spec(name)
    )
    with pytest.raises(MissingExtraError, match=r"batch-llm\[cli\]"):
        RichProgressBar()
