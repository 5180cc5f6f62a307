"""The first pass."""

from __future__ import annotations

import io
import json

import pytest

from batch_llm.exceptions import InputError
from batch_llm.rows.formats import CSV, JSONL
from batch_llm.rows.identity import IdRule
from batch_llm.rows.plan import RowPlan
from batch_llm.rows.source import RowSource
from batch_llm.rows.survey import NAMES_REMEMBERED, Survey, survey
from batch_llm.rows.template import PromptTemplate

PLAN = RowPlan(PromptTemplate("{text}"))


def lines(*rows: object) -> RowSource:
    """Return a source of rows; a string stands for itself, as a line that is no JSON."""
    texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    return RowSource(io.BytesIO("\n".join(texts).encode()), JSONL, "rows.jsonl")


def ids(source: RowSource, plan: RowPlan, found: Survey) -> list[str]:
    return [found.id_of(entry) for entry in plan.entries(source)]


def test_counts_rows_and_names_fields() -> None:
    source = lines({"id": "a", "text": "x"}, "bad", {"n": 1})

    found = survey(source, PLAN)

    assert found == Survey(total=3, unusable=2, fields=("id", "text", "n"))


def test_counts_no_further_than_the_limit() -> None:
    plan = RowPlan(PLAN.template, limit=2)
    source = lines({"id": "a", "text": "x"}, {"id": "b", "text": "x"}, {"id": "a", "text": "x"})

    assert survey(source, plan).total == 2


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (RowPlan(PromptTemplate("{txet}")), "'txet', which the prompt template names. Did you "),
        (RowPlan(PromptTemplate("{zzz}")), "'zzz', which the prompt template names. There are: "),
        (RowPlan(PLAN.template, keep=("nope",)), "'nope', which is to be kept"),
        (RowPlan(PLAN.template, IdRule("key")), "'key', which is to hold the id"),
    ],
)
def test_a_field_that_no_row_has_is_refused(plan: RowPlan, said: str) -> None:
    with pytest.raises(InputError, match=r"^rows\.jsonl: no row has the field") as caught:
        survey(lines({"id": "a", "text": "x"}, "bad"), plan)
    assert said in str(caught.value)


def test_a_field_that_some_row_has_is_not_refused() -> None:
    found = survey(lines({"id": "a"}, {"id": "b", "text": "x"}), PLAN)

    assert (found.total, found.unusable) == (2, 1)


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match=r"^rows\.jsonl: there are no rows\.$"):
        survey(lines(), PLAN)
    with pytest.raises(InputError, match="there are no rows"):
        survey(RowSource(io.BytesIO(b"id,text\n"), CSV, "rows.csv"), PLAN)


def test_rows_of_which_none_can_be_read_are_refused() -> None:
    with pytest.raises(InputError, match="no row can be read; line 1 is not valid JSON"):
        survey(lines("bad", "worse"), PLAN)


def test_an_object_without_fields_is_a_row() -> None:
    with pytest.raises(InputError, match="no row has the field 'text'"):
        survey(lines({}), PLAN)


def test_an_id_that_stands_twice_is_refused_with_both_lines() -> None:
    source = lines(*({"id": name, "text": "x"} for name in "abcb"))

    with pytest.raises(InputError, match=r"the id 'b' stands on line 2 and on line 4\."):
        survey(source, PLAN)


def test_a_number_and_a_text_may_be_the_same_id() -> None:
    with pytest.raises(InputError, match="the id '7' stands on line 1 and on line 2"):
        survey(lines({"id": 7, "text": "x"}, {"id": "7", "text": "x"}), PLAN)


@pytest.mark.parametrize(
    "rows",
    [
        ({"text": "x"}, {"id": "1", "text": "x"}),
        ({"id": "2", "text": "x"}, {"text": "x"}),
    ],
)
def test_a_line_number_that_is_another_rows_id_is_refused(rows: tuple[object, ...]) -> None:
    with pytest.raises(InputError, match=r"has no id and would be named after its number"):
        survey(lines(*rows), PLAN)


def test_a_broken_row_whose_line_is_another_rows_id_is_renamed() -> None:
    """Ids that count from 0 meet the line of every broken row; that must not stop the run."""
    source = lines({"id": 0, "text": "x"}, "bad", {"id": 2, "text": "x"}, "bad")

    found = survey(source, PLAN)

    assert ids(source, PLAN, found) == ["0", "line 2", "2", "4"]


def test_hashes_that_meet_by_chance_are_no_clash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch_llm.rows.survey.hash", lambda _: 1, raising=False)

    found = survey(lines({"id": "a", "text": "x"}, {"id": "b", "text": "x"}, "bad"), PLAN)

    assert found.total == 3
    with pytest.raises(InputError, match="the id 'a' stands on line 1 and on line 2"):
        survey(lines({"id": "a", "text": "x"}, {"id": "a", "text": "x"}), PLAN)


def test_names_made_up_row_by_row_are_not_all_remembered() -> None:
    rows = [{"text": "x", f"name {number}": 1} for number in range(NAMES_REMEMBERED + 50)]

    assert len(survey(lines(*rows), PLAN).fields) <= NAMES_REMEMBERED + 1
    all_kept = RowPlan(PLAN.template, keep=None)
    assert len(survey(lines(*rows), all_kept).fields) == NAMES_REMEMBERED + 51
