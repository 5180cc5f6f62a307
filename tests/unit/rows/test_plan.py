"""From rows to entries."""

from __future__ import annotations

from batch_llm.rows.identity import IdRule
from batch_llm.rows.plan import Entry, RowPlan
from batch_llm.rows.row import BrokenRow, Row
from batch_llm.rows.template import PromptTemplate

ASK = PromptTemplate("Ask {text} of {who}")


def test_a_sound_row_has_a_prompt() -> None:
    entry = RowPlan(ASK).entry(4, Row(9, {"id": "a", "text": "this", "who": "Ada"}))

    assert entry == Entry(4, 9, "a", "Ask this of Ada")
    assert entry.item_id == "a"


def test_a_row_without_an_id_is_named_after_its_line() -> None:
    assert RowPlan(ASK).entry(0, Row(9, {"text": "", "who": ""})).item_id == "9"


def test_a_broken_row_has_its_reason() -> None:
    assert RowPlan(ASK).entry(0, BrokenRow(3, "is bad")) == Entry(
        0, 3, None, reason="Line 3 is bad."
    )


def test_a_broken_row_keeps_the_id_and_the_fields_that_can_be_read() -> None:
    broken = BrokenRow(3, "is bad", {"id": "a", "n": 1})

    assert RowPlan(ASK, keep=("n", "text")).entry(0, broken) == Entry(
        0, 3, "a", reason="Line 3 is bad.", kept={"n": 1}
    )
    assert RowPlan(ASK, IdRule("key")).entry(0, broken).own_id is None


def test_a_row_that_lacks_fields_keeps_its_id() -> None:
    plan = RowPlan(ASK)

    assert plan.entry(0, Row(3, {"id": "a", "text": ""})).reason == "Line 3 has no field 'who'."
    entry = plan.entry(0, Row(3, {"id": "a"}))
    assert (entry.own_id, entry.prompt) == ("a", None)
    assert entry.reason == "Line 3 has no fields 'text', 'who'."


def test_a_row_that_lacks_the_named_id_cannot_be_used() -> None:
    entry = RowPlan(ASK, IdRule("key")).entry(0, Row(3, {"id": "a", "text": "x", "who": "y"}))

    assert entry.reason == "Line 3 has no id in the field 'key'."
    assert (entry.own_id, entry.prompt) == (None, None)


def test_a_null_fills_no_gap() -> None:
    plan = RowPlan(PromptTemplate("Ask {text} of {who.name}: {all}"))
    row = Row(3, {"text": None, "who": {"name": None}, "all": [None]})

    assert plan.entry(0, row).reason == "Line 3 has null in the fields 'text', 'who.name'."


def test_an_empty_prompt_is_not_sent() -> None:
    entry = RowPlan(PromptTemplate("{text}")).entry(0, Row(3, {"text": " \n"}))

    assert (entry.prompt, entry.reason) == (None, "Line 3 makes an empty prompt.")


def test_keeps_the_named_fields_that_there_are() -> None:
    plan = RowPlan(ASK, keep=("text", "meta.n", "absent"))

    kept = plan.entry(0, Row(1, {"text": "x", "who": "y", "meta": {"n": 1}})).kept

    assert kept == {"text": "x", "meta.n": 1}


def test_keeps_all_fields_or_none() -> None:
    row = Row(1, {"text": "x", "who": "y"})

    assert RowPlan(ASK, keep=None).entry(0, row).kept == {"text": "x", "who": "y"}
    assert RowPlan(ASK).entry(0, row).kept is None


def test_the_limit_counts_broken_rows_too() -> None:
    rows = [BrokenRow(1, "is bad"), Row(2, {}), Row(3, {})]

    assert [entry.line for entry in RowPlan(ASK, limit=2).entries(rows)] == [1, 2]


def test_prompts_and_values_stand_in_no_repr() -> None:
    entry = RowPlan(ASK, keep=None).entry(0, Row(1, {"id": "a", "text": "secret", "who": "y"}))

    assert "secret" not in repr(entry)
