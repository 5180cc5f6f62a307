from __future__ import annotations

import copy
from typing import Any, Literal

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from batch_llm.wire.strict_schema import root_type, strict_schema


class Address(BaseModel):
    street: str
    number: int | None


class Person(BaseModel):
    name: str = Field(description="as in the passport")
    kind: Literal["friend", "foe"]
    addresses: list[Address]


class WithDefault(BaseModel):
    name: str = "nobody"


class WithFreeKeys(BaseModel):
    counts: dict[str, int]


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


def test_closes_every_object_of_a_pydantic_schema() -> None:
    strict = strict_schema(Person.model_json_schema())
    assert strict is not None
    assert strict["additionalProperties"] is False
    assert strict["$defs"]["Address"]["additionalProperties"] is False


def test_leaves_the_given_schema_as_it_was() -> None:
    given_schema = Person.model_json_schema()
    before = copy.deepcopy(given_schema)
    strict_schema(given_schema)
    assert given_schema == before


def test_a_schema_that_is_strict_already_stays_the_same() -> None:
    schema = {
        "type": "object",
        "properties": {"label": {"type": "string", "enum": ["a", "b"]}},
        "required": ["label"],
        "additionalProperties": False,
    }
    assert strict_schema(schema) == schema


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    "schema",
    [
        WithDefault.model_json_schema(),
        WithFreeKeys.model_json_schema(),
        Extra.model_json_schema(),
        {"type": "array", "items": {"type": "string"}},
        {"type": "object"},
        {"anyOf": [_object(a={"type": "string"})], "type": "object"},
        _object(a={}),
        _object(a=True),
        _object(a={"type": "array"}),
        _object(a={"type": "array", "items": False}),
        _object(a={"type": "string", "minLength": 3}),
        _object(a={"type": "string", "format": "uri"}),
        _object(a={"type": ["object", "null"]}),
        _object(a={"$ref": "#/$defs/A", "description": "beside a reference"}),
        _object(a={"anyOf": [{"type": "string"}, {"type": "object"}]}),
    ],
)
def test_what_strict_mode_would_refuse_or_change_gives_none(schema: dict[str, Any]) -> None:
    assert strict_schema(schema) is None


_LEAVES = st.sampled_from(
    [{"type": "string"}, {"type": "integer"}, {"type": ["null", "number"]}, {}, {"minLength": 1}]
)


def _parents(children: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from("abc")
    objects = st.builds(
        lambda properties, required, extra: {
            "type": "object",
            "properties": properties,
            "required": sorted(required),
            **({} if extra is None else {"additionalProperties": extra}),
        },
        st.dictionaries(names, children, max_size=3),
        st.sets(names),
        st.sampled_from([None, False, True]),
    )
    arrays = children.map(lambda child: {"type": "array", "items": child})
    choices = st.lists(children, min_size=1, max_size=2).map(lambda some: {"anyOf": some})
    return objects | arrays | choices


_SCHEMAS = st.recursive(_LEAVES, _parents, max_leaves=6)
_VALUES = st.recursive(
    st.none() | st.integers(-2, 2) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abcd"), inner),
    max_leaves=6,
)


@given(_SCHEMAS, _VALUES)
def test_what_fits_the_strict_schema_fits_the_one_given(schema: dict[str, Any], value: Any) -> None:
    strict = strict_schema(schema)
    if strict is not None and jsonschema_rs.is_valid(strict, value):
        assert jsonschema_rs.is_valid(schema, value)


def _objects(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for child in node for found in _objects(child)]
    if not isinstance(node, dict):
        return []
    here = [node] if node.get("type") == "object" else []
    return here + [found for child in node.values() for found in _objects(child)]


@given(_SCHEMAS)
def test_every_object_is_closed_and_asks_for_all_its_properties(schema: dict[str, Any]) -> None:
    for node in _objects(strict_schema(schema)):
        assert node["additionalProperties"] is False
        assert set(node["required"]) == set(node["properties"])


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "object"}, "object"),
        ({"type": "array"}, "array"),
        ({"type": ["object", "null"]}, "several"),
        ({"anyOf": [{"type": "object"}]}, "none"),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "array"}}}, "array"),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, "none"),
        ({"$ref": "#/definitions/A", "definitions": {"A": {"type": "object"}}}, "object"),
        ({"$ref": "https://a.example/schema"}, "object"),
    ],
)
def test_the_type_of_a_root_is_told(schema: dict[str, Any], told: str) -> None:
    assert root_type(schema) == told
