from __future__ import annotations

import copy
from datetime import date
from enum import Enum
from typing import Any, Literal, Union

import pytest
from pydantic import BaseModel, ConfigDict, Field

from batch_llm.base.schema import OutputSchema
from batch_llm.wire.anthropic_schema import closed_schema


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Leg(BaseModel):
    joints: int = Field(ge=1, le=9, description="How many it has.")
    length: float = Field(gt=0)


class Cat(BaseModel):
    kind: Literal["cat"]
    born: date
    homepage: str = Field(json_schema_extra={"format": "uri"})
    secret: str = Field(json_schema_extra={"format": "password"})
    nickname: str = Field(min_length=3)


class Dog(BaseModel):
    kind: Literal["dog", "hound"]
    colour: Colour
    legs: list[Leg] = Field(min_length=1, max_length=8)
    names: list[str] = Field(min_length=2)
    tail: Leg | None
    number: int | str
    is_good: bool
    nothing: None


class Animals(BaseModel):
    """Some animals."""

    dog: Dog
    cat: Cat
    both: Union[Dog, Cat]  # noqa: UP007 - as older code writes it


class Node(BaseModel):
    children: list[Node]


class Counted(BaseModel):
    counts: dict[str, int]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Pair(BaseModel):
    both: tuple[int, str]


class Anything(BaseModel):
    value: Any


class Base(BaseModel):
    pass


class Pet(BaseModel):
    animal: Cat | Dog = Field(discriminator="kind")


@pytest.mark.parametrize("model", [Leg, Cat, Dog, Animals, Base])
def test_it_is_what_the_sdk_sends(model: type[BaseModel]) -> None:
    transform = pytest.importorskip("anthropic").transform_schema
    schema = model.model_json_schema()
    before = copy.deepcopy(schema)
    assert closed_schema(schema) == transform(model)
    assert schema == before


def test_one_of_becomes_any_of() -> None:
    closed = closed_schema(Pet.model_json_schema())
    assert closed is not None
    assert closed["properties"]["animal"] == {
        "anyOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
        "title": "Animal",
    }


@pytest.mark.parametrize("model", [Node, Counted, Open, Pair, Anything])
def test_what_would_change_its_shape_has_no_form(model: type[BaseModel]) -> None:
    assert closed_schema(model.model_json_schema()) is None


STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("schema", "closed"),
    [
        (STRING, STRING),
        ({"type": ["string", "null"]}, {"type": ["string", "null"]}),
        ({"type": "array", "items": STRING}, {"type": "array", "items": STRING}),
        (
            {"type": "string", "pattern": "a+", "$comment": "x", "examples": ["aa"]},
            {"type": "string", "description": "{pattern: a+}"},
        ),
        (
            {"type": "integer", "description": "Some.", "default": None, "uniqueItems": True},
            {"type": "integer", "description": "Some.\n\n{default: null, uniqueItems: true}"},
        ),
        (
            {"type": ["object", "null"], "properties": {"a": STRING}},
            {
                "type": ["object", "null"],
                "properties": {"a": STRING},
                "additionalProperties": False,
            },
        ),
        (
            {"type": "object", "additionalProperties": False},
            {"type": "object", "properties": {}, "additionalProperties": False},
        ),
        (
            {"$ref": "#/definitions/A", "description": "x", "definitions": {"A": STRING}},
            {"$ref": "#/definitions/A", "definitions": {"A": STRING}},
        ),
        ({"enum": [1, None, "a"], "type": ["integer", "string"]}, {"enum": [1, None, "a"]}),
    ],
)
def test_plain_schemas(schema: dict[str, Any], closed: dict[str, Any]) -> None:
    OutputSchema(schema)
    assert closed_schema(schema) == closed


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "object", "additionalProperties": STRING},
        {"type": "object", "properties": {"a": True}},
        {"type": "object", "properties": {"a": {}}},
        {"type": "array", "items": False},
        {"type": "array", "prefixItems": [STRING]},
        {"type": "object", "properties": {}, "patternProperties": {"^a": STRING}},
        {"type": "string", "not": {"const": "a"}},
        {"allOf": [STRING]},
        {"enum": [{"a": 1}]},
        {"const": [1]},
        {"enum": ["a"], "anyOf": [STRING]},
        {"type": "array", "items": {"$ref": "#"}},
        {"type": "object", "properties": {"a": STRING, "b": {"$ref": "#/properties/a"}}},
        {
            "$ref": "#/$defs/A",
            "$defs": {
                "A": {"type": "array", "items": {"$ref": "#/$defs/B"}},
                "B": {"anyOf": [STRING, {"$ref": "#/$defs/A"}]},
            },
        },
    ],
)
def test_schemas_without_a_form(schema: dict[str, Any]) -> None:
    OutputSchema(schema)
    assert closed_schema(schema) is None
