"""JSON Lines: what is kept exact, and what is refused."""

from __future__ import annotations

import io
import json

import pydantic
import pytest

from batch_llm.rows.formats import JSONL
from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.row import BrokenRow, Row


def read(content: bytes) -> Row | BrokenRow:
    (row,) = JSONL.read(io.BytesIO(content))
    return row


@pytest.mark.parametrize("number", [2**53 + 1, 2**64, -(10**40)])
def test_whole_numbers_of_any_size_are_exact(number: int) -> None:
    assert read(b'{"n": %d}' % number) == Row(1, {"n": number})


def test_of_a_key_that_stands_twice_the_last_value_counts() -> None:
    assert read(b'{"a": 1, "a": 2}') == Row(1, {"a": 2})


@pytest.mark.parametrize(
    "line",
    [
        b'{"a": 1',
        b"{'a': 1}",
        b'{"a": NaN}',
        b'{"a": 1e400}',
        b'{"a": "\\ud800"}',
        b'{"a": 1} {"b": 2}',
        b'{"a": "tab\there"}',
        b"[1, 2]",
        b'"text"',
        b"null",
        b'{"a": ' + b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_json_object_is_broken(line: bytes) -> None:
    row = read(line)

    assert isinstance(row, BrokenRow)
    assert row.line == 1
    assert row.reason


@pytest.mark.parametrize(
    "text", ["\\ud83d", "\\ud83d\\ud83d more", "\\ude00 more", "\\ud83d and more"]
)
def test_half_of_a_surrogate_pair_is_named_and_the_other_fields_are_kept(text: str) -> None:
    row = read(b'{"id": "h", "nested": {"text": "%s"}, "n": 1}' % text.encode())

    assert isinstance(row, BrokenRow)
    assert row.reason.startswith("holds half of a surrogate pair")
    assert row.fields == {"id": "h", "n": 1}


def test_half_of_a_surrogate_pair_does_not_hide_another_fault() -> None:
    for line in (b'{"a": "\\ud83d", "b": NaN}', b'{"a": "\\ud83d"', b'["\\ud83d"]'):
        row = read(line)
        assert isinstance(row, BrokenRow)
        assert "surrogate pair (an" not in row.reason


class Label(pydantic.BaseModel):
    name: str
    score: float


def written(output: object) -> object:
    row = ResultRow(id="a", line=1, status="succeeded", output=output)
    return json.loads(JSONL.encode(row, ()))["output"]


def test_a_pydantic_model_is_written_as_an_object() -> None:
    assert written(Label(name="x", score=0.5)) == {"name": "x", "score": 0.5}


def test_numbers_without_a_json_form_become_null() -> None:
    assert written({"a": float("nan"), "b": [float("inf")]}) == {"a": None, "b": [None]}


def test_a_written_line_has_no_line_end_within_by_any_reader() -> None:
    text = "a\u2028b\u2029c\x85d\ne\x0bf"
    line = JSONL.encode(ResultRow(id="a", line=1, status="succeeded", output=text), ()).decode()

    assert len(line.splitlines()) == 1
    assert json.loads(line)["output"] == text


def test_half_of_a_surrogate_pair_deep_in_a_model_is_escaped() -> None:
    assert written({"a": [Label(name="\udc00", score=1)]}) == {
        "a": [{"name": "\udc00", "score": 1.0}]
    }


def test_kept_fields_are_there_only_if_they_were_asked_for() -> None:
    plain = ResultRow(id="a", line=1, status="succeeded")
    kept = ResultRow(id="a", line=1, status="succeeded", input={})

    assert "input" not in json.loads(JSONL.encode(plain, ()))
    assert json.loads(JSONL.encode(kept, ()))["input"] == {}
