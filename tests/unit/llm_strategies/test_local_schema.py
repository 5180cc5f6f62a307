from __future__ import annotations

import copy
from typing import Any, Literal

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from batch_llm.llm_strategies.local_schema import grammar_schema


class Actor(BaseModel):
    name: str = Field(max_length=20)
    age: int | None = None


class Film(BaseModel):
    kind: Literal["drama", "comedy"]
    actors: list[Actor] = Field(max_length=3)
    lead: Actor | None = None
    awards: dict[str, int] = {}


def kept(schema: dict[str, Any]) -> dict[str, Any]:
    """What the grammar gets, but for its style."""
    return {key: value for key, value in grammar_schema(schema).items() if key != "x-guidance"}


def test_white_space_is_fixed_as_most_json_has_it() -> None:
    style = grammar_schema({"type": "string"})["x-guidance"]
    assert style["whitespace_flexible"] is False
    assert (style["key_separator"], style["item_separator"]) == (": ", ", ")


def test_objects_are_closed_at_every_depth() -> None:
    closed = kept(Film.model_json_schema())
    assert closed["additionalProperties"] is False
    assert closed["$defs"]["Actor"]["additionalProperties"] is False
    # A free dictionary has no properties of its own, and stays one.
    assert closed["properties"]["awards"]["additionalProperties"] == {"type": "integer"}


def test_what_the_schema_says_of_further_properties_stands() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "integer"}}}
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "additionalProperties": inner,
    }
    assert kept(schema)["additionalProperties"] == {**inner, "additionalProperties": False}
    assert kept({**schema, "additionalProperties": True})["additionalProperties"] is True


@pytest.mark.parametrize(
    "joining",
    [
        {"allOf": [{"properties": {"b": {"type": "integer"}}, "required": ["b"]}]},
        {"if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}},
        {"properties": {"n": {"anyOf": [{"allOf": [{"type": "integer"}]}]}}},
        {"$defs": {"n": {"allOf": [{"type": "integer"}]}}},
    ],
)
def test_a_schema_that_joins_schemas_is_left_open(joining: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, **joining}
    assert kept(schema) == schema


def test_names_and_values_that_look_like_keywords_are_left_alone() -> None:
    schema = {
        "type": "object",
        "properties": {"properties": {"const": {"properties": {"a": 1}}}, "allOf": {"enum": [1]}},
    }
    assert kept(schema) == {**schema, "additionalProperties": False}


def test_the_schema_given_is_not_changed() -> None:
    schema = Film.model_json_schema()
    before = copy.deepcopy(schema)
    grammar_schema(schema)
    assert schema == before


names = st.sampled_from("abc")
leaves = st.sampled_from([{"type": "integer"}, {"type": "string"}, {"enum": [1, "x"]}, {}])


def _compound(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.fixed_dictionaries(
        {"type": st.just("object"), "properties": st.dictionaries(names, inner, max_size=2)},
        optional={
            "required": st.lists(names, max_size=1),
            "additionalProperties": st.booleans() | inner,
            "allOf": st.lists(inner, min_size=1, max_size=2),
        },
    )
    arrays = st.fixed_dictionaries({"type": st.just("array"), "items": inner})
    choices = st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=2)})
    return objects | arrays | choices


schemas = st.recursive(leaves, _compound, max_leaves=6)
values = st.recursive(
    st.integers(0, 2) | st.sampled_from("xy"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)


@given(schema=schemas, value=values)
def test_whatever_fits_the_grammar_fits_the_schema(schema: dict[str, Any], value: Any) -> None:
    if jsonschema_rs.is_valid(kept(schema), value):
        assert jsonschema_rs.is_valid(schema, value)
