"""What OpenAI finds wrong with a JSON schema."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel

from batch_llm.testing.simulator.openai.refusal import RefusedError
from batch_llm.testing.simulator.openai.schemas import fault_of, schema_of


def fault(schema: Any, *, strict: bool = True) -> str | None:
    return fault_of(msgspec.Raw(json.dumps(schema).encode()), "schema", strict)


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


OPEN: dict[str, Any] = {"type": "object", "properties": {"b": {"type": "string"}}}


@pytest.mark.parametrize(
    ("schema", "way"),
    [
        (OPEN, ()),
        (closed(a=OPEN), ("properties", "a")),
        (closed(a={"type": "array", "items": OPEN}), ("properties", "a", "items")),
        (closed(a={"anyOf": [{"type": "null"}, OPEN]}), ("properties", "a", "anyOf", "1")),
        ({**closed(), "$defs": {"B": OPEN}}, ("$defs", "B")),
    ],
)
def test_an_open_object_wherever_it_is(schema: Any, way: tuple[str, ...]) -> None:
    assert fault(schema) == (
        f"In context={way!r}, 'additionalProperties' is required to be supplied and to be false."
    )
    assert fault(schema, strict=False) is None


def test_a_property_that_is_not_required() -> None:
    schema = closed(a={}, b={})
    schema["required"] = ["a"]
    found = fault(schema)
    assert found is not None
    assert found.endswith("an array including every key in properties. Missing 'b'.")


@pytest.mark.parametrize("schema", [{}, {"type": "array"}, {"type": ["object", "null"]}])
def test_a_root_that_is_no_object(schema: Any) -> None:
    found = fault(schema, strict=False)
    assert found is not None
    assert found.startswith("schema must be a JSON Schema of 'type: \"object\"'")


@pytest.mark.parametrize("strict", [True, False])
def test_odd_schemas_break_nothing(strict: bool) -> None:
    odd = closed(a=7, b={"items": 7, "anyOf": 7, "properties": [1], "type": 3})
    odd["$defs"] = []
    assert fault(odd, strict=strict) is None


def test_the_sdks_own_strict_schemas_are_good() -> None:
    class Inner(BaseModel):
        name: str
        size: float | None = None

    class Outer(BaseModel):
        inners: list[Inner]
        best: Inner
        words: dict[str, str] | None = None

    class Plain(BaseModel):
        inners: list[Inner]
        best: Inner

    assert fault(to_strict_json_schema(Plain)) is None
    assert fault(to_strict_json_schema(Outer)) is not None


@pytest.mark.parametrize("raw", [b"7", b"[]", b"null", b'"a"'])
def test_a_schema_is_an_object(raw: bytes) -> None:
    with pytest.raises(RefusedError, match="expected an object"):
        schema_of(msgspec.Raw(raw), "schema")
