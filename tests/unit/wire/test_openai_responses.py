from __future__ import annotations

import json
from typing import Any

import pytest

from batch_llm.wire.openai_responses import billed_tokens

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 13,
}
TOKENS = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13, "cached_input_tokens": 4}


def test_reads_the_bill_of_an_answer_that_is_of_no_other_use() -> None:
    assert billed_tokens(json.dumps({"output": 7, "usage": USAGE}).encode()) == TOKENS


def test_counts_that_are_left_out_are_zero() -> None:
    usage = {"input_tokens": 10, "output_tokens": "3"}
    tokens = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13}
    assert billed_tokens(json.dumps({"usage": usage}).encode()) == tokens


@pytest.mark.parametrize("body", [{}, {"usage": None}, {"usage": "much"}, [], None])
def test_a_body_that_does_not_say_has_no_bill(body: Any) -> None:
    assert billed_tokens(json.dumps(body).encode()) is None


def test_a_body_that_is_cut_has_no_bill() -> None:
    assert billed_tokens(json.dumps({"usage": USAGE}).encode()[:-1]) is None
