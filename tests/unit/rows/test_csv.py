"""CSV as other programs write it, well and badly."""

from __future__ import annotations

import io

import pytest

from batch_llm.exceptions import InputError
from batch_llm.rows.formats import CSV, TSV
from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.row import BrokenRow, Row


def read(text: str) -> list[Row | BrokenRow]:
    return list(CSV.read(io.BytesIO(text.encode())))


def test_a_quoted_field_may_hold_line_ends_and_the_row_has_its_first_line() -> None:
    rows = read('id,text\na,"one\ntwo\n\nthree"\nb,x\n')

    assert rows == [
        Row(2, {"id": "a", "text": "one\ntwo\n\nthree"}),
        Row(6, {"id": "b", "text": "x"}),
    ]


@pytest.mark.parametrize(
    ("record", "count", "fields"),
    [
        ("a", 1, {"id": "a"}),
        ("a,b,c", 3, {"id": "a", "text": "b"}),
        ("a,b,", 3, {"id": "a", "text": "b"}),
    ],
)
def test_a_record_with_too_few_or_too_many_fields_is_broken_and_keeps_its_name(
    record: str, count: int, fields: dict[str, str]
) -> None:
    (broken, fine) = read(f"id,text\n{record}\nb,x\n")

    assert broken == BrokenRow(2, f"has {count} fields where the header has 2", fields)
    assert fine == Row(3, {"id": "b", "text": "x"})


@pytest.mark.parametrize("later", ["c,y\n", 'c,"y"\n', 'c,"y\n\nz"\n'], ids=repr)
def test_a_quote_that_is_never_closed_breaks_its_own_line_alone(later: str) -> None:
    (before, broken, *after) = read(f'id,text\na,x\nb,"open\n{later}d,"z"\n')

    assert before == Row(2, {"id": "a", "text": "x"})
    assert isinstance(broken, BrokenRow)
    assert broken.line == 3
    (_, expected, last) = read(f"id,text\n,\n{later}d,z\n")
    assert isinstance(expected, Row)
    assert isinstance(last, Row)
    assert after == [Row(expected.line + 1, expected.fields), Row(last.line + 1, last.fields)]


def test_a_quote_that_is_never_closed_is_named() -> None:
    (broken, _) = read('id,text\nb,"open\nc,y\n')

    assert broken == BrokenRow(
        2, "begins a record that cannot be read: a quote in it is never closed"
    )


@pytest.mark.parametrize(("limit", "value"), [("MOST_LINES", 10), ("MOST_CHARACTERS", 50)])
def test_an_open_quote_is_followed_only_so_far(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"batch_llm.rows.csv.{limit}", value)
    (broken, *others) = read('id,text\na,"open\n' + "b,xxxxx\n" * 100 + 'c,"y"\n')

    assert broken == BrokenRow(
        2, "begins a record that cannot be read: a quote in it is not closed for too long"
    )
    assert [row.line for row in others] == list(range(3, 104))
    assert all(isinstance(row, Row) for row in others)


def test_text_behind_a_closing_quote_breaks_that_record_alone() -> None:
    (broken, fine) = read('id,text\na,"b"c\nd,x\n')

    assert isinstance(broken, BrokenRow)
    assert broken.line == 2
    assert fine == Row(3, {"id": "d", "text": "x"})


def test_names_of_columns_lose_the_spaces_around_them() -> None:
    assert read("id , text\na, x\n") == [Row(2, {"id": "a", "text": " x"})]


def test_a_column_without_a_name_is_left_out() -> None:
    assert read("id,text,,\na,x,1,2\n") == [Row(2, {"id": "a", "text": "x"})]


def test_a_column_that_is_named_twice_is_refused() -> None:
    with pytest.raises(InputError, match=r"line 2 names the column 'text' twice"):
        read("\ntext,id,text\n1,2,3\n")


@pytest.mark.parametrize("header", [b"id,caf\xe9\n", b'id,"x"y\n'])
def test_a_header_that_cannot_be_read_is_refused(header: bytes) -> None:
    with pytest.raises(InputError, match="the header on line 1"):
        list(CSV.read(io.BytesIO(header + b"a,b\n")))


def test_lone_carriage_returns_end_lines_too() -> None:
    assert read("id,text\ra,x\rb,y\r") == [
        Row(2, {"id": "a", "text": "x"}),
        Row(3, {"id": "b", "text": "y"}),
    ]


def test_tsv_stands_between_tabs() -> None:
    rows = list(TSV.read(io.BytesIO(b'id\ttext\na\tx, y\nb\t"x\ty"\n')))

    assert rows == [Row(2, {"id": "a", "text": "x, y"}), Row(3, {"id": "b", "text": "x\ty"})]


def test_a_result_that_failed_has_an_empty_output() -> None:
    row = ResultRow(id="a", line=2, status="failed", error="E: x", error_category="unknown")

    line = CSV.header(("n",)) + CSV.encode(row, ("n",))

    assert line.decode() == (
        "id,line,status,output,error,error_category,attempts,input_tokens,output_tokens,"
        "total_tokens,cost_usd,unanswered_calls,duration_seconds,origin,finish_reason,input.n\n"
        "a,2,failed,,E: x,unknown,0,0,0,0,0.0,0,0.0,,,\n"
    )
