"""Google's schemas as JSON schemas."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from batch_llm.testing.simulator.gemini.refusal import RefusedError
from batch_llm.testing.simulator.gemini.schemas import json_schema_of

TEXT = {"type": "STRING"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (TEXT, {"type": "string"}),
        ({"type": "string"}, {"type": "string"}),
        ({}, {}),
        ({"type": "TYPE_UNSPECIFIED"}, {}),
        ({"type": None}, {}),
        ({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}),
        ({"nullable": True, "anyOf": [TEXT]},
         {"anyOf": [{"anyOf": [{"type": "string"}]}, {"type": "null"}]}),
        ({"type": "STRING", "enum": ["a"], "nullable": True},
         {"type": ["string", "null"], "enum": ["a", None]}),
        ({"type": "ARRAY", "items": TEXT, "minItems": "2", "max_items": 3},
         {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 3}),
        ({"type": "OBJECT", "properties": {"min_items": TEXT}, "required": ["min_items"],
          "propertyOrdering": ["min_items"], "example": {}},
         {"type": "object", "properties": {"min_items": {"type": "string"}},
          "required": ["min_items"]}),
        ({"type": "OBJECT", "additionalProperties": TEXT},
         {"type": "object", "additionalProperties": {"type": "string"}}),
        ({"type": "OBJECT", "additional_properties": False},
         {"type": "object", "additionalProperties": False}),
        ({"$ref": "#/$defs/a", "defs": {"a": TEXT}},
         {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}),
        ({"any_of": [TEXT, {"type": "NULL"}]},
         {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        ({"type": "NUMBER", "minimum": 1, "maximum": 2.5, "format": "double", "title": "t"},
         {"type": "number", "minimum": 1, "maximum": 2.5, "format": "double", "title": "t"}),
    ],
)  # fmt: skip
def test_what_a_schema_means(written: dict[str, Any], meant: dict[str, Any]) -> None:
    schema = json_schema_of(written, "schema")
    assert schema == meant
    jsonschema_rs.validator_for(schema)


def _deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = TEXT
    for _ in range(levels):
        schema = {"type": "ARRAY", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"type": "OBJECT"}, "* GenerateContentRequest.s.properties: should be non-empty"),
        ({"type": "ARRAY"}, "* GenerateContentRequest.s.items: missing field."),
        ({"type": "ARRAY", "items": 1}, "Invalid value at 's.items': a schema is an object."),
        ({"type": 1}, "Invalid value at 's.type'"),
        ({"type": "FLOAT"}, "Invalid value at 's.type'"),
        ({"oneOf": []}, "Invalid JSON payload received. Unknown name \"oneOf\" at 's'"),
        ({"minItems": "many"}, "Invalid value at 's.minItems' (TYPE_INT64), 'many'"),
        ({"minItems": []}, "Invalid value at 's.minItems' (TYPE_INT64), []"),
        ({"enum": "a"}, "Invalid value at 's.enum'"),
        ({"type": "NUMBER", "enum": ["1"]}, "* GenerateContentRequest.s.enum: only allowed for"),
        ({"required": 1}, "Invalid value at 's.required'"),
        ({"properties": {"a": TEXT}, "required": ["a", "b"]},
         "* GenerateContentRequest.s.required[1]: property is not defined"),
        (_deep(40), "* GenerateContentRequest.s.items.items"),
    ],
)  # fmt: skip
def test_what_is_refused(written: dict[str, Any], message: str) -> None:
    with pytest.raises(RefusedError) as raised:
        json_schema_of(written, "s")
    assert raised.value.message.startswith(message)
