"""Counts of a run."""

from __future__ import annotations

import time

from batch_llm import ProcessingStats


def test_it_begins_at_nothing_and_now() -> None:
    before = time.time()
    stats = ProcessingStats()
    assert before <= stats.start_time <= time.time()
    copied = stats.copy()
    assert {key for key in copied if copied[key] == 0} == {
        "total",
        "processed",
        "succeeded",
        "failed",
        "rate_limit_count",
        "retries",
        "reused",
        "cancelled",
        "total_input_tokens",
        "total_output_tokens",
        "total_tokens",
        "cached_input_tokens",
        "total_cached_tokens",
    }
    assert copied["error_counts"] == {}


def test_its_copy_is_a_plain_dictionary_of_its_own() -> None:
    stats = ProcessingStats()
    stats.error_counts["TypeError"] += 2
    copied = stats.copy()
    assert type(copied) is dict
    assert type(copied["error_counts"]) is dict
    copied["error_counts"]["TypeError"] = 0
    copied["total"] = 9
    assert (stats.error_counts["TypeError"], stats.total) == (2, 0)


def test_tokens_are_added_up_and_cached_ones_have_two_names() -> None:
    stats = ProcessingStats()
    for _ in range(2):
        stats.count_tokens(
            {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7, "cached_input_tokens": 3}
        )
    stats.count_tokens({"input_tokens": 1, "output_tokens": 0, "total_tokens": 1})
    assert (stats.total_input_tokens, stats.total_output_tokens, stats.total_tokens) == (11, 4, 15)
    assert stats.cached_input_tokens == stats.total_cached_tokens == 6
    assert stats.copy()["total_cached_tokens"] == 6
