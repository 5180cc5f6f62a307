"""The shape an answer is asked to have."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from batch_llm import ConfigurationError, OutputSchema, OutputValidationError


class City(BaseModel):
    name: str
    people: int = Field(gt=0)


CITY: dict[str, Any] = {
    "title": "City",
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer", "minimum": 1}},
    "required": ["name", "people"],
}
SCHEMAS = pytest.mark.parametrize("source", [City, CITY], ids=["model", "mapping"])


def value(schema: OutputSchema, text: str) -> dict[str, Any]:
    parsed = schema.parse(text)
    return parsed.model_dump() if isinstance(parsed, BaseModel) else parsed


@SCHEMAS
def test_a_text_that_fits_becomes_a_value(source: Any) -> None:
    schema = OutputSchema(source)
    assert value(schema, '{"name": "Ulm", "people": 130000}') == {"name": "Ulm", "people": 130000}
    assert schema.source is source
    assert schema.name == "City"
    assert schema.json_schema["properties"].keys() == {"name", "people"}
    json.dumps(schema.json_schema)


def test_the_value_of_a_model_is_an_instance_of_it() -> None:
    assert OutputSchema(City).parse('{"name": "Ulm", "people": 1}') == City(name="Ulm", people=1)


@SCHEMAS
@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"name": "Ulm", "people": 1}\n```',
        '```\n{"name": "Ulm", "people": 1}\n```',
        ' \n```json\n{"name": "Ulm",\n "people": 1}\n```\n ',
        '  {"name": "Ulm", "people": 1}\n',
    ],
)
def test_a_fence_around_the_answer_is_taken_off(source: Any, text: str) -> None:
    assert value(OutputSchema(source), text) == {"name": "Ulm", "people": 1}


@SCHEMAS
@pytest.mark.parametrize("text", ["", "Ulm", "{", '{"name": "Ulm", "people": 1', "``` ```", "```"])
def test_what_is_not_json_is_told_so(source: Any, text: str) -> None:
    with pytest.raises(OutputValidationError, match="not JSON"):
        OutputSchema(source).parse(text)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "-1e999"])
@pytest.mark.parametrize("source", [{}, {"type": "number"}])
def test_what_is_no_finite_number_is_not_json(source: Any, number: str) -> None:
    schema = OutputSchema(source)
    with pytest.raises(OutputValidationError, match=r"not JSON .*(no number of JSON|too large)"):
        schema.parse(number)
    assert "not JSON" in schema.explain(number)
    assert schema.parse("-1.5e300") == -1.5e300


@SCHEMAS
def test_half_of_a_surrogate_pair_is_not_json(source: Any) -> None:
    schema = OutputSchema(source)
    with pytest.raises(OutputValidationError, match="not JSON"):
        schema.parse('{"name": "\\ud83d", "people": 1}')
    assert value(schema, '{"name": "\\ud83d\\ude00", "people": 1}')["name"] == "\U0001f600"


@SCHEMAS
@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"name": "Ulm"}', "people"),
        ('{"name": "Ulm", "people": "many"}', "people"),
        ('{"name": "Ulm", "people": 0}', "people"),
        ('{"name": 7, "people": 1}', "name"),
        ("[]", "answer"),
    ],
)
def test_what_does_not_fit_is_told_by_field(source: Any, text: str, field: str) -> None:
    with pytest.raises(OutputValidationError, match="does not fit") as caught:
        OutputSchema(source).parse(text)
    assert field in str(caught.value)


def test_many_problems_are_shortened() -> None:
    wide = type("Wide", (BaseModel,), {"__annotations__": {f"field_{n}": int for n in range(20)}})
    with pytest.raises(OutputValidationError, match="15 more"):
        OutputSchema(wide).parse("{}")


SECRET = "Ada Lovelace"


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = ""


class Scores(BaseModel):
    scores: dict[str, int]


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Pets(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]


class Picky(BaseModel):
    name: str

    @field_validator("name")
    @classmethod
    def known(cls, name: str) -> str:
        raise ValueError(f"{name} is not known")


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        (City, {"name": "Ulm", "people": SECRET}),
        (City, {"name": "Ulm", "people": -1, SECRET: 1}),
        (Closed, {SECRET: 1}),
        (Scores, {"scores": {SECRET: "high"}}),
        (Pets, {"pet": {"kind": SECRET}}),
        (Picky, {"name": SECRET}),
        (CITY, {"name": "Ulm", "people": SECRET}),
        ({"enum": ["a", "b"]}, SECRET),
        ({"const": "a"}, SECRET),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {SECRET: "high"}),
        ({"type": "object", "additionalProperties": False}, {SECRET: 1}),
        ({"type": "string", "pattern": "^x"}, SECRET),
        ({"type": "array", "uniqueItems": True}, [SECRET, SECRET]),
    ],
)
def test_no_part_of_the_answer_is_in_the_error(source: Any, answer: Any) -> None:
    with pytest.raises(OutputValidationError) as caught:
        OutputSchema(source).parse(json.dumps(answer))
    link: BaseException | None = caught.value
    while link is not None:
        assert SECRET not in str(link)
        assert "Lovelace" not in repr(link)
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


@SCHEMAS
def test_no_part_of_an_answer_that_is_not_json_is_in_the_error(source: Any) -> None:
    with pytest.raises(OutputValidationError) as caught:
        OutputSchema(source).parse(f'{{"name": "{SECRET}", people')
    assert "Lovelace" not in str(caught.value)
    assert caught.value.__suppress_context__


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused_with_our_error(text: str) -> None:
    for source in (City, CITY):
        try:
            OutputSchema(source).parse(text)
        except OutputValidationError:
            pass


@pytest.mark.parametrize("source", [None, "object", 7, [], str, City(name="a", people=1), object()])
def test_what_is_no_schema_is_refused(source: Any) -> None:
    with pytest.raises(ConfigurationError, match="schema"):
        OutputSchema(source)


@pytest.mark.parametrize(
    "source", [{"type": "nonsense"}, {"type": 7}, {"pattern": "("}, {"$ref": "#/nowhere"}]
)
def test_a_mapping_that_is_no_json_schema_is_refused(source: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="JSON schema"):
        OutputSchema(source)


class Unfinished(BaseModel):
    other: Nowhere  # noqa: F821 - it stands nowhere


class Callback(BaseModel):
    call: Callable[[int], int]


class Raising(BaseModel):
    @classmethod
    def __get_pydantic_json_schema__(cls, *_: Any) -> Any:
        raise RuntimeError


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (BaseModel, "model BaseModel: .*subclass"),
        (Unfinished, "model Unfinished: .*Nowhere"),
        (Callback, "model Callback: .*[Cc]allable"),
        (Raising, "model Raising: RuntimeError"),
    ],
)
def test_a_model_that_no_schema_describes_is_refused_by_its_name(source: Any, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as caught:
        OutputSchema(source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("City", "City"),
        ("A city, with spaces", "A_city__with_spaces"),
        ("Größe", "Gr__e"),
        ("x" * 100, "x" * 64),
        ("", "answer"),
        (None, "answer"),
    ],
)
def test_its_name_is_one_that_providers_accept(title: str | None, name: str) -> None:
    assert OutputSchema({"title": title} if title is not None else {}).name == name


def test_the_source_is_not_changed_by_what_is_done_to_the_copy() -> None:
    source = {"type": "object", "title": "T"}
    schema = OutputSchema(source)
    schema.json_schema["title"] = "changed"
    assert source["title"] == "T"


def test_its_repr_is_short() -> None:
    assert repr(OutputSchema(City)) == "OutputSchema(City)"


class Range(BaseModel):
    low: int
    high: int

    @model_validator(mode="after")
    def _is_in_order(self) -> Range:
        if self.low > self.high:
            raise ValueError(f"low ({self.low}) is above high ({self.high})")
        return self


@pytest.mark.parametrize(
    ("source", "text", "said"),
    [
        (Range, '{"low": 9, "high": 1}', "answer: Value error, low (9) is above high (1)"),
        (Range, '{"low": "many"}', "low: Input should be a valid integer"),
        (Range, '```json\n{"low": 1}\n```', "high: Field required"),
        (Range, "none", "answer: Invalid JSON"),
        ({"type": "object", "required": ["a"]}, "{}", '"a" is a required property'),
        ({"type": "object"}, "none", "not JSON"),
        ({"items": {"type": "integer"}}, '[1, "x"]', '1: "x" is not of type "integer"'),
    ],
)
def test_the_model_is_told_all_that_is_wrong(source: Any, text: str, said: str) -> None:
    assert said in OutputSchema(source).explain(text)


def test_nothing_is_said_of_an_answer_that_fits_and_not_all_of_a_hopeless_one() -> None:
    numbers = OutputSchema({"items": {"type": "integer"}})
    assert numbers.explain("[1, 2]") == ""
    assert OutputSchema(Range).explain('{"low": 1, "high": 2}') == ""
    hopeless = json.dumps(["x"] * 50)
    assert numbers.explain(hopeless).count("\n- ") == 10


def test_an_object_of_a_model_is_told_from_its_class() -> None:
    given: Any = City(name="Ulm", people=1)
    with pytest.raises(ConfigurationError, match="is a class, not an object of it: give City"):
        OutputSchema(given)
