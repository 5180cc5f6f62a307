"""Counts of results."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.tally import FailedRows, Tally

if TYPE_CHECKING:
    from batch_llm.base import TokenUsage
    from batch_llm.base.results import Origin


def test_every_result_is_counted_once() -> None:
    tally = Tally(4)
    tally.add(ResultRow(id="a", line=1, status="succeeded"))
    tally.add(ResultRow(id="b", line=2, status="failed", error="E: 1", error_category="timeout"))
    tally.add(ResultRow(id="c", line=3, status="failed", error="E: 2", error_category="timeout"))
    tally.add(ResultRow(id="d", line=4, status="cancelled", error_category="cancelled"))

    assert (tally.succeeded, tally.failed, tally.cancelled, tally.done) == (1, 2, 1, 4)
    assert tally.failures == {"timeout": FailedRows("timeout", "b", "E: 1", rows=2)}
    assert not tally.all_succeeded


TOKENS: TokenUsage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}


def test_money_and_tokens_are_counted_apart() -> None:
    tally = Tally(2)
    called = ResultRow(id="a", line=1, status="succeeded", origin="call", attempts=2)
    called.tokens, called.cost_usd, called.unanswered_calls = TOKENS, 0.25, 1

    tally.add_cost(called)
    tally.add_cost(replace(called, cost_usd=None, unanswered_calls=0))

    assert (tally.input_tokens, tally.output_tokens, tally.done) == (10, 4, 0)
    assert (tally.called, tally.cost_usd, tally.unpriced, tally.unanswered_calls) == (2, 0.25, 1, 1)


@pytest.mark.parametrize(
    ("origin", "counted"), [("ledger", "replayed"), ("cache", "cached"), ("twin", "shared")]
)
def test_what_was_paid_for_before_is_not_counted_again(origin: Origin, counted: str) -> None:
    tally = Tally(1)
    row = ResultRow(id="a", line=1, status="succeeded", origin=origin, attempts=1, cost_usd=0.5)
    row.tokens = TOKENS

    tally.add_cost(row)

    assert (tally.input_tokens, tally.called, tally.cost_usd) == (0, 0, 0)
    assert getattr(tally, counted) == 1


def test_rows_that_are_called_for_once_more_are_counted_by_their_first_end() -> None:
    tally = Tally(3)
    for earlier in ("failed", "succeeded", None):
        tally.add_repeated(earlier)

    assert (tally.failures_tried_again, tally.changed) == (1, 1)


def test_a_failure_without_a_category_is_unknown() -> None:
    tally = Tally(1)
    tally.add(ResultRow(id="a", line=1, status="failed"))

    assert list(tally.failures) == ["unknown"]


def test_all_succeeded_once_every_row_has() -> None:
    tally = Tally(2)
    tally.add(ResultRow(id="a", line=1, status="succeeded"))
    assert not tally.all_succeeded
    tally.add(ResultRow(id="b", line=2, status="succeeded"))
    assert tally.all_succeeded


def test_answers_that_were_cut_are_counted_with_the_successes() -> None:
    tally = Tally(3)
    tally.add(ResultRow(id="a", line=1, status="succeeded", finish_reason="length"))
    tally.add(ResultRow(id="b", line=2, status="succeeded", finish_reason="stop"))
    tally.add(ResultRow(id="c", line=3, status="failed", finish_reason="length"))

    assert (tally.truncated, tally.succeeded) == (1, 2)
