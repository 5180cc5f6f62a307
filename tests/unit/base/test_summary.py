"""Figures of a run: money, latency, causes of failure, and the whole at a glance."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm import BatchResult, FailureGroup, WorkItemResult
from batch_llm.base.percentiles import percentiles
from batch_llm.exceptions import ConfigurationError


def called(item_id: str = "a", success: bool = True, **more: Any) -> WorkItemResult[Any, Any]:
    return WorkItemResult(item_id, success, **{"attempts": 1, **more})


def failed(item_id: str, error: str, category: str | None, **more: Any) -> WorkItemResult[Any, Any]:
    return called(item_id, False, error=error, error_category=category, **more)


# -- money


def test_the_cost_is_that_of_all_calls_of_this_run() -> None:
    batch = BatchResult(
        [
            called(cost_usd=0.25),
            called(success=False, cost_usd=0.5),
            called(cost_usd=9.0, origin="ledger"),
            called(cost_usd=9.0, origin="twin"),
            called(attempts=0, success=False),
        ]
    )
    assert batch.total_cost_usd == batch.known_cost_usd == 0.75


def test_an_unknown_price_makes_the_cost_unknown() -> None:
    batch = BatchResult([called(cost_usd=0.25), called(cost_usd=None)])
    assert batch.total_cost_usd is None
    assert batch.known_cost_usd == 0.25


def test_calls_without_an_answer_are_counted() -> None:
    batch = BatchResult([called(unanswered_calls=2), called(unanswered_calls=1)])
    assert batch.unanswered_calls == 3


# -- latency


def test_percentiles_are_of_items_with_a_call() -> None:
    batch = BatchResult(
        [called(duration_seconds=n) for n in range(1, 101)]
        + [called(duration_seconds=500, attempts=0), called(duration_seconds=0, origin="cache")]
    )
    assert batch.latency_percentiles() == {"p50": 50, "p90": 90, "p95": 95, "p99": 99}
    assert batch.latency_percentiles(99.9, 1) == {"p99.9": 100, "p1": 1}
    assert BatchResult[Any, Any]([]).latency_percentiles() == {}
    thousand = [called(duration_seconds=n) for n in range(1, 1_001)]
    assert BatchResult(thousand).latency_percentiles(99.9) == {"p99.9": 999}
    for wrong in (0, 101, float("nan")):
        with pytest.raises(ConfigurationError, match="above 0 and at most 100"):
            batch.latency_percentiles(wrong)


@given(
    values=st.lists(st.floats(0, 1e6), min_size=1),
    percent=st.floats(0, 100, exclude_min=True),
)
def test_a_percentile_is_a_value_that_so_many_do_not_exceed(
    values: list[float], percent: float
) -> None:
    (found,) = percentiles(values, [percent]).values()
    assert found in values
    assert sum(value <= found for value in values) >= percent / 100 * len(values) - 1e-6
    assert sum(value < found for value in values) <= percent / 100 * len(values) + 1e-6


# -- failures


def test_failures_are_grouped_by_cause_most_first() -> None:
    batch = BatchResult(
        [
            called("ok"),
            failed("a", "InputError: Row 1", "logic_error"),
            failed("b", "ServerError: first", "server_error"),
            failed("c", "ServerError: second", "server_error"),
            failed("d", "hidden", "server_error", exception=ConnectionError("x")),
            failed("e", "Cancelled before it ended", "cancelled"),
            WorkItemResult("f", False),
        ]
    )
    groups = batch.failures()
    assert groups == [
        FailureGroup("server_error", "ServerError", 2, "b", "ServerError: first"),
        FailureGroup("logic_error", "InputError", 1, "a", "InputError: Row 1"),
        FailureGroup("server_error", "ConnectionError", 1, "d", "hidden"),
        FailureGroup("cancelled", "", 1, "e", "Cancelled before it ended"),
        FailureGroup("unknown", "", 1, "f", ""),
    ]
    assert sum(group.count for group in groups) == batch.failed


# -- at a glance

SECRET = "<b>the answer</b>"
BATCH = BatchResult(
    [
        called(
            "a",
            output=SECRET,
            context=SECRET,
            cost_usd=0.25,
            duration_seconds=1.5,
            token_usage={"input_tokens": 1200, "output_tokens": 30, "cached_input_tokens": 1000},
        ),
        failed("<i>b</i>", f"E: {SECRET}", "<script>", cost_usd=0.0, duration_seconds=3),
        failed("c", "CancelledError: ", "cancelled", attempts=0, unanswered_calls=1),
    ]
)


def test_the_summary_in_words() -> None:
    assert BATCH.summary().splitlines() == [
        "Items: 3, 1 succeeded, 1 failed, 1 cancelled",
        "Tokens: 1,200 in, 30 out, 1,000 of them read from a cache",
        "Cost: $0.2500",
        "Calls without an answer: 1, which may be billed too",
        "Latency: p50 1.50 s, p90 3.00 s, p95 3.00 s, p99 3.00 s",
        "  <script> (E): 1, first '<i>b</i>'",
        "  cancelled (CancelledError): 1, first 'c'",
    ]


def test_a_notebook_shows_a_table_in_which_all_is_escaped() -> None:
    html = BATCH._repr_html_()
    assert html.startswith("<table><tr>")
    assert "$0.2500" in html
    assert "&lt;script&gt; (E)" in html
    assert "<i>" not in html
    assert "<script" not in html


def test_no_prompt_answer_or_message_is_shown() -> None:
    for shown in (BATCH.summary(), BATCH._repr_html_()):
        assert "the answer" not in shown


@pytest.mark.parametrize(
    ("costs", "shown"),
    [
        ([None], "Cost: unknown"),
        ([None, 0.5], "Cost: $0.5000 and calls of unknown price"),
        ([], "Cost: $0.0000"),
    ],
)
def test_an_unknown_cost_is_said(costs: list[float | None], shown: str) -> None:
    assert shown in BatchResult([called(cost_usd=cost) for cost in costs]).summary()


def test_many_causes_are_cut() -> None:
    batch = BatchResult([failed(str(n), f"E{n}: x", "unknown") for n in range(15)])
    assert "  others: 5, first '10'" in batch.summary()
