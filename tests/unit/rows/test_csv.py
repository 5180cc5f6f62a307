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


@pytest.mark.parametrize(("record", "fields"), [("a", 1), ("a,b,c", 3), ("a,b,", 3)])
def test_a_record_with_too_few_or_too_many_fields_is_broken(record: str, fields: int) -> None:
    (broken, fine) = read(f"id,text\n{record}\nb,x\n")

    assert broken == BrokenRow(2, f"has {fields} fields where the header has 2")
    assert fine == Row(3, {"id": "b", "text": "x"})


def test_a_quote_that_is_never_closed_swallows_no_row_unseen() -> None:
    (fine, broken) = read('id,text\na,x\nb,"open\nc,y\nd,z\n')

    assert fine == Row(2, {"id": "a", "text": "x"})
    assert isinstance(broken, BrokenRow)
    assert broken.line == 3
    assert "unexpected end of data" in broken.reason


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
        "total_tokens,duration_seconds,input.n\n"
        "a,2,failed,,E: x,unknown,0,0,0,0,0.0,\n"
    )
