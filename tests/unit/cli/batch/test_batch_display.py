"""Remote batches: lines for logs, a table for terminals."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from batch_llm.batch import RunStatus
from batch_llm.cli.batch.display import (
    LINE_SECONDS,
    MOST_BATCHES,
    STEP_SECONDS,
    LineDisplay,
    batch_lines,
    cells,
    line,
    picture,
    state_of,
)
from batch_llm.cli.batch.summary import counts


def batch(number: int = 0, **changes: Any) -> Any:
    return {
        "number": number,
        "provider": "openai",
        "model": "gpt-4o-mini",
        "remote_id": f"batch_{number}",
        "state": "created",
        "provider_state": "in_progress",
        "jobs": 50,
        "waiting": 50,
        "counts": {"total": 50, "succeeded": 20, "failed": 1},
        "age_seconds": 75.0,
        "cost_usd": None,
        "reserved_usd": 0.25,
        "why_waiting": "",
        **changes,
    }


def status(*batches: Any, **changes: Any) -> RunStatus:
    found: dict[str, Any] = {
        "total": 200,
        "completed": 100,
        "succeeded": 97,
        "failed": 3,
        "expired": 0,
        "cancelled": 0,
        "pending": 50,
        "in_flight": 50,
        "is_complete": False,
        "is_running": True,
        "stopped_because": None,
        "cost_usd": 0.5,
        "unpriced": 0,
        "reserved_usd": 0.25,
        "cost_limit_usd": 15.0,
        "batches": list(batches),
        "waiting": [],
    }
    return RunStatus(found | changes)


def test_a_line_holds_the_totals() -> None:
    assert line(status(batch())) == (
        "100/200 50%  1 remote batch under way  50 not sent yet  failed 3  "
        "0.500 USD spent, at most 0.250 USD more under way, limit 15.00 USD"
    )


def test_a_line_tells_of_rows_whose_cost_nobody_knows() -> None:
    assert "unknown cost" not in line(status())
    assert "and 3 rows of unknown cost" in line(status(unpriced=3))


def test_a_line_says_why_things_wait() -> None:
    shown = line(status(batch(why_waiting="polling fails"), waiting=["max_concurrent allows"]))
    assert shown.endswith("waiting: polling fails; --max-concurrent allows")


def test_a_refused_batch_is_not_under_way() -> None:
    refused = status(batch(state="refused", provider_state=None))
    assert "0 remote batches under way  100 not sent yet" in line(refused)
    assert counts(refused) == "97 succeeded, 3 failed, 100 not sent"


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


def test_a_terminal_shows_a_table() -> None:
    console = Console(file=io.StringIO(), width=120)
    console.print(picture(status(batch(), batch(1, why_waiting="polling fails"))))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    for part in ("100/200 50%", "1. gpt-4o-mini batch_0", "21/50", "1:15", "polling fails"):
        assert part in shown


def test_lines_come_with_news_and_seldom_without() -> None:
    console, now = Console(file=io.StringIO(), width=200), [0.0]
    display = LineDisplay(console, lambda: now[0])
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
