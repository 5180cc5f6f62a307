"""Counts of results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.tally import FailedRows, Tally

if TYPE_CHECKING:
    from batch_llm.base import TokenUsage


def test_every_result_is_counted_once() -> None:
    tally = Tally(4)
    tally.add(ResultRow(id="a", line=1, status="succeeded"))
    tally.add(ResultRow(id="b", line=2, status="failed", error="E: 1", error_category="timeout"))
    tally.add(ResultRow(id="c", line=3, status="failed", error="E: 2", error_category="timeout"))
    tally.add(ResultRow(id="d", line=4, status="cancelled", error_category="cancelled"))

    assert (tally.succeeded, tally.failed, tally.cancelled, tally.done) == (1, 2, 1, 4)
    assert tally.failures == {"timeout": FailedRows("timeout", "b", "E: 1", rows=2)}
    assert not tally.all_succeeded


def test_tokens_are_counted_apart() -> None:
    tally = Tally(1)
    tokens: TokenUsage = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}

    tally.add_tokens(ResultRow(id="a", line=1, status="succeeded", tokens=tokens))

    assert (tally.input_tokens, tally.output_tokens, tally.done) == (5, 2, 0)


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
