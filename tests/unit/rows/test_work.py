"""Work items from tables, whoever made them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy
import pandas
import polars
import pyarrow
import pytest

from batch_llm import ParallelBatchProcessor, work_items
from batch_llm.exceptions import ConfigurationError, InputError
from batch_llm.testing import MockAgent, mock_strategy

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = [
    {"id": "a", "text": "one", "stars": 5, "when": datetime(2026, 3, 1)},
    {"id": "b", "text": "two", "stars": 4, "when": datetime(2026, 3, 2)},
]


class Dataset:
    """Stands in for `datasets.Dataset`: iterating yields a dictionary a row."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows
        self.column_names = list(rows[0])
        self.features = dict.fromkeys(rows[0], "Value")

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._rows[index]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self._rows


class IterableDataset:
    """Stands in for `datasets.IterableDataset`, which may not know its columns nor its length."""

    column_names = None
    features = None

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self._rows


SOURCES = {
    "mappings": list,
    "generator": iter,
    "pandas": pandas.DataFrame,
    "polars": polars.DataFrame,
    "pyarrow": pyarrow.Table.from_pylist,
    "dataset": Dataset,
    "iterable dataset": IterableDataset,
}

every_source = pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)


def strategy() -> Any:
    return mock_strategy(MockAgent(lambda prompt: f"re: {prompt}", latency=0))


def items_of(rows: Any, prompt: str = "{text}", **options: Any) -> list[Any]:
    return list(work_items(rows, strategy(), prompt, **options))


def reasons(rows: Any, prompt: str = "{text}") -> list[str | None]:
    made = items_of(rows, prompt)
    return [item.prompt if "Unusable" in type(item.strategy).__name__ else None for item in made]


@every_source
def test_each_row_is_an_item(make: Any) -> None:
    items = items_of(make(ROWS), "{text} has {stars} on {when}")

    assert [(item.item_id, item.prompt) for item in items] == [
        ("a", "one has 5 on 2026-03-01T00:00:00"),
        ("b", "two has 4 on 2026-03-02T00:00:00"),
    ]
    assert items[0].context == {
        "id": "a",
        "text": "one",
        "stars": 5,
        "when": "2026-03-01T00:00:00",
    }


@every_source
def test_a_missing_value_fails_its_row_with_number_and_field(make: Any) -> None:
    rows = make([{"text": "one", "n": 1.5}, {"text": None, "n": 2.5}, {"text": "x", "n": None}])

    assert reasons(rows, "{text} {n}") == [
        None,
        "Row 2 has nothing (None or NaN) in the field 'text'.",
        "Row 3 has nothing (None or NaN) in the field 'n'.",
    ]


@pytest.mark.parametrize("missing", [None, math.nan, pandas.NA, pandas.NaT, numpy.nan])
def test_every_word_for_missing_is_one(missing: Any) -> None:
    frame = pandas.DataFrame({"text": pandas.Series(["x", missing], dtype=object)})
    assert reasons(frame) == [None, "Row 2 has nothing (None or NaN) in the field 'text'."]


@every_source
async def test_every_row_ends_once_and_a_bad_one_makes_no_call(make: Any) -> None:
    rows = make([{"id": "a", "text": "one"}, {"id": "b", "text": None}, {"id": "c", "text": "x"}])
    agent = MockAgent(lambda prompt: f"re: {prompt}", latency=0)

    async with ParallelBatchProcessor[str, Any, Any](max_workers=2) as processor:
        found = await processor.process_all(
            work_items(rows, mock_strategy(agent), "{text}"), order="input"
        )

    assert [(result.item_id, result.success) for result in found] == [
        ("a", True),
        ("b", False),
        ("c", True),
    ]
    assert sorted(agent.prompts) == ["one", "x"]
    bad = found.results[1]
    assert bad.error == "InputError: Row 2 has nothing (None or NaN) in the field 'text'."
    assert isinstance(bad.exception, InputError)
    assert (bad.attempts, bad.token_usage["total_tokens"]) == (1, 0)
    assert bad.context == {"id": "b"}


def test_ids_come_from_a_field_else_the_number() -> None:
    rows = [{"key": 7, "text": "x"}, {"key": None, "text": "y"}]
    assert [item.item_id for item in items_of(rows)] == ["1", "2"]
    first, second = items_of(rows, id_field="key")
    assert (first.item_id, first.prompt) == ("7", "x")
    assert (second.item_id, second.prompt) == ("2", "Row 2 has no id in the field 'key'.")


def test_the_context_is_the_row_its_number_or_nothing() -> None:
    assert [item.context for item in items_of(ROWS, context="number")] == [1, 2]
    assert [item.context for item in items_of(ROWS, context=None)] == [None, None]
    with pytest.raises(ConfigurationError, match="context is 'row', 'number' or None, not 'id'"):
        items_of(ROWS, context="id")


def test_rows_are_read_as_they_are_asked_for() -> None:
    taken = []

    def rows() -> Iterator[dict[str, Any]]:
        for n in range(100):
            taken.append(n)
            yield {"text": str(n)}

    items = work_items(rows(), strategy(), "{text}")
    assert taken == []
    next(items)
    next(items)
    assert taken == [0, 1]


def test_what_is_no_row_is_one_failed_item() -> None:
    rows: Any = [{"text": "x"}, "y", {"text": "z"}]
    assert reasons(rows) == [None, "Row 2 is a str, not a mapping of names to values.", None]


def test_values_of_other_libraries() -> None:
    @dataclass
    class Opaque:
        secret: str

    row = {
        "array": numpy.array([1, 2]),
        "number": numpy.int64(3),
        "day": numpy.datetime64("2026-03-01"),
        "series": polars.Series([1.5]),
        "odd": Opaque("secret"),
        "endless": math.inf,
    }
    (item,) = items_of([row], "{array} {number} {day} {series}")
    assert item.prompt == "[1,2] 3 2026-03-01 [1.5]"
    assert set(item.context) == {"array", "number", "day", "series"}
    assert reasons([row], "{odd}") == [
        "Row 1 has in the field 'odd' what no prompt can hold: an object of type Opaque."
    ]
    assert reasons([row], "{endless}") == [
        "Row 1 has in the field 'endless' what no prompt can hold: an infinite number."
    ]


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow", "dataset"])
def test_a_column_that_is_not_there_is_refused_at_once(kind: str) -> None:
    rows = SOURCES[kind](ROWS)  # type: ignore[operator]
    with pytest.raises(InputError, match=r"rows has no column 'txt'\. Did you mean 'text'\?"):
        work_items(rows, strategy(), "{txt}")
    with pytest.raises(InputError, match=r"no column 'key'\. There are: 'id', 'text', 'stars'"):
        work_items(rows, strategy(), "{text}", id_field="key")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("text", "rows is a str; give an iterable of mappings"),
        (3, "rows is a int; give an iterable"),
        ({"train": [], "test": []}, "or one of its values: 'train', 'test'"),
        (polars.LazyFrame({"text": ["x"]}), r"is a LazyFrame, .* what its collect\(\) returns"),
        (pandas.DataFrame([[1, 2]], columns=["text", "text"]), "two columns are named 'text'"),
    ],
)
def test_what_is_no_source_of_rows_is_refused_at_once(rows: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        work_items(rows, strategy(), "{text}")


def test_columns_of_pandas_without_names_have_numbers() -> None:
    (item,) = items_of(pandas.DataFrame([["x", "y"]]), "{0}{1}")
    assert item.prompt == "xy"
