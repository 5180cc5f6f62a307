"""What a ledger says of its runs, as lines and as JSON."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.kept_results import Kept, keep

from batch_llm.cli.status import state_of, status
from batch_llm.exceptions import ConfigurationError
from batch_llm.ledger import KeptRun

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(params=["run.db", "run.jsonl"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / request.param


def lines_of(path: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    status(path, as_json_text=False)
    return capsys.readouterr().out.splitlines()


def document_of(path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    status(path, as_json_text=True)
    return json.loads(capsys.readouterr().out)


def test_the_last_end_of_each_row_counts(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(path, Kept(item_id="a"), Kept(item_id="b"), Kept(item_id="c", output=""), held_usd=0.5)
    keep(path, Kept(item_id="a", output="x"))

    lines = lines_of(path, capsys)

    assert lines[:5] == [
        f"{path}: 3 rows, 2 succeeded, 1 failed.",
        "Tokens: 40 in, 12 out.",
        "Cost: 1.00 USD spent; 0.500 USD held for 1 call not settled.",
        "Failures:",
        "  timeout: 1 row, first 'b': E: b",
    ]
    assert lines[5] == "Runs:"
    assert lines[6].startswith("  1. 20")
    assert re.search(rf", ended after [\d.]+ s, process {os.getpid()}, 3 rows: ", lines[6])
    assert lines[7].startswith("  2. ")


def test_calls_of_an_unknown_price_are_said(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(path, Kept(item_id="a", output="x"), Kept(item_id="b", output="x", cost_usd=None))

    assert "Cost: at least 0.250 USD spent, the price of some calls is not known." in lines_of(
        path, capsys
    )
    assert document_of(path, capsys)["is_spent_whole"] is False


def test_a_program_gets_the_same(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(path, Kept(item_id="a", output="x"), Kept(item_id="b"), held_usd=0.5)

    told = document_of(path, capsys)

    (run,) = told.pop("runs")
    assert (run["number"], run["state"], run["pid"]) == (1, "ended", os.getpid())
    assert run["counts"]["total"] == 2
    assert told.pop("first_ended_at") <= told.pop("last_ended_at")
    assert told == {
        "path": str(path),
        "succeeded": 1,
        "failed": 1,
        "failures": [{"category": "timeout", "rows": 1, "first_id": "b", "first_error": "E: b"}],
        "tokens": {"input_tokens": 20, "output_tokens": 6, "total_tokens": 26},
        "spent_usd": 0.5,
        "is_spent_whole": True,
        "held_usd": 0.5,
        "held_calls": 1,
    }


def test_what_a_provider_said_cannot_move_the_cursor(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(path, Kept(item_id="a\x1b[2J\n"))

    assert all(line.isprintable() for line in lines_of(path, capsys))


@pytest.mark.parametrize(
    ("ended_at", "alive", "said"),
    [
        (2.0, True, "ended"),
        (None, True, "running"),
        (None, False, "cut off"),
        (None, None, "not ended"),
    ],
)
def test_the_state_of_a_run(
    ended_at: float | None, alive: bool | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch_llm.cli.status.is_alive", lambda pid: alive)

    assert (
        state_of(KeptRun(number=1, pid=7, version="1", started_at=1.0, ended_at=ended_at)) == said
    )


def test_a_run_that_goes_on_is_told_while_it_does(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(path, Kept(item_id="a", output="x"), ends=False)

    assert lines_of(path, capsys)[-1].endswith(f", running, process {os.getpid()}")


def test_a_ledger_that_is_not_there(path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no ledger"):
        status(path, as_json_text=False)


def test_rows_that_were_cancelled_stand_apart(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(
        path, Kept(item_id="a", output="x"), counts={"total": 60, "succeeded": 40, "cancelled": 20}
    )

    assert lines_of(path, capsys)[-1].endswith("60 rows: 40 succeeded, 0 failed, 20 cancelled")
