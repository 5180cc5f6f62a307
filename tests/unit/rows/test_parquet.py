"""Parquet: what its values become, and what is in memory meanwhile."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow
import pyarrow.parquet
import pytest

from batch_llm.exceptions import MissingExtraError
from batch_llm.rows import parquet_table
from batch_llm.rows.formats import PARQUET
from batch_llm.rows.plan import RowPlan
from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.row import Row
from batch_llm.rows.sink import OutputError, RowSink, WholeWrites, open_sink
from batch_llm.rows.source import open_source
from batch_llm.rows.template import PromptTemplate

if TYPE_CHECKING:
    from pathlib import Path


def file_of(columns: dict[str, Any], **options: Any) -> io.BytesIO:
    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), stream, **options)
    return stream


def fields_of(columns: dict[str, Any]) -> dict[str, object]:
    (row,) = PARQUET.read(file_of(columns))
    assert isinstance(row, Row)
    return dict(row.fields)


def written(*rows: ResultRow, kept: tuple[str, ...] = ()) -> Any:
    stream = io.BytesIO()
    writer = PARQUET.writer(WholeWrites(stream), kept)
    for row in rows:
        writer.write(row)
    writer.close()
    return pyarrow.parquet.read_table(stream)


def result(**values: Any) -> ResultRow:
    return ResultRow(**{"id": "a", "line": 1, "status": "succeeded", **values})


# -- reading


def test_values_keep_every_digit() -> None:
    noon = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
    assert fields_of(
        {
            "price": [Decimal("12.50")],
            "big": pyarrow.array([2**64 - 1], pyarrow.uint64()),
            "day": [date(2026, 3, 1)],
            "noon": pyarrow.array([noon], pyarrow.timestamp("us", "UTC")),
            "hour": [time(8, 30)],
            "span": [timedelta(days=1, seconds=2, microseconds=5)],
            "ratio": [0.1],
            "done": [True],
        }
    ) == {
        "price": "12.50",
        "big": 2**64 - 1,
        "day": "2026-03-01",
        "noon": "2026-03-01T12:00:00.000005+00:00",
        "hour": "08:30:00",
        "span": "P1DT2.000005S",
        "ratio": 0.1,
        "done": True,
    }


def test_nested_values_are_objects_and_lists() -> None:
    assert fields_of(
        {
            "author": [{"name": "Ada", "born": date(1815, 12, 10), "died": None}],
            "tags": [["a", None, "b"]],
            "text": pyarrow.array(["x"]).dictionary_encode(),
        }
    ) == {"author": {"name": "Ada", "born": "1815-12-10"}, "tags": ["a", None, "b"], "text": "x"}


def test_a_null_is_a_field_that_the_row_does_not_have() -> None:
    rows = list(PARQUET.read(file_of({"id": ["a", "b"], "text": ["x", None], "n": [1.0, None]})))
    assert rows == [
        Row(1, {"id": "a", "text": "x", "n": 1.0}, "row"),
        Row(2, {"id": "b"}, "row", empty=("text", "n")),
    ]


def test_bytes_are_text_where_they_are_utf8() -> None:
    (row,) = PARQUET.read(file_of({"text": ["é".encode()], "image": [b"\xff\xd8"]}))
    assert isinstance(row, Row)
    assert row.fields == {"text": "é"}
    assert row.unfit == {"image": "bytes that are no UTF-8 text"}


def test_a_value_that_no_prompt_can_hold_fails_its_row_where_the_prompt_names_it() -> None:
    source = file_of({"id": ["a", "b"], "text": ["x", "y"], "raw": [b"\xff", b"fine"]})
    plain = RowPlan(PromptTemplate("{text}"))
    assert [entry.prompt for entry in plain.entries(PARQUET.read(source))] == ["x", "y"]

    bad, fine = RowPlan(PromptTemplate("{text}{raw}")).entries(PARQUET.read(source))
    said = "Row 1 has in the field 'raw' what no prompt can hold: bytes that are no UTF-8 text."
    assert (bad.item_id, bad.prompt, bad.reason) == ("a", None, said)
    assert fine.prompt == "yfine"


def test_a_value_that_python_cannot_hold_takes_no_other_with_it() -> None:
    far = pyarrow.array([0, 4_000_000], pyarrow.int32()).cast(pyarrow.date32())
    first, second = PARQUET.read(file_of({"id": ["a", "b"], "day": far}))
    assert first == Row(1, {"id": "a", "day": "1970-01-01"}, "row")
    assert isinstance(second, Row)
    assert (second.line, second.fields) == (2, {"id": "b"})
    assert second.unfit == {"day": "a date32[day] that cannot be read"}


def test_rows_are_numbered_across_groups() -> None:
    source = file_of({"n": list(range(1_000))}, row_group_size=300)
    assert [row.line for row in PARQUET.read(source)] == list(range(1, 1_001))


def test_one_large_group_is_not_read_as_a_whole() -> None:
    texts = [f"{n:06}" * 200 for n in range(20_000)]
    source = file_of({"text": texts}, compression="none", use_dictionary=False)
    size = len(source.getvalue())
    del texts
    before = pyarrow.total_allocated_bytes()
    largest_read = most = 0

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            nonlocal largest_read
            content = super().read(size)
            largest_read = max(largest_read, len(content))
            return content

    for _ in PARQUET.read(Watched(source.getvalue())):
        most = max(most, pyarrow.total_allocated_bytes() - before)
    assert size > 20_000_000
    assert largest_read < size / 4
    assert most < size / 4


def test_the_source_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(file_of({"n": [1, 2]}).getvalue())
    with open_source(path, PARQUET) as source:
        next(iter(source))
        assert [row.line for row in source] == [row.line for row in source] == [1, 2]


# -- writing


def test_columns_are_those_of_other_formats_and_input_is_a_struct() -> None:
    table = written(
        result(output={"label": "ok"}, attempts=2, duration_seconds=0.5, input={"t": "x", "n": 3}),
        result(id="b", status="failed", error="E: no", error_category="unknown", input={"t": "y"}),
        kept=("t", "n"),
    )
    first, second = table.to_pylist()
    assert (first["id"], first["line"], first["attempts"]) == ("a", 1, 2)
    assert (first["output"], first["duration_seconds"]) == ('{"label":"ok"}', 0.5)
    assert first["input"] == {"t": "x", "n": "3"}
    assert (second["output"], second["error"], second["input"]) == (
        None,
        "E: no",
        {"t": "y", "n": None},
    )


def test_memory_is_flat_since_rows_go_out_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_table, "CHARACTERS_OF_A_GROUP", 1_000)
    stream = io.BytesIO()
    writer = PARQUET.writer(WholeWrites(stream), ())
    sizes = []
    for n in range(40):
        writer.write(result(id=str(n), output="x" * 100))
        sizes.append(len(stream.getvalue()))
    writer.close()
    assert len(set(sizes)) >= 4
    file = pyarrow.parquet.ParquetFile(stream)
    assert file.metadata.num_rows == 40
    assert file.metadata.num_row_groups >= 4


def test_a_full_disk_is_said_and_nothing_follows_half_a_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet_table, "ROWS_OF_A_GROUP", 1)

    class Disk(io.BytesIO):
        room = 10_000

        def write(self, content: Any) -> int:
            if self.room < len(content):
                raise OSError(28, "No space left on device")
            return super().write(content)

    disk = Disk()
    sink = RowSink(disk, PARQUET, "out.parquet")
    sink.write(result())
    disk.room = 20
    with pytest.raises(OutputError, match=r"out\.parquet failed after 1 row: No space left"):
        sink.write(result())
    disk.room = 10_000
    before = disk.tell()
    with pytest.raises(OutputError, match="No space left"):
        sink.write(result())
    assert disk.tell() == before
    sink.close()


# -- without pyarrow


def test_the_extra_is_named_before_a_file_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_table, "find_spec", lambda name: None)
    path = tmp_path / "out.parquet"
    with pytest.raises(MissingExtraError, match=r"pip install 'batch-llm\[parquet\]'"):
        open_sink(path, PARQUET)
    assert not path.exists()
    with pytest.raises(MissingExtraError), open_source(path, PARQUET):
        pass


def test_calls_without_an_answer_are_a_number() -> None:
    stream = io.BytesIO()
    writer = PARQUET.writer(stream, ())
    writer.write(ResultRow(id="a", line=1, status="failed", unanswered_calls=2))
    writer.close()

    (row,) = PARQUET.read(stream)
    assert row.fields["unanswered_calls"] == 2
