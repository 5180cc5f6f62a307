"""The demo: its data, and what it does with it."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from batch_llm.base import BatchResult, OutputSchema, TokenUsage, WorkItemResult
from batch_llm.exceptions import OutputValidationError

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def demo() -> Any:
    spec = importlib.util.spec_from_file_location("demo", EXAMPLES / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reviews_are_60_balanced_and_credited(demo: Any) -> None:
    reviews = demo.read_reviews()
    assert len({review["id"] for review in reviews}) == len(reviews) == 60
    assert all(review["text"].strip() for review in reviews)
    assert Counter(review["rating"] >= 1 for review in reviews) == {True: 30, False: 30}
    assert all(1 <= abs(review["rating"]) <= 4 for review in reviews)
    credit = (EXAMPLES / "data" / "CREDITS.md").read_text(encoding="utf-8")
    assert "reviews.jsonl" in credit
    assert "Hutto" in credit
    assert "MIT" in credit


def test_the_schema_allows_two_answers_and_nothing_else() -> None:
    text = (EXAMPLES / "schemas" / "sentiment.json").read_text(encoding="utf-8")
    schema = OutputSchema(json.loads(text))
    assert schema.parse('{"sentiment": "negative"}') == {"sentiment": "negative"}
    for answer in ('{"sentiment": "mixed"}', "{}", '{"sentiment": "negative", "why": ""}'):
        with pytest.raises(OutputValidationError):
            schema.parse(answer)


def test_it_counts_what_agrees_and_what_fails(
    demo: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reviews = demo.read_reviews()[:3]
    people = ["positive" if review["rating"] > 0 else "negative" for review in reviews]
    other = {"positive": "negative", "negative": "positive"}
    usage: TokenUsage = {"input_tokens": 50, "output_tokens": 8, "total_tokens": 58}
    said = [{"sentiment": people[0]}, {"sentiment": other[people[1]]}, None]
    results = [
        WorkItemResult(
            review["id"],
            output is not None,
            output,
            None if output else "ServerError: down",
            review,
            usage,
        )
        for review, output in zip(reviews, said, strict=True)
    ]

    async def classify(_: object) -> BatchResult[Any, Any]:
        return BatchResult(results)

    monkeypatch.setattr(demo, "classify", classify)
    demo.main(tmp_path / "new")
    printed = capsys.readouterr().out
    assert "1 of 2 answers agree with the people who rated the reviews." in printed
    assert "150 tokens in, 24 out." in printed
    assert "3 reviews in" in printed
    assert "1 failed." in printed
    written = (tmp_path / "new" / "demo_results.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert [json.loads(line) for line in written] == [
        {**reviews[0], "people": people[0], "model": people[0], "error": None},
        {**reviews[1], "people": people[1], "model": other[people[1]], "error": None},
        {**reviews[2], "people": people[2], "model": None, "error": "ServerError: down"},
    ]


@pytest.mark.local_model
def test_it_runs(
    demo: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reviews = demo.read_reviews()[:5]
    monkeypatch.setattr(demo, "read_reviews", lambda: reviews)
    demo.main(tmp_path)
    printed = capsys.readouterr().out
    assert "of 5 answers agree" in printed
    assert "5 reviews in" in printed
    assert "0 failed." in printed
    written = (tmp_path / "demo_results.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    rows = [json.loads(line) for line in written]
    assert [row["id"] for row in rows] == [review["id"] for review in reviews]
    assert all(row["model"] in ("positive", "negative") for row in rows)
