"""Prompt templates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.exceptions import ConfigurationError
from batch_llm.rows.template import MISSING, FieldPath, PromptTemplate


def fill(text: str, **fields: object) -> str:
    template = PromptTemplate(text)
    return template.fill(template.values(fields))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Say {a}.", "Say x."),
        ("{a}{a} {b}", "xx 3"),
        ("{ a }", "x"),
        ("{{{a}}}", "{x}"),
        ("{{a}}", "{a}"),
        ('{{"k": "{a}"}}', '{"k": "x"}'),
        ("no gap", "no gap"),
        ("{d.e}", "deep"),
        ("{d.list.1.n}", "2"),
        ("{d}", '{"e":"deep","list":[0,{"n":2}]}'),
        ("{dotted.name}", "flat"),
        ("{First Name}", "Ada"),
        ("{none} {yes} {float}", "null true 0.5"),
        ("{big}", "123456789012345678901234567890"),
    ],
)
def test_fills_gaps(text: str, expected: str) -> None:
    fields = {
        "a": "x",
        "b": 3,
        "d": {"e": "deep", "list": [0, {"n": 2}]},
        "dotted.name": "flat",
        "dotted": {"name": "nested"},
        "First Name": "Ada",
        "none": None,
        "yes": True,
        "float": 0.5,
        "big": 123456789012345678901234567890,
    }
    assert fill(text, **fields) == expected


def test_a_value_is_never_read_as_a_template() -> None:
    assert fill("{a} {b}", a="{b}", b="{{") == "{b} {{"


def test_text_that_is_not_ascii_is_not_escaped() -> None:
    assert fill("{a}", a=["é"]) == '["é"]'


@pytest.mark.parametrize("path", ["x", "d.x", "d.list.2", "d.list.-1", "d.list.n", "d.e.f", "n.x"])
def test_a_field_that_is_not_there_is_missing(path: str) -> None:
    fields = {"d": {"e": "text", "list": [0, 1]}, "n": None}

    assert PromptTemplate(f"{{{path}}}").values(fields) == {FieldPath(path): MISSING}


def test_null_is_a_value() -> None:
    assert PromptTemplate("{a}").values({"a": None}) == {FieldPath("a"): None}


def test_fields_are_named_once_in_order() -> None:
    template = PromptTemplate("{b} {a} {b}")

    assert [path.name for path in template.fields] == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a {b", "'{' without its partner at character 3"),
        ("a b}", "'}' without its partner at character 4"),
        ("{a}}", "'}' without its partner at character 4"),
        ("{a{b}}", "'{' without its partner at character 1"),
        ("{}", "a gap without a name at character 1"),
        ("x {  }", "a gap without a name at character 3"),
        (" \n", "The prompt template is empty"),
    ],
)
def test_a_template_that_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PromptTemplate(text)
    assert said in str(caught.value)


@given(text=st.text().filter(str.strip))
def test_doubled_braces_stand_for_any_text(text: str) -> None:
    assert fill(text.replace("{", "{{").replace("}", "}}")) == text
