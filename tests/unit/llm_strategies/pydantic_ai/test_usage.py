"""Tokens of runs, whatever shape they come in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
from pydantic_ai.usage import RequestUsage, RunUsage

from batch_llm.llm_strategies.pydantic_ai.usage import read_usage, usage_of

OLD_NAMES = SimpleNamespace(request_tokens=10, response_tokens=4, total_tokens=14)
NEW_NAMES = SimpleNamespace(input_tokens=10, output_tokens=4)
TEN_AND_FOUR = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}


@pytest.mark.parametrize(
    "usage",
    [
        OLD_NAMES,
        NEW_NAMES,
        {"prompt_tokens": 10, "completion_tokens": 4},
        RunUsage(input_tokens=10, output_tokens=4),
        RequestUsage(input_tokens=10, output_tokens=4),
    ],
)
def test_reads_every_name(usage: object) -> None:
    assert read_usage(usage) == TEN_AND_FOUR
    assert usage_of(SimpleNamespace(usage=usage)) == TEN_AND_FOUR


def test_reads_a_method_and_an_attribute_alike() -> None:
    assert usage_of(SimpleNamespace(usage=lambda: OLD_NAMES)) == TEN_AND_FOUR
    assert usage_of(SimpleNamespace(usage=NEW_NAMES)) == TEN_AND_FOUR


def test_reads_cached_tokens() -> None:
    usage = RunUsage(input_tokens=10, output_tokens=4, cache_read_tokens=6)
    assert read_usage(usage) == {**TEN_AND_FOUR, "cached_input_tokens": 6}


@pytest.mark.parametrize(
    "result",
    [
        object(),
        SimpleNamespace(usage=None),
        SimpleNamespace(usage=lambda: None),
        SimpleNamespace(usage=SimpleNamespace(input_tokens=None, output_tokens=None)),
        SimpleNamespace(usage=SimpleNamespace(input_tokens=True)),
        MagicMock(),
    ],
)
def test_counts_nothing_where_nothing_is_stated(result: Any) -> None:
    assert usage_of(result) == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
