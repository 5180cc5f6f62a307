"""What an answer of a usual size needs is done at once, and what has no sense is bounded.

Each of these took minutes where every field was compared with every word, so that the limit of a
test's time tells.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from batch_llm.base.citation import Citation
from batch_llm.batch.citations import CitedValue, map_citations

VOCABULARY = [f"{first}{last}" for first in "abcdefghij" for last in ("lter", "rund", "onne")]


def mapped(answer: Any, *texts: str) -> dict[str, list[CitedValue]]:
    passages = [Citation(text, 0, None, "char", 0, None) for text in texts]
    return map_citations(answer, passages)


def table(lines: int) -> tuple[list[dict[str, Any]], str]:
    rows = [{"item": f"Item{at} oak", "price": 100.5 + at} for at in range(lines)]
    return rows, "\n".join(f"{row['item']}   {row['price']:.2f} EUR" for row in rows)


def words(count: int, seed: int) -> str:
    return " ".join(random.Random(seed).choices(VOCABULARY, k=count))


def test_a_long_table_is_mapped_line_by_line() -> None:
    rows, text = table(2_000)
    found = mapped({"lines": rows}, text)
    lines = text.split("\n")
    assert len(found) == 4_000
    for at in (0, 1_234, 1_999):
        [price] = found[f"lines.{at}.price"]
        assert text[: price.start].count("\n") == at
        assert text[price.start : price.end] in lines[at]


def test_a_table_with_cells_has_its_head_looked_up_once() -> None:
    rows, _ = table(2_000)
    text = "Item | Price\n--- | ---\n"
    text += "\n".join(f"{row['item']} | {row['price']}" for row in rows)
    assert len(mapped({"lines": rows}, text)) == 4_000


def test_a_long_list_of_numbers_is_mapped() -> None:
    numbers = list(range(1_000, 4_000))
    found = mapped({"numbers": numbers}, " ".join(map(str, numbers)))
    assert {path: one.start // 5 for path, [one] in found.items()} == {
        f"numbers.{at}": at for at in range(3_000)
    }


def test_a_passage_each_of_many_items() -> None:
    rows, text = table(300)
    found = mapped({"lines": rows}, *text.split("\n"))
    assert len(found) == 600
    assert found["lines.77.price"][0].citation.cited_text == text.split("\n")[77]


def test_a_long_summary_of_a_long_passage() -> None:
    stated = "we saw sturdy demand for barges and tugs in spring"
    passage = f"{words(1_000, seed=1)} {stated} {words(3_000, seed=4)}"
    value = f"sturdy demand for barges and tugs {words(500, seed=2)}"
    assert mapped({"summary": value}, passage).keys() <= {"summary"}
    value = "sturdy demand was seen for barges and tugs in spring"
    [found] = mapped({"summary": value}, passage)["summary"]
    text = passage[found.start : found.end]
    assert text.endswith("sturdy demand for barges and tugs in spring")


@pytest.mark.parametrize("word", ["word ", "1 ", "12 34 ", "no ", "- a b ", "a\n", "a | ", "Al "])
def test_a_text_that_repeats_itself_ends(word: str) -> None:
    count = 10_000
    assert mapped({"text": word * count}, word * count * 2, "b" + word * count).keys() <= {"text"}


@pytest.mark.parametrize(
    "passage",
    [
        "word" * 50_000,
        "X200" * 50_000,
        "a | b\n" + "-" * 100_000 + "x\nb | 5",
        "1.2.2024 " * 20_000,
        "[1] " * 20_000,
        words(100_000, seed=3),
    ],
)
def test_a_passage_without_end_is_read(passage: str) -> None:
    answer = {"name": "alter brund conne dlter erund", "total": 5, "codes": ["X200", "1 2 2024"]}
    assert mapped(answer, passage).keys() <= {"name", "total", "codes.0", "codes.1"}


def test_a_value_that_is_everywhere_is_left_out_and_the_others_are_not() -> None:
    rows, text = table(1_000)
    for row in rows:
        row["currency"] = "EUR"
    found = mapped({"lines": rows}, text)
    assert len(found) == 2_000
    assert not any(path.endswith("currency") for path in found)
    few, text = [row | {"currency": "EUR"} for row in rows[:50]], "\n".join(text.split("\n")[:50])
    assert len(mapped({"lines": few}, text)) == 150


def test_many_fields_of_one_value_are_bounded() -> None:
    answer = {f"field_{at}": "EUR" for at in range(2_000)} | {"total": 12.5}
    text = " ".join(f"field {at}: EUR" for at in range(2_000)) + "\nTotal: 12.50"
    assert mapped(answer, text).keys() >= {"total"}
