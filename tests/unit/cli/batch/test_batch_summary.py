"""What ends a run of remote batches, in a few lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.run_statuses import status

from batch_llm.batch import RunStatus
from batch_llm.batch.running.run_status import RemoteBatchStatus
from batch_llm.batch.state.events import Asked
from batch_llm.cli.batch.summary import End, advice, summary
from batch_llm.rows.tally import Tally

ASKED = Asked(
    input="in.jsonl",
    rows=10,
    jobs=10,
    model="openai:gpt-5-mini",
    output=None,
    output_format="jsonl",
    in_input_order=False,
    kept=[],
)


def batch(**changes: Any) -> RemoteBatchStatus:
    return (
        RemoteBatchStatus(
            number=0,
            provider="openai",
            model="gpt-5-mini",
            remote_id="batch_0",
            state="collected",
            provider_state="completed",
            jobs=10,
            waiting=0,
            counts={},
            age_seconds=75.0,
            cost_usd=0.5,
            reserved_usd=None,
            why_waiting="",
        )
        | changes
    )  # type: ignore[return-value]


def said(*batches: RemoteBatchStatus, tally: Tally | None = None, **changes: Any) -> str:
    found: dict[str, Any] = {
        "total": 10,
        "completed": 10,
        "succeeded": 10,
        "failed": 0,
        "expired": 0,
        "cancelled": 0,
        "pending": 0,
        "in_flight": 0,
        "live": 0,
        "cost_usd": 0.5,
        "reserved_usd": 0.0,
        "cost_limit_usd": None,
        "batches": list(batches),
        "waiting": [],
    }
    end = End(RunStatus(found | changes), tally or Tally(10), ASKED, Path("s"), 75.0)
    return "\n".join(text.plain for text in summary(end))


def test_a_cost_stays_a_lower_bound_when_the_row_was_sent_again() -> None:
    tries = batch(reserved_usd=0.25), batch(number=1)
    lines = said(*tries, reserved_usd=0.25)
    assert "Cost: at least 0.500 USD. Held for what may still be billed: at most 0.250" in lines


def test_a_cost_of_which_all_is_known_is_exact() -> None:
    assert "Cost: 0.500 USD.\n" in said(batch())


def test_a_remote_batch_that_never_was_does_not_count() -> None:
    never = batch(number=1, state="refused", remote_id=None, provider_state=None)
    ended_unrun = batch(number=2, state="refused", remote_id=None, provider_state="failed")
    assert ", 0 remote batches: " in said(never)
    assert ", 2 remote batches: " in said(batch(), never, ended_unrun)


@pytest.mark.parametrize(
    ("found", "option"),
    [
        ({}, "--max-cost USD"),
        ({"overruns": 1}, "--no-max-cost"),
        ({"unpriced": 1}, "--no-max-cost"),
    ],
)
def test_a_higher_limit_is_advised_only_where_it_helps(found: dict[str, int], option: str) -> None:
    asked = msgspec.structs.replace(ASKED, max_cost_usd=1.0)
    waiting = status(waiting=["it waits"], **found)
    lines = [text.plain for text in advice(waiting, asked, Path("s"))]
    assert "Not sent: it waits." in lines
    assert f"To go on: batch-llm batch resume s {option}" in lines
