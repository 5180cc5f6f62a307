"""How a run of remote batches stands: lines for logs, a table for terminals."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console
from tests.run_statuses import batch, status

from batch_llm.batch import RunStatus
from batch_llm.cli.batch.display import WORDS
from batch_llm.progress.run_lines import LINE_SECONDS, STEP_SECONDS, RunLines
from batch_llm.progress.run_picture import picture
from batch_llm.progress.run_text import MOST_BATCHES, batch_lines, cells, line, money, state_of


def test_a_line_holds_the_totals() -> None:
    assert line(status(batch())) == (
        "100/200 50%  1 remote batch under way  50 not sent yet  failed 3  "
        "0.500 USD spent, at most 0.250 USD more under way, limit 15.00 USD"
    )


def test_a_line_tells_of_jobs_whose_cost_nobody_knows() -> None:
    assert "unknown cost" not in line(status())
    assert "and 3 jobs of unknown cost" in line(status(unpriced=3))


def test_the_command_line_speaks_of_rows_and_options() -> None:
    waits = batch(why_waiting="max_concurrent allows no more")
    shown = line(status(waits, unpriced=3), WORDS)
    assert "and 3 rows of unknown cost" in shown
    assert shown.endswith("waiting: --max-concurrent allows no more")
    (only,) = batch_lines(status(waits), WORDS)
    assert "21/50 rows" in only
    assert "--max-concurrent" in only


def test_a_line_says_why_a_run_has_ended_early() -> None:
    shown = line(status(is_running=False, stopped_because="it was shut down"))
    assert shown.endswith("ended: it was shut down")


def test_a_line_says_why_things_wait() -> None:
    shown = line(status(batch(why_waiting="polling fails"), waiting=["max_concurrent allows"]))
    assert shown.endswith("waiting: polling fails; max_concurrent allows")


def test_a_refused_batch_is_not_under_way() -> None:
    refused = status(batch(state="refused", provider_state=None))
    assert "0 remote batches under way" in line(refused)


COLLECTED: dict[str, Any] = {"state": "collected", "waiting": 0, "cost_usd": 0.5}


def test_money_of_which_nobody_told_is_held_and_not_under_way() -> None:
    found = status(batch(**COLLECTED, reserved_usd=0.25), cost_limit_usd=None)
    assert money(found) == (
        "at least 0.500 USD spent, at most 0.250 USD held for what may still be billed"
    )


def test_money_of_live_calls_is_under_way() -> None:
    found = status(batch(**COLLECTED, reserved_usd=None), cost_limit_usd=None, live=1)
    assert money(found) == "0.500 USD spent, at most 0.250 USD more under way"


def test_money_is_a_lower_bound_also_while_another_batch_is_under_way() -> None:
    found = status(batch(**COLLECTED, reserved_usd=0.1), batch(1), reserved_usd=0.35)
    assert money(found).startswith("at least 0.500 USD spent, at most 0.350 USD more under way")


def test_money_that_is_all_billed_is_exact() -> None:
    found = status(batch(**COLLECTED, reserved_usd=None), reserved_usd=0.0, cost_limit_usd=None)
    assert money(found) == "0.500 USD spent"


def test_a_batch_shows_rows_that_the_provider_counts_before_they_are_here() -> None:
    assert cells(batch()) == (
        "1. gpt-4o-mini batch_0",
        "in_progress",
        "21/50",
        "1:15",
        "at most 0.250 USD",
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"state": "planned", "provider_state": None}, "submitting"),
        ({"state": "created", "provider_state": None}, "submitted"),
        ({"state": "collected", "provider_state": "completed"}, "collected"),
        ({"state": "collected", "provider_state": "expired"}, "collected (expired)"),
        ({"state": "refused", "provider_state": None}, "waiting"),
        ({"provider_state": "BATCH_STATE_PENDING"}, "PENDING"),
        ({"state": "collected", "provider_state": "BATCH_STATE_SUCCEEDED"}, "collected"),
    ],
)
def test_a_state_is_a_word(changes: dict[str, Any], said: str) -> None:
    assert state_of(batch(**changes)) == said


def test_of_many_batches_the_open_ones_have_lines() -> None:
    ended = [batch(number, state="collected") for number in range(100)]
    lines = list(batch_lines(status(*ended, batch(100))))
    assert len(lines) == MOST_BATCHES + 1
    assert lines[-2].startswith("101. ")
    assert lines[-1] == "and 86 more"


def test_a_batch_that_was_given_up_has_no_line() -> None:
    given_up = batch(1, state="released", remote_id=None, provider_state=None, waiting=0)
    found = status(batch(), given_up)
    assert [shown.partition(" ")[0] for shown in batch_lines(found)] == ["1."]
    console = Console(file=io.StringIO(), width=200)
    ticks = iter((0.0, LINE_SECONDS))
    RunLines(console, clock=lambda: next(ticks)).show(found)
    assert isinstance(console.file, io.StringIO)
    assert "1 remote batch under way" in console.file.getvalue()


def test_a_terminal_shows_a_table() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(picture(status(batch(), batch(1, why_waiting="polling fails"))))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    for part in ("100/200 50%", "1. batch_0 gpt-4o-mini", "21/50", "1:15", "polling fails"):
        assert part in shown


REAL_BATCHES = [
    {
        "model": "gpt-4o-mini",
        "remote_id": "batch_6910f2a8c3d48190b7e5a1f09c2d4e6b",
        "provider_state": "in_progress",
    },
    {
        "model": "claude-haiku-4-5",
        "remote_id": "msgbatch_01HkcTjaV5uDC8jWR4ZsDV8d",
        "provider_state": "in_progress",
    },
    {
        "model": "gemini-2.5-flash",
        "remote_id": "batches/0u9dm9zpfjp7ppvdwmqbz6jx1ddy0ssr1jzq",
        "provider_state": "BATCH_STATE_RUNNING",
    },
]


@pytest.mark.parametrize("real", REAL_BATCHES, ids=lambda real: real["model"])
def test_a_narrow_terminal_shows_how_each_batch_stands(real: dict[str, Any]) -> None:
    many = {"jobs": 50_000, "waiting": 12_345, "counts": {}, "age_seconds": 86_399.0}
    batches = [batch(n, **{**real, **many, "reserved_usd": 0.00123}) for n in range(11)]
    console = Console(file=io.StringIO(), width=80)
    console.print(picture(status(*batches, failed=1234, expired=1234, cost_limit_usd=15.0)))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    whole = " ".join(shown.split())
    last = next(line for line in shown.splitlines() if line.startswith("11. "))
    assert f"\N{HORIZONTAL ELLIPSIS}{real['remote_id'][-11:]} " in last
    state = real["provider_state"].removeprefix("BATCH_STATE_")
    cells_shown = [state, "37,655/50,000", "23:59:59", "at most 0.00123 USD"]
    assert last.split()[-7:] == " ".join(cells_shown).split()[-7:]
    assert "remote batch state jobs age cost" in whole
    assert "limit 15.00 USD" in whole
    assert max(map(len, shown.splitlines())) <= 80


def test_lines_come_with_news_and_seldom_without() -> None:
    console, now = Console(file=io.StringIO(), width=200), [0.0]
    display = RunLines(console, clock=lambda: now[0])
    assert isinstance(console.file, io.StringIO)

    def lines_at(seconds: float, shown: RunStatus) -> int:
        now[0] = seconds
        display.show(shown)
        assert isinstance(console.file, io.StringIO)
        return len(console.file.getvalue().splitlines())

    same, news = status(batch()), status(batch(provider_state="finalizing"))
    assert lines_at(STEP_SECONDS / 2, same) == 0
    assert lines_at(STEP_SECONDS, same) == 1
    assert lines_at(STEP_SECONDS * 3, same) == 1
    assert lines_at(STEP_SECONDS * 4, news) == 2
    assert lines_at(STEP_SECONDS * 4 + LINE_SECONDS, news) == 3
