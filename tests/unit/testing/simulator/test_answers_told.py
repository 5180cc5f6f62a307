"""Schemas and bounds that stand in words: what is made up fits them all the same."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from anthropic import transform_schema

from batch_llm.testing.simulator.answers import AutoAnswers
from batch_llm.testing.simulator.answers.told import schema_in_words, with_bounds_in_words
from batch_llm.testing.simulator.call import ModelCall
from batch_llm.wire.anthropic_schema import closed_schema

BOUNDED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "age": {"type": "integer", "minimum": 18, "maximum": 20, "description": "In years."},
        "share": {"type": "number", "exclusiveMinimum": 0.5, "maximum": 0.75},
        "code": {"type": "string", "pattern": "^[a-c]{2}, minimum-[0-9]$"},
        "name": {"type": "string", "minLength": 30, "maxLength": 31},
        "colors": {
            "type": "array",
            "items": {"enum": ["red", "green", "blue"]},
            "minItems": 3,
            "maxItems": 3,
            "uniqueItems": True,
        },
    },
    "required": ["age", "share", "code", "name", "colors"],
    "additionalProperties": False,
}
TREE: dict[str, Any] = {
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
            },
            "required": ["name", "children"],
        }
    },
    "$ref": "#/$defs/Node",
}


def call_of(number: int = 0, **changes: Any) -> ModelCall:
    fields: dict[str, Any] = {
        "provider": "anthropic",
        "operation": "messages",
        "model": "claude-haiku-4-5",
        "key": "key",
        "messages": [("user", "hello")],
        "identity": number.to_bytes(4, "big"),
    }
    return ModelCall(**{**fields, **changes})


async def _said(**changes: Any) -> list[Any]:
    answers = [await AutoAnswers().answer(call_of(number, **changes)) for number in range(20)]
    return [json.loads(answer.text) for answer in answers]


@pytest.mark.parametrize("moved", [transform_schema, closed_schema])
async def test_bounds_that_a_description_tells_are_kept(moved: Any) -> None:
    sent = moved(BOUNDED)
    assert "minimum" not in sent["properties"]["age"], "the API takes no bounds"
    for value in await _said(schema=sent):
        jsonschema_rs.validate(BOUNDED, value)


@pytest.mark.parametrize(
    "words",
    [
        "Answer with JSON and nothing else. It must fit this JSON schema:\n{}",
        "Respond with JSON that's compatible with this schema:\n\n{}\n\nDon't fence it.",
    ],
)
async def test_a_schema_that_stands_in_the_system_prompt_is_fitted(words: str) -> None:
    system = "You name trees.\n\n" + words.replace("{}", json.dumps(TREE))
    for value in await _said(system=system):
        jsonschema_rs.validate(TREE, value)


@pytest.mark.parametrize(
    "system", ["", "It must fit this JSON schema:\nnone", "It must fit this JSON schema:\n{"]
)
async def test_without_a_schema_it_is_an_echo(system: str) -> None:
    call = call_of(system=system)
    assert schema_in_words(call) is None
    assert (await AutoAnswers().answer(call)).text == "hello"


@pytest.mark.parametrize(
    "description",
    [
        "A number {of things}.",
        "{minimum: few}",
        "{minItems: -1}",
        "{maxLength: 1.5}",
        "{uniqueItems: False}",
        "{default: 3}",
        "{minimum: true}",
    ],
)
def test_words_that_are_no_bounds_change_nothing(description: str) -> None:
    schema = {"type": "integer", "description": description}
    assert with_bounds_in_words(schema) is schema


def test_what_the_schema_says_itself_is_kept() -> None:
    schema = {"type": "integer", "minimum": 3, "description": "{minimum: 1, maximum: 9}"}
    assert with_bounds_in_words(schema) == {**schema, "maximum": 9}


async def test_bounds_that_nothing_fits_are_left_out() -> None:
    schema = {"type": "integer", "description": "{minimum: 3, maximum: 2}"}
    assert all(isinstance(value, int) for value in await _said(schema=schema))


def test_a_schema_that_is_nested_too_deep_is_left_to_others() -> None:
    schema: dict[str, Any] = {"type": "integer", "description": "{minimum: 1}"}
    for _ in range(5_000):
        schema = {"items": schema}
    assert with_bounds_in_words(schema) is schema
