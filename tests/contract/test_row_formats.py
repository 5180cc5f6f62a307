"""What every row format holds to, whatever its bytes look like."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.exceptions import InputError
from batch_llm.rows.formats import FORMATS
from batch_llm.rows.lines import LineFormat
from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.row import BrokenRow, Row
from batch_llm.rows.sink import RowSink, WholeWrites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_llm.rows.format import RowFormat

FIELDS = ("id", "text")

LINES = sorted(name for name, found in FORMATS.items() if isinstance(found, LineFormat))
TABLES = sorted(set(FORMATS) - set(LINES))

every_format = pytest.mark.parametrize("name", sorted(FORMATS))
every_format_of_lines = pytest.mark.parametrize("name", LINES)
every_format_of_tables = pytest.mark.parametrize("name", TABLES)


def written(name: str, rows: Sequence[Sequence[str]]) -> bytes:
    """Return rows of `FIELDS` as any other program would write them."""
    if name == "jsonl":
        lines = [json.dumps(dict(zip(FIELDS, row, strict=True))) for row in rows]
        return "".join(f"{line}\n" for line in lines).encode()
    if name == "parquet":
        columns = {field: [row[place] for row in rows] for place, field in enumerate(FIELDS)}
        table = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table(columns), table)
        return table.getvalue()
    text = io.StringIO()
    # Python's own writer leaves a lone carriage return bare, unless it quotes everything.
    is_bare = any("\r" in cell for row in rows for cell in row)
    writer = csv.writer(
        text,
        delimiter="\t" if name == "tsv" else ",",
        lineterminator="\n",
        quoting=csv.QUOTE_ALL if is_bare else csv.QUOTE_MINIMAL,
    )
    writer.writerows([FIELDS, *rows])
    return text.getvalue().encode()


def first_line(name: str) -> int:
    """Return the number of the first row: it stands below the header of a text."""
    return 2 if name in ("csv", "tsv") else 1


def row_of(name: str, line: int, fields: dict[str, object]) -> Row:
    return Row(line, fields, "row" if name in TABLES else "line")


def read(name: str, content: bytes) -> list[Row | BrokenRow]:
    return list(FORMATS[name].read(io.BytesIO(content)))


def read_results(name: str, content: bytes) -> list[dict[str, object]]:
    """Return what a reader of the same format finds in written results."""
    rows = read(name, content)
    assert all(isinstance(row, Row) for row in rows)
    return [dict(row.fields) for row in rows if isinstance(row, Row)]


@every_format
class TestReading:
    def test_gives_fields_and_lines(self, name: str) -> None:
        rows = read(name, written(name, [("a", "first"), ("b", "second")]))

        line = first_line(name)
        assert rows == [
            row_of(name, line, {"id": "a", "text": "first"}),
            row_of(name, line + 1, {"id": "b", "text": "second"}),
        ]

    @pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x1c", "\x0b", "\x0c"])
    def test_ends_no_row_at_other_line_ends(self, name: str, separator: str) -> None:
        text = f"one{separator}two"

        (row,) = read(name, written(name, [("a", text)]))

        assert row == row_of(name, first_line(name), {"id": "a", "text": text})

    def test_leaves_the_stream_open(self, name: str) -> None:
        stream = io.BytesIO(written(name, [("a", "x"), ("b", "y")]))
        rows = FORMATS[name].read(stream)

        next(rows)
        del rows

        assert not stream.closed

    def test_takes_a_field_of_any_length(self, name: str) -> None:
        text = "x" * 300_000

        (row,) = read(name, written(name, [("a", text)]))

        assert isinstance(row, Row)
        assert row.fields["text"] == text

    @given(texts=st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1))
    def test_reads_whatever_text_was_written(self, name: str, texts: list[str]) -> None:
        rows = read(name, written(name, [("a", text) for text in texts]))

        assert [row.fields["text"] for row in rows if isinstance(row, Row)] == texts


@every_format_of_lines
class TestReadingLines:
    def test_takes_a_byte_order_mark_for_none(self, name: str) -> None:
        content = b"\xef\xbb\xbf" + written(name, [("a", "x")])

        assert read(name, content) == [Row(first_line(name), {"id": "a", "text": "x"})]

    def test_counts_blank_lines_and_leaves_them_out(self, name: str) -> None:
        content = written(name, [("a", "x"), ("b", "y")])
        head, _, last = content.rstrip(b"\n").rpartition(b"\n")

        rows = read(name, head + b"\n\n\r\n" + last + b"\n\n")

        assert [row.line for row in rows] == [first_line(name), first_line(name) + 3]

    def test_needs_no_line_end_at_the_end(self, name: str) -> None:
        content = written(name, [("a", "x")]).removesuffix(b"\n")

        assert read(name, content) == [Row(first_line(name), {"id": "a", "text": "x"})]

    def test_takes_lines_that_end_as_on_windows(self, name: str) -> None:
        content = written(name, [("a", "x"), ("b", "y")]).replace(b"\n", b"\r\n")

        assert [row.fields["text"] for row in read(name, content) if isinstance(row, Row)] == [
            "x",
            "y",
        ]

    def test_a_row_that_is_not_utf8_is_broken_and_the_next_is_not(self, name: str) -> None:
        content = written(name, [("a", "caf?"), ("b", "fine")]).replace(b"caf?", b"caf\xe9")

        broken, fine = read(name, content)

        assert isinstance(broken, BrokenRow)
        assert (broken.line, broken.reason) == (first_line(name), "is not valid UTF-8")
        assert fine == Row(first_line(name) + 1, {"id": "b", "text": "fine"})

    def test_a_row_of_the_wrong_shape_is_broken_and_the_next_is_not(self, name: str) -> None:
        content = written(name, [("a", "secret"), ("b", "fine")])
        wrong = {"jsonl": b'{"id": "a", "text": secret}', "csv": b"a", "tsv": b"a"}[name]
        right = content.split(b"\n")[first_line(name) - 1]

        broken, fine = read(name, content.replace(right, wrong))

        assert isinstance(broken, BrokenRow)
        assert broken.line == first_line(name)
        assert "secret" not in broken.reason
        assert isinstance(fine, Row)

    def test_nothing_gives_nothing(self, name: str) -> None:
        assert read(name, b"") == []


@every_format_of_tables
class TestReadingTables:
    def test_what_is_of_another_format_is_refused_as_a_whole(self, name: str) -> None:
        content = written(name, [("a", "x")])

        for wrong in (b"", b"id,text\na,x\n", content[:-20], content[20:]):
            with pytest.raises(InputError, match="is no Parquet file, or is damaged"):
                read(name, wrong)

    def test_two_columns_of_one_name_are_refused(self, name: str) -> None:
        table = pyarrow.table([["a"], ["b"]], names=["text", "text"])
        content = io.BytesIO()
        pyarrow.parquet.write_table(table, content)

        with pytest.raises(InputError, match="two columns are named 'text'"):
            read(name, content.getvalue())


class Kept(io.BytesIO):
    """What was written, also once the file is closed."""

    content = b""

    def close(self) -> None:
        self.content = self.content or self.getvalue()
        super().close()


def result(**values: object) -> ResultRow:
    return ResultRow(**{"id": "a", "line": 1, "status": "succeeded", **values})  # type: ignore[arg-type]


def encode(row_format: RowFormat, rows: Sequence[ResultRow], kept: Sequence[str] = ()) -> bytes:
    stream = io.BytesIO()
    writer = row_format.writer(WholeWrites(stream), kept)
    for row in rows:
        writer.write(row)
    writer.close()
    return stream.getvalue()


@every_format
class TestWriting:
    @given(text=st.text())
    def test_a_reader_finds_every_output(self, name: str, text: str) -> None:
        rows = [result(output=f"<{text}>"), result(id="b", output="after")]

        content = encode(FORMATS[name], rows)

        found = read_results(name, content)
        is_utf8 = text == text.encode(errors="replace").decode()
        assert [row["id"] for row in found] == ["a", "b"]
        if is_utf8:
            assert [row["output"] for row in found] == [f"<{text}>", "after"]

    def test_half_of_a_surrogate_pair_breaks_nothing(self, name: str) -> None:
        content = encode(FORMATS[name], [result(output="\ud800"), result(id="b")])

        if name == "jsonl":  # whose reader refuses half a pair, as it does in prompts
            assert rb"\ud800" in content
        else:
            assert read_results(name, content)[0]["output"] == r"\ud800"

    def test_outcome_and_counts_are_there(self, name: str) -> None:
        row = result(
            status="failed",
            error="ServerError: gone",
            error_category="server_error",
            attempts=3,
            tokens={"input_tokens": 7, "output_tokens": 2, "total_tokens": 9},
            duration_seconds=1.25,
        )

        (found,) = read_results(name, encode(FORMATS[name], [row]))

        tokens = found.get("tokens", found)
        assert isinstance(tokens, dict)
        assert found["status"] == "failed"
        assert found["error"] == "ServerError: gone"
        assert str(found["attempts"]) == "3"
        assert str(found["duration_seconds"]) == "1.25"
        assert [str(tokens[key]) for key in ("input_tokens", "output_tokens")] == ["7", "2"]

    def test_a_structured_output_is_json(self, name: str) -> None:
        value = {"label": "ok", "scores": [1, 2.5, None]}

        (found,) = read_results(name, encode(FORMATS[name], [result(output=value)]))

        output = found["output"]
        assert (json.loads(output) if isinstance(output, str) else output) == value

    def test_kept_fields_are_repeated(self, name: str) -> None:
        rows = [result(input={"title": 'A, "B"\nC', "n": 2}), result(id="b", input={})]

        first, second = read_results(name, encode(FORMATS[name], rows, ("title", "n")))

        kept = first.get("input", {key[6:]: first[key] for key in first if key[:6] == "input."})
        assert isinstance(kept, dict)
        assert kept["title"] == 'A, "B"\nC'
        assert str(kept["n"]) == "2"
        assert second["id"] == "b"

    def test_an_interrupted_run_leaves_what_was_written(self, name: str) -> None:
        """However a run ends, its sink is closed; the file then holds every result it took."""
        stream = Kept()

        with pytest.raises(KeyboardInterrupt), RowSink(stream, FORMATS[name], "out") as sink:
            sink.write(result(id="a", output="first"))
            sink.write(result(id="b", output="second"))
            raise KeyboardInterrupt

        found = read_results(name, stream.content)
        assert [(row["id"], row["output"]) for row in found] == [("a", "first"), ("b", "second")]

    def test_closing_twice_writes_one_end(self, name: str) -> None:
        stream = Kept()
        sink = RowSink(stream, FORMATS[name], "out")
        sink.write(result())

        sink.close()
        sink.close()

        assert len(read_results(name, stream.content)) == 1

    def test_no_result_at_all_is_a_file_of_none(self, name: str) -> None:
        assert read_results(name, encode(FORMATS[name], [], ("title",))) == []
