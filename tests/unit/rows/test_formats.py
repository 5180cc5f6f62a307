"""Which format a file has."""

from __future__ import annotations

from pathlib import Path

import pytest

from batch_llm.exceptions import ConfigurationError
from batch_llm.rows.formats import format_of


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.jsonl", "JSONL"), ("a.NDJSON", "JSONL"), ("b.c.csv", "CSV"), ("a.tsv", "TSV")],
)
def test_the_suffix_says_which(name: str, expected: str) -> None:
    assert format_of(Path(name)).name == expected


@pytest.mark.parametrize("name", ["a.json", "a", "csv", "a.jsonl.gz"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"ends in none of \.jsonl, \.ndjson, \.csv"):
        format_of(Path(name))
