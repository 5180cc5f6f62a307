"""Token counts."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm import TokenUsage
from batch_llm.base import add_usage, complete_usage, empty_usage

ZERO = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
PARTS = (
    "cached_input_tokens",
    "cache_write_tokens",
    "hour_cache_write_tokens",
    "reasoning_tokens",
)

counts = st.integers(0, 10**12)
usages = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": st.none() | counts,
        "output_tokens": st.none() | counts,
        "total_tokens": st.none() | counts,
        **dict.fromkeys(PARTS, st.none() | counts),
    },
)


def test_every_key_is_optional() -> None:
    assert TokenUsage.__required_keys__ == frozenset()
    assert set(TokenUsage.__annotations__) == {*ZERO, *PARTS}


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": None}, ZERO])
def test_what_is_missing_is_zero(usage: Any) -> None:
    assert complete_usage(usage) == empty_usage() == ZERO


def test_a_missing_total_is_the_sum() -> None:
    assert complete_usage({"input_tokens": 3, "output_tokens": 4})["total_tokens"] == 7
    assert complete_usage({"output_tokens": 4})["total_tokens"] == 4


def test_a_total_that_is_there_stays() -> None:
    assert complete_usage({"input_tokens": 3, "total_tokens": 50})["total_tokens"] == 50


@given(usages)
def test_a_complete_usage_has_all_counts_and_completing_it_changes_nothing(usage: Any) -> None:
    complete = complete_usage(usage)
    assert set(ZERO) <= set(complete) <= {*ZERO, *PARTS}
    assert all(type(count) is int and count >= 0 for count in complete.values())
    assert complete_usage(complete) == complete


@given(usages, usages)
def test_a_sum_adds_each_count_and_leaves_both_as_they_were(one: Any, other: Any) -> None:
    left, right = complete_usage(one), complete_usage(other)
    before = dict(left), dict(right)
    total = add_usage(left, right)
    for key in (*ZERO, *PARTS):
        assert total.get(key, 0) == left.get(key, 0) + right.get(key, 0)
    assert (dict(left), dict(right)) == before
    assert add_usage(right, left) == total
