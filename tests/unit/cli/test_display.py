"""Progress: lines for logs, a picture for terminals."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from batch_llm.cli.display import (
    LINE_SECONDS,
    STEP_SECONDS,
    LiveDisplay,
    NoDisplay,
    PlainDisplay,
    display_for,
    live_picture,
    plain_line,
)
from batch_llm.cli.monitor import Glance

HALF = Glance(
    done=500,
    total=1000,
    failed=3,
    replayed=0,
    input_tokens=123_456,
    output_tokens=7_890,
    cost_usd=0.0,
    elapsed_seconds=50.0,
    rows_per_second=10.0,
    eta_seconds=50.0,
    retries=4,
    rate_limits=0,
    pause_seconds=0.0,
)


def console(*, is_terminal: bool = False, width: int = 100) -> Console:
    stream = io.StringIO()
    if is_terminal:
        stream.isatty = lambda: True  # type: ignore[method-assign]
    return Console(file=stream, force_terminal=is_terminal, width=width, _environ={"TERM": "xterm"})


def text(shown: Console) -> str:
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def test_a_line_holds_the_whole_glance() -> None:
    assert plain_line(HALF) == (
        "500/1,000 50%  10.0 rows/s  ETA 50 s  tokens 123.5k in, 7,890 out  failed 3  retries 4"
    )


def test_a_line_tells_of_rate_limits_once_there_are_some() -> None:
    line = plain_line(dataclasses.replace(HALF, rate_limits=2, pause_seconds=75.0))

    assert line.endswith("rate limits 2  paused by a rate limit for 1:15")


def test_a_line_tells_of_money_and_of_the_ledger_once_there_is_some() -> None:
    line = plain_line(dataclasses.replace(HALF, replayed=1_200, cost_usd=0.0123))

    assert "7,890 out  0.0123 USD  from the ledger 1,200  failed 3" in line


@pytest.mark.parametrize("change", [{"eta_seconds": None}, {"done": 1000, "eta_seconds": 0.0}])
def test_there_is_no_eta_without_a_rate_and_none_at_the_end(change: dict[str, float]) -> None:
    assert "ETA" not in plain_line(dataclasses.replace(HALF, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [30, 80, 200])
def test_the_picture_fits_any_terminal(width: int) -> None:
    shown = console(width=width)

    shown.print(live_picture(HALF))

    lines = text(shown).splitlines()
    assert len(lines) == 2
    assert all(len(line) <= width for line in lines)
    assert "500/1,000" in lines[0]


def shown_at(seconds: list[float], done: list[int]) -> int:
    """Return how many lines a plain display prints for glances at these moments."""
    shown = console()
    display = PlainDisplay(shown)
    for elapsed, rows in zip(seconds, done, strict=True):
        display.show(dataclasses.replace(HALF, elapsed_seconds=elapsed, done=rows))
    return len(text(shown).splitlines())


def test_plain_lines_come_at_tenths_of_the_way() -> None:
    moments = [float(second) for second in range(9)]
    assert shown_at(moments, [0, 50, 99, 100, 150, 200, 250, 300, 310]) == 3


def test_plain_lines_do_not_flood() -> None:
    moments = [number * STEP_SECONDS / 20 for number in range(20)]
    assert shown_at(moments, [number * 50 for number in range(20)]) == 0


def test_plain_lines_come_in_silence_too() -> None:
    assert shown_at([1.0, LINE_SECONDS, LINE_SECONDS + 1, 2 * LINE_SECONDS], [0, 0, 0, 0]) == 2


def test_a_live_display_draws_and_leaves_nothing() -> None:
    shown = console(is_terminal=True)

    with LiveDisplay(shown) as display:
        display.show(HALF)
        drawn = text(shown)

    assert "500/1,000 50%" in drawn
    assert text(shown).endswith("\x1b[2K")  # the last drawn line is erased


def test_the_console_decides_which() -> None:
    assert isinstance(display_for(console(is_terminal=True), quiet=False), LiveDisplay)
    assert isinstance(display_for(console(), quiet=False), PlainDisplay)
    assert isinstance(display_for(console(is_terminal=True), quiet=True), NoDisplay)


def test_colours_forced_into_a_file_make_it_no_terminal() -> None:
    forced = Console(file=io.StringIO(), force_terminal=True)

    assert isinstance(display_for(forced, quiet=False), PlainDisplay)
