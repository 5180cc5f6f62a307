"""What comes out."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm import ERROR_MESSAGE_MAX_LENGTH, BatchResult, TokenUsage, WorkItemResult
from batch_llm.base import describe_error


def result(success: bool = True, **more: Any) -> WorkItemResult[Any, Any]:
    return WorkItemResult("a", success, **more)


def test_only_id_and_success_are_needed() -> None:
    made = WorkItemResult("a", True)
    assert (made.output, made.error, made.context, made.gemini_safety_ratings) == (None,) * 4
    assert made.token_usage == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert (made.exception, made.error_category, made.attempts) == (None, None, 0)
    assert (made.duration_seconds, made.cost_usd) == (0.0, None)


def test_fields_of_the_contract_are_in_its_order() -> None:
    usage: TokenUsage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    made = WorkItemResult("a", False, "out", "E: m", {"row": 1}, usage, ["ratings"])
    assert made.output == "out"
    assert made.error == "E: m"
    assert made.context == {"row": 1}
    assert made.token_usage == usage
    assert made.gemini_safety_ratings == ["ratings"]


def test_results_do_not_share_their_usage() -> None:
    one, other = result(), result()
    one.token_usage["input_tokens"] = 5
    assert other.token_usage["input_tokens"] == 0


def test_a_usage_is_a_plain_dictionary() -> None:
    usage = result().token_usage
    assert type(usage) is dict
    assert json.loads(json.dumps(usage)) == pickle.loads(pickle.dumps(usage)) == usage
    usage["cached_input_tokens"] = 3
    assert list(usage) == ["input_tokens", "output_tokens", "total_tokens", "cached_input_tokens"]


def test_a_result_can_be_copied_and_pickled() -> None:
    made = result(False, error="TypeError: no", exception=TypeError("no"), context={"row": 1})
    assert copy.deepcopy(made).context == made.context
    assert pickle.loads(pickle.dumps(made)).error == made.error


@pytest.mark.parametrize(
    ("made", "outcome"),
    [
        (result(True), "succeeded"),
        (result(False, error_category="unknown"), "failed"),
        (result(False), "failed"),
        (result(False, error_category="cancelled"), "cancelled"),
    ],
)
def test_the_outcome(made: WorkItemResult[Any, Any], outcome: str) -> None:
    assert made.outcome == outcome


def test_two_hundred_characters_of_a_message_are_kept() -> None:
    assert ERROR_MESSAGE_MAX_LENGTH == 200
    assert describe_error(ValueError("x" * 199)) == "ValueError: " + "x" * 199
    assert describe_error(ValueError("x" * 200)) == "ValueError: " + "x" * 200
    assert describe_error(ValueError("x" * 201)) == "ValueError: " + "x" * 200


def test_an_exception_without_a_message_is_named() -> None:
    assert describe_error(KeyError()) == "KeyError: "


# -- a batch


def of(*usages: TokenUsage, failed: int = 0) -> BatchResult[Any, Any]:
    made = [WorkItemResult(str(n), n >= failed, token_usage=u) for n, u in enumerate(usages)]
    return BatchResult(made)


def test_an_empty_batch() -> None:
    empty = BatchResult[Any, Any]([])
    assert (empty.total_items, empty.succeeded, empty.failed, empty.cancelled) == (0, 0, 0, 0)
    assert empty.cache_hit_rate() == 0.0
    assert empty.effective_input_tokens() == 0.0


def test_counts_are_computed() -> None:
    batch = of(
        {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110},
        {"input_tokens": 300, "output_tokens": 5, "total_tokens": 305, "cached_input_tokens": 200},
        failed=1,
    )
    assert (batch.total_items, batch.succeeded, batch.failed) == (2, 1, 1)
    assert (batch.total_input_tokens, batch.total_output_tokens) == (400, 15)
    assert batch.total_cached_tokens == 200
    assert batch.cache_hit_rate() == 50.0
    assert batch.effective_input_tokens() == 400 - 0.9 * 200


def test_cancelled_items_are_among_the_failed() -> None:
    batch = BatchResult([result(False, error_category="cancelled"), result(False), result()])
    assert (batch.failed, batch.cancelled, batch.succeeded) == (2, 1, 1)


def test_a_usage_with_counts_missing_counts_as_zero() -> None:
    assert of({}, {"input_tokens": 5}).total_input_tokens == 5
    assert of({}).cache_hit_rate() == 0.0


@given(
    st.lists(
        st.tuples(st.booleans(), st.integers(0, 10**9), st.integers(0, 10**9), st.floats(0, 1))
    )
)
def test_the_totals_add_up(rows: list[tuple[bool, int, int, float]]) -> None:
    batch = BatchResult(
        [
            WorkItemResult(
                "a",
                success,
                token_usage={
                    "input_tokens": tokens,
                    "output_tokens": out,
                    "total_tokens": tokens + out,
                    "cached_input_tokens": int(tokens * share),
                },
            )
            for success, tokens, out, share in rows
        ]
    )
    assert batch.succeeded + batch.failed == batch.total_items == len(batch) == len(rows)
    assert 0 <= batch.cache_hit_rate() <= 100
    assert 0 <= batch.effective_input_tokens() <= batch.total_input_tokens


def test_a_batch_can_be_iterated_and_measured() -> None:
    batch = BatchResult([result(), result(False)])
    assert list(batch) == batch.results
    assert len(batch) == 2
