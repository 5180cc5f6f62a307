"""JSON values made for a schema: whatever the schema, they fit it."""

from __future__ import annotations

import json
from typing import Any, Literal

import jsonschema_rs
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter

from batch_llm.exceptions import InputError
from batch_llm.testing.simulator.answers.values import FittingValues

SEEDS = range(30)

# --- schemas that have a value ----------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-50, 50)
    | st.floats(-50, 50).map(lambda number: round(number, 3))
    | st.text("abcdef ", max_size=8)
)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("pqrs", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


def _type_of(value: Any) -> str:
    names = {str: "string", bool: "boolean", int: "integer", float: "number", list: "array"}
    return "null" if value is None else names.get(type(value), "object")


class _Schemas:
    """Draws schemas that accept a given value; what they refer to is kept in `definitions`."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.definitions: dict[str, Any] = {}

    def some(self, value: Any, depth: int = 2) -> dict[str, Any]:
        forms = [self.typed, self.listed]
        if depth > 0:
            forms += [
                self.typed,
                self.any_of,
                self.one_of,
                self.all_of,
                self.referred,
                self.negated,
                self.conditional,
            ]
        return self.draw(st.sampled_from(forms))(value, depth - 1)

    def listed(self, value: Any, depth: int) -> dict[str, Any]:
        others = self.draw(st.lists(scalars, max_size=3))
        return self.draw(st.sampled_from([{"const": value}, {"enum": [*others, value]}]))

    def any_of(self, value: Any, depth: int) -> dict[str, Any]:
        branches = [self.some(value, depth), self.some(self.draw(json_values), depth)]
        return {"anyOf": self.draw(st.permutations(branches))}

    def one_of(self, value: Any, depth: int) -> dict[str, Any]:
        other = {"type": "null" if value is not None else "boolean"}
        mine = {"allOf": [self.some(value, depth), {"type": _type_of(value)}]}
        return {"oneOf": self.draw(st.permutations([mine, other]))}

    def all_of(self, value: Any, depth: int) -> dict[str, Any]:
        return {"allOf": [self.typed(value, depth), self.some(value, depth)]}

    def referred(self, value: Any, depth: int) -> dict[str, Any]:
        schema = self.some(value, depth)
        name = f"d/{len(self.definitions)}~"
        self.definitions[name] = schema
        pointer = name.replace("~", "~0").replace("/", "~1")
        return {"$ref": f"#/$defs/{pointer}"}

    def negated(self, value: Any, depth: int) -> dict[str, Any]:
        return {**self.typed(value, depth), "not": {"const": "never"}}

    def conditional(self, value: Any, depth: int) -> dict[str, Any]:
        schema = self.typed(value, depth)
        return {"if": schema, "then": self.some(value, depth), "else": schema}

    def typed(self, value: Any, depth: int) -> dict[str, Any]:
        kind = _type_of(value)
        more = getattr(self, f"_{kind}", lambda *_: {})(value, depth)
        types: Any = sorted({kind, "null"}) if self.draw(st.booleans()) else kind
        return {"type": types, **self._some_of(more)}

    def _some_of(self, words: dict[str, Any]) -> dict[str, Any]:
        kept = {word: rule for word, rule in words.items() if self.draw(st.booleans())}
        # A closed object names all that it may have.
        return {**kept, "properties": words["properties"]} if "properties" in words else kept

    def _integer(self, value: int, depth: int) -> dict[str, Any]:
        factors = [factor for factor in (1, 2, 3, 5) if value % factor == 0]
        return {**self._number(value, depth), "multipleOf": self.draw(st.sampled_from(factors))}

    def _number(self, value: float, depth: int) -> dict[str, Any]:
        room = st.integers(0, 3)
        return {
            "minimum": value - self.draw(room),
            "maximum": value + self.draw(room),
            "exclusiveMinimum": value - 1 - self.draw(room),
            "exclusiveMaximum": value + 1 + self.draw(room),
        }

    def _string(self, value: str, depth: int) -> dict[str, Any]:
        room = st.integers(0, 3)
        return {
            "minLength": max(0, len(value) - self.draw(room)),
            "maxLength": len(value) + self.draw(room),
        }

    def _array(self, value: list[Any], depth: int) -> dict[str, Any]:
        first = self.draw(st.integers(0, len(value)))
        room = st.integers(0, 2)
        return {
            "prefixItems": [self.some(item, depth) for item in value[:first]] or [True],
            "items": {"anyOf": [self.some(item, depth) for item in value or [None]]},
            "minItems": max(0, len(value) - self.draw(room)),
            "maxItems": len(value) + self.draw(room),
            **({"contains": self.some(value[-1], depth)} if value else {}),
        }

    def _object(self, value: dict[str, Any], depth: int) -> dict[str, Any]:
        named = {name: self.some(inner, depth) for name, inner in value.items()}
        others = self.draw(st.dictionaries(st.sampled_from("xyz"), st.just({"type": "integer"})))
        room = st.integers(0, 2)
        return {
            "properties": {**named, **others},
            "required": [name for name in value if self.draw(st.booleans())],
            "additionalProperties": self.draw(st.sampled_from([False, True, {"type": "boolean"}])),
            "minProperties": max(0, len(value) - self.draw(room)),
            "maxProperties": len(value) + self.draw(room),
            "dependentRequired": {name: list(value)[:1] for name in value},
        }


@st.composite
def schemas_with_a_value(draw: Any) -> dict[str, Any]:
    schemas = _Schemas(draw)
    value = draw(json_values)
    schema = schemas.some(value)
    schema = {**schema, "$defs": schemas.definitions}
    assert jsonschema_rs.is_valid(schema, value), "the test's own schema refuses its value"
    return schema


@given(schemas_with_a_value(), st.integers(0, 2**128))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_every_value_fits_its_schema(schema: dict[str, Any], seed: int) -> None:
    note(json.dumps(schema))
    try:
        value = FittingValues(schema).make(seed)
    except InputError:
        # Conditions within conditions are met by trial, which may find nothing, and says so.
        assert json.dumps(schema).count('"if"') > 1
        return
    jsonschema_rs.validate(schema, value, validate_formats=True)
    assert json.loads(json.dumps(value)) == value


WORDS = (
    "type", "enum", "const", "$ref", "$defs", "anyOf", "oneOf", "allOf", "not", "if", "then",
    "properties", "required", "additionalProperties", "patternProperties", "propertyNames",
    "minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "dependencies",
    "items", "prefixItems", "contains", "minContains", "maxContains", "minItems", "maxItems",
    "uniqueItems", "unevaluatedItems", "unevaluatedProperties", "minLength", "maxLength",
    "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "multipleOf", "$schema", "$id",
    "$anchor", "definitions",
)  # fmt: skip
ODD_VALUES = st.sampled_from(
    ["string", "object", "array", "integer", "#", "#/$defs/a", "^a+$", "(", "date", "a", "http://x"]
) | st.sampled_from(
    [None, True, False, 0, 1, -1, 2.5, 1e308, 10**30, "", [], {}, ["a"], ["object"]]
)
odd_schemas = st.recursive(
    ODD_VALUES,
    lambda inner: (
        st.dictionaries(st.sampled_from((*WORDS, "a", "b")), inner, max_size=4)
        | st.lists(inner, max_size=2)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(WORDS), odd_schemas, min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_any_schema_gets_a_fitting_value_or_an_error_for_the_reader(schema: dict[str, Any]) -> None:
    note(json.dumps(schema))
    try:
        value = FittingValues(schema).make(1)
    except InputError:
        return
    jsonschema_rs.validate(schema, value, validate_formats=True)


# --- each keyword ------------------------------------------------------------------------------

KINDS: dict[str, dict[str, Any]] = {
    "anything": {},
    "constant": {"const": {"a": [1]}},
    "nullable": {"type": ["string", "null"]},
    "no type": {"properties": {"a": {"minimum": 3}}, "required": ["a"]},
    "bounds left out": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
    "one float between": {"type": "number", "exclusiveMinimum": 0, "maximum": 5e-324},
    "below zero": {"type": "integer", "maximum": -7},
    "huge": {"type": "integer", "minimum": 10**30, "maximum": 10**30 + 5},
    "beyond exact floats": {"type": "number", "minimum": 2**53 + 1},
    "cents": {"type": "number", "multipleOf": 0.01, "minimum": 0.1, "maximum": 0.3},
    "common multiples": {"allOf": [{"multipleOf": 4}, {"multipleOf": 6}], "minimum": 1},
    "long text": {"type": "string", "minLength": 5_000, "maxLength": 5_000},
    "short text": {"type": "string", "maxLength": 2},
    "empty text": {"type": "string", "maxLength": 0},
    "tuple": {
        "prefixItems": [{"type": "integer"}, {"type": "null"}],
        "items": False,
        "minItems": 2,
    },
    "tuple of older drafts": {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "items": [{"type": "integer"}],
        "additionalItems": {"type": "boolean"},
        "minItems": 3,
    },
    "bounds of draft 4": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "integer",
        "minimum": 3,
        "exclusiveMinimum": True,
        "maximum": 4,
    },
    "different items": {"items": {"enum": [1, 2, 3, 4]}, "uniqueItems": True, "minItems": 4},
    "contained items": {
        "items": {"type": "integer"},
        "contains": {"const": 7},
        "minContains": 2,
        "maxContains": 2,
    },
    "an item for two rules": {
        "allOf": [{"contains": {"type": "string"}}, {"contains": {"minLength": 3}}],
        "type": "array",
        "maxItems": 1,
    },
    "names of a pattern": {
        "patternProperties": {"^x-[0-9]$": {"type": "integer"}},
        "additionalProperties": False,
        "minProperties": 3,
    },
    "many names": {"type": "object", "minProperties": 500},
    "names by a rule": {
        "type": "object",
        "propertyNames": {"pattern": "^k[0-9]$"},
        "minProperties": 2,
    },
    "required without a schema": {"type": "object", "required": ["a"]},
    "properties that draw in others": {
        "properties": {"a": {}, "b": {}},
        "dependentRequired": {"a": ["b"]},
        "dependentSchemas": {"b": {"required": ["c"]}},
    },
    "if and else": {
        "type": "object",
        "properties": {"kind": {"enum": [1, 2]}},
        "required": ["kind"],
        "if": {"properties": {"kind": {"const": 1}}},
        "then": {"required": ["x"]},
        "else": {"required": ["y"]},
    },
    "closed over all parts": {
        "allOf": [{"properties": {"b": {"type": "string"}}, "required": ["b"]}],
        "properties": {"a": {}},
        "unevaluatedProperties": False,
    },
    "not": {"not": {"type": ["string", "object", "array"]}},
    "odd": {"type": "integer", "not": {"multipleOf": 2}},
    "many that can only be tried": {
        "items": {"type": "integer", "not": {"multipleOf": 2}},
        "minItems": 40,
    },
    "thousands that are checked": {
        "items": {"type": "string", "pattern": "^[ab]$"},
        "minItems": 2_500,
    },
    "as many as can be contained": {"contains": {"type": "integer"}, "minContains": 200},
    "data that looks like a reference": {"const": {"$ref": "https://shop.example/x"}},
    "overlapping alternatives": {"oneOf": [{"type": "integer"}, {"type": "number"}]},
    "alternatives beside rules": {
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
        "anyOf": [{"properties": {"a": {"minimum": 5}}}, {"properties": {"a": {"maximum": -5}}}],
    },
    "an alternative that is impossible": {
        "anyOf": [{"type": "integer", "enum": ["x"]}, {"const": 3}]
    },
    "an optional property that is impossible": {"properties": {"a": False}, "type": "object"},
    "anchors": {"$ref": "#item", "$defs": {"x": {"$anchor": "item", "type": "integer"}}},
    "a name of its own": {
        "$id": "https://shop.example/order",
        "$ref": "https://shop.example/order#/$defs/x",
        "$defs": {"x": {"type": "integer"}},
    },
    "a property called $ref": {
        "properties": {"$ref": {"type": "integer"}, "enum": {"type": "string"}},
        "required": ["$ref", "enum"],
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_schema(kind: str) -> None:
    schema = KINDS[kind]
    values = FittingValues(schema)
    for seed in SEEDS:
        jsonschema_rs.validate(schema, values.make(seed), validate_formats=True)


FORMATS = (
    "date", "date-time", "duration", "email", "hostname", "idn-email", "idn-hostname", "ipv4",
    "ipv6", "iri", "iri-reference", "json-pointer", "regex", "relative-json-pointer", "time",
    "uri", "uri-reference", "uri-template", "uuid",
)  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_formats(name: str) -> None:
    schema = {"type": "string", "format": name}
    values = {FittingValues(schema).make(seed) for seed in SEEDS}
    assert len(values) > 5
    for value in values:
        jsonschema_rs.validate(schema, value, validate_formats=True)


@pytest.mark.parametrize("name", ["email", "hostname", "uri"])
def test_a_format_of_some_length(name: str) -> None:
    schema = {"type": "string", "format": name, "minLength": 120}
    value = FittingValues(schema).make(1)
    jsonschema_rs.validate(schema, value, validate_formats=True)


PATTERNS = (
    "^[a-z]{2,4}-\\d+$",
    "^(red|green|blue)$",
    "^#?([A-Fa-f0-9]{6}|[a-f0-9]{3})$",
    "^\\(?\\d{3}\\)?[ .-]?\\d{4}$",
    "^(?:a|b)*?c{2,}$",
    "^(?<year>\\d{4})-\\d\\d$",
    "^[^\\s@]+@[^\\s@]+\\.[a-z]{2,}$",
    "^\\p{Lu}\\p{L}*$",
    "^\\u0041\\x42.$",
    "^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$",
    "abc",
    "",
    "^[\\w.-]+$",
    "^\\S\\W\\D$",
)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns(pattern: str) -> None:
    schema = {"type": "string", "pattern": pattern}
    values = FittingValues(schema)
    for seed in SEEDS:
        jsonschema_rs.validate(schema, values.make(seed))


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [("^[a-z]*$", 20, 20), ("^(ab|c)+$", 7, 9), ("abc", 10, 12), ("^x", 5, 5), ("y$", 3, 3)],
)
def test_a_pattern_and_a_length(pattern: str, least: int, most: int) -> None:
    schema = {"type": "string", "pattern": pattern, "minLength": least, "maxLength": most}
    values = FittingValues(schema)
    for seed in SEEDS:
        jsonschema_rs.validate(schema, values.make(seed))


# --- schemas that hold themselves --------------------------------------------------------------

TREES: dict[str, dict[str, Any]] = {
    "a list": {
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                "required": ["next"],
            }
        },
        "$ref": "#/$defs/node",
    },
    "a tree": {
        "type": "object",
        "properties": {"kids": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["kids"],
    },
    "a wide tree": {
        "type": "object",
        "properties": {name: {"$ref": "#"} for name in "abcdefghij"},
    },
    "an expression": {
        "$defs": {
            "value": {"oneOf": [{"$ref": "#/$defs/sum"}, {"type": "integer"}]},
            "sum": {
                "type": "array",
                "prefixItems": [{"$ref": "#/$defs/value"}, {"$ref": "#/$defs/value"}],
                "minItems": 2,
                "maxItems": 2,
            },
        },
        "$ref": "#/$defs/value",
    },
    "a property at least": {
        "type": "object",
        "properties": {"a": {"$ref": "#"}, "b": {"type": "integer"}},
        "additionalProperties": False,
        "minProperties": 1,
    },
    "a map of maps": {"type": "object", "additionalProperties": {"$ref": "#"}},
    "an alternative of itself": {"anyOf": [{"$ref": "#"}, {"type": "string"}]},
    "all of itself": {"allOf": [{"$ref": "#"}], "type": "integer"},
}


@pytest.mark.parametrize("name", TREES)
def test_recursion_ends(name: str) -> None:
    values = FittingValues(TREES[name])
    for seed in SEEDS:
        value = values.make(seed)
        jsonschema_rs.validate(TREES[name], value)
        assert len(json.dumps(value)) < 20_000


def test_recursion_is_used_where_it_may_end() -> None:
    lists = FittingValues(TREES["a list"])
    assert any(lists.make(seed)["next"] is not None for seed in SEEDS)


# --- pydantic models ---------------------------------------------------------------------------


class Line(BaseModel):
    article: str = Field(min_length=3, max_length=20)
    count: int = Field(ge=1, le=9)
    price: float = Field(gt=0, multiple_of=0.01)
    kind: Literal["book", "song"] = "book"
    notes: dict[str, int] = {}


class Order(BaseModel):
    code: str = Field(pattern=r"^[A-Z]{3}-\d{4}$")
    lines: list[Line] = Field(min_length=1)
    parent: Order | None = None
    place: tuple[float, float] | None = None
    tags: set[str] = set()


def test_a_pydantic_model() -> None:
    values = FittingValues(Order.model_json_schema())
    for seed in SEEDS:
        TypeAdapter(Order).validate_python(values.make(seed))


# --- seeds -------------------------------------------------------------------------------------


def test_one_seed_makes_one_value() -> None:
    schema = Order.model_json_schema()
    first, second = FittingValues(schema), FittingValues(schema)
    assert [first.make(seed) for seed in SEEDS] == [second.make(seed) for seed in SEEDS]
    assert len({json.dumps(first.make(seed)) for seed in SEEDS}) == len(SEEDS)


def test_properties_come_in_the_order_of_the_schema() -> None:
    names = ["zeta", "alpha", "mid"]
    schema = {
        "properties": {name: {"type": "integer"} for name in names},
        "required": ["mid", "alpha", "zeta"],
    }
    assert list(FittingValues(schema).make(1)) == names


# --- schemas without a value -------------------------------------------------------------------

HOPELESS: dict[str, tuple[dict[str, Any], str]] = {
    "no number between": (
        {"properties": {"n": {"type": "integer", "minimum": 5, "maximum": 4}}, "required": ["n"]},
        r"answer\.n: no value keeps all its rules",
    ),
    "no value listed": ({"type": "string", "enum": [1, 2]}, "answer: no value keeps"),
    "no end": (
        {"properties": {"next": {"$ref": "#"}}, "required": ["next"]},
        "hold each other without an end",
    ),
    "no end among properties": (
        {"additionalProperties": {"$ref": "#"}, "minProperties": 1, "type": "object"},
        "hold each other without an end",
    ),
    "no room for so many properties": (
        {"properties": {"a": {}}, "additionalProperties": False, "minProperties": 2},
        "must have items or properties that they may not",
    ),
    "a property that must be and may not": (
        {"properties": {"a": False, "b": {"type": "integer", "enum": [0.5]}}, "required": ["a"]},
        "must have items or properties that they may not",
    ),
    "too few values": (
        {"items": {"type": "boolean"}, "uniqueItems": True, "minItems": 3},
        "not so many different items",
    ),
    "nothing allowed": ({"not": {}}, "No value was found that fits the schema, in 40 tries"),
    "a back-reference": ({"type": "string", "pattern": r"(a)\1"}, "has a back-reference"),
    "another document": ({"$ref": "https://shop.example/x"}, "refers to another document"),
    "a reference to nothing": ({"$ref": "#/nope"}, "nope"),
    "a text too long": ({"type": "string", "minLength": 10**12}, "1,000,000,000,000 characters"),
    "a pattern too long": ({"type": "string", "pattern": "(a{999}){300}"}, "characters"),
    "too many items": (
        {"items": {"items": {"type": "null"}, "minItems": 999}, "minItems": 999},
        "more than 50,000 values",
    ),
    "a billion items": ({"items": {"type": "null"}, "minItems": 10**9}, "more than 50,000 values"),
    "a billion contained": (
        {"contains": {"const": 1}, "minContains": 10**9},
        "more than 200 items",
    ),
    "a billion properties": ({"type": "object", "minProperties": 10**9}, "more than 50,000"),
    "no schema": ({"type": "text"}, "is no valid JSON schema"),
    "$dynamicRef": ({"$dynamicRef": "#x"}, "write \\$ref"),
}


@pytest.mark.parametrize("name", HOPELESS)
def test_a_schema_without_a_value_says_why(name: str) -> None:
    schema, said = HOPELESS[name]
    with pytest.raises(InputError, match=said):
        FittingValues(schema).make(1)


@pytest.mark.parametrize("depth", [200, 50_000])
def test_a_schema_that_is_nested_too_deep(depth: int) -> None:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"]}
    with pytest.raises(InputError, match=r"nested too deep|Recursion limit"):
        FittingValues(schema).make(1)
