"""Outputs come back as they were, or are refused."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import TypedDict

from batch_llm import ConfigurationError, GeminiResponse, LLMCallStrategy, UnkeptOutputError
from batch_llm.ledger import KeptOutput, OutputCodec, OutputCodecs

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=10,
)


class Mood(enum.Enum):
    GOOD = "good"


class Review(pydantic.BaseModel):
    mood: Mood
    score: float = 0.5
    tags: list[str] = []
    price: Decimal | None = pydantic.Field(default=None, alias="thePrice")

    @pydantic.computed_field
    def doubled(self) -> float:
        return 2 * self.score


@dataclasses.dataclass
class Point:
    x: int
    at: datetime | None = None


class Shape(TypedDict):
    points: list[Point]


class Pair(NamedTuple):
    x: int
    y: str


class Loose(pydantic.BaseModel):
    anything: Any


class Hidden(pydantic.BaseModel):
    _secret: int = 0


class Stripped(pydantic.BaseModel):
    text: str = pydantic.Field(exclude=True, default="")


@dataclasses.dataclass
class WithFunction:
    call: Callable[[], None]


class Opaque:
    pass


def strategy(declared: Any) -> LLMCallStrategy[Any]:
    class Declared(LLMCallStrategy[Any]):
        async def execute(self, *_: Any, **__: Any) -> Any: ...

        def output_type(self, prompt: Any) -> Any:
            return declared

    return Declared()


def codec(declared: Any) -> OutputCodec:
    return OutputCodecs().of(strategy(declared), "prompt")


def there_and_back(declared: Any, value: Any) -> Any:
    kept = codec(declared).encode("item-1", value)
    return codec(declared).decode("item-1", kept)


GOOD: list[tuple[Any, Any]] = [
    (str, "café \0 \n"),
    (int, 3),
    (int, 10**30),
    (float, -0.0),
    (float, 1e300),
    (bool, True),
    (type(None), None),
    (bytes, b"\x00\xff"),
    (Decimal, Decimal("1.10")),
    (date, date(2026, 1, 2)),
    (datetime, datetime(2026, 1, 2, 3)),
    (UUID, UUID(int=7)),
    (Mood, Mood.GOOD),
    (Literal["a", "b"], "a"),
    (list[int], [1, 2]),
    (tuple[int, str], (1, "a")),
    (set[int], {1, 2}),
    (dict[int, str], {1: "a"}),
    (Pair, Pair(1, "a")),
    (int | str, "1"),
    (Review, Review(mood=Mood.GOOD, thePrice=Decimal("2.50"))),
    (list[Review], [Review(mood=Mood.GOOD)]),
    (Point, Point(1, datetime(2026, 1, 1))),
    (Shape, {"points": [Point(1)]}),
    (Loose, Loose(anything={"a": [1, 2.5, None]})),
    (Any, {"a": [1, 2.5, None, "x", {"b": True}]}),
    (Any, 2**70),
    (Any, Review(mood=Mood.GOOD)),
    (Any, Point(3)),
    (object, "text"),
]


@pytest.mark.parametrize(("declared", "value"), GOOD, ids=repr)
def test_it_comes_back_as_it_was(declared: Any, value: Any) -> None:
    back = there_and_back(declared, value)
    assert back == value
    assert type(back) is type(value)
    assert repr(back) == repr(value)


def test_a_time_zone_comes_back_as_its_offset() -> None:
    value = datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))
    back = there_and_back(datetime, value)
    assert back == value
    assert back.utcoffset() == value.utcoffset()


def test_a_type_that_cannot_be_a_key_has_a_codec_too() -> None:
    declared, codecs = Annotated[int, pydantic.Field(gt=0), {"un": "hashable"}], OutputCodecs()
    assert codecs.of(strategy(declared), "a") is codecs.of(strategy(declared), "b")
    assert there_and_back(declared, 3) == 3


@given(JSON)
def test_json_values_come_back_as_they_were(value: Any) -> None:
    assert repr(there_and_back(Any, value)) == repr(value)


@given(st.text())
def test_a_text_comes_back_or_is_refused(text: str) -> None:
    try:
        assert there_and_back(str, text) == text
    except UnkeptOutputError:
        assert any("\ud800" <= character <= "\udfff" for character in text)


@given(st.builds(Point, st.integers(), st.none() | st.datetimes()))
def test_dataclasses_come_back_as_they_were(point: Point) -> None:
    assert there_and_back(Point, point) == point
    assert there_and_back(Any, point) == point


def hidden() -> Hidden:
    value = Hidden()
    value._secret = 1
    return value


def local() -> Any:
    @dataclasses.dataclass
    class Local:
        x: int

    return Local(1)


REFUSED: list[tuple[Any, Any]] = [
    (Any, (1, 2)),
    (Any, {1: "a"}),
    (Any, [math.nan]),
    (Any, math.inf),
    (Any, {1, 2}),
    (Any, Mood.GOOD),
    (Any, datetime(2026, 1, 1)),
    (Any, [Point(1)]),
    (Any, Opaque()),
    (Any, "\ud800"),
    (Any, b"x"),
    (Any, local()),
    (str, 1),
    (str, "\ud800"),
    (float, math.nan),
    (int, "private"),
    (int, True),
    (Review, {"mood": "private"}),
    (Loose, Loose(anything=("private",))),
    (Loose, Loose(anything=math.nan)),
    (Stripped, Stripped(text="private")),
    (Hidden, hidden()),
]


def without_address(value: Any) -> str:
    """Name a value the same way in each process."""
    return repr(value).partition(" at 0x")[0]


@pytest.mark.parametrize(("declared", "value"), REFUSED, ids=without_address)
def test_what_would_come_back_as_another_is_refused(declared: Any, value: Any) -> None:
    with pytest.raises(UnkeptOutputError, match="The output of 'item-1' cannot be kept") as caught:
        codec(declared).encode("item-1", value)
    assert "private" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "declared", [Opaque, WithFunction, list[Opaque], Callable[[], int]], ids=repr
)
def test_a_type_that_cannot_be_kept_is_refused_at_the_start(declared: Any) -> None:
    with pytest.raises(
        ConfigurationError, match=r"Declared returns .*, which a ledger cannot keep"
    ):
        codec(declared)


def test_a_class_that_is_gone_or_is_none_any_longer_is_not_made() -> None:
    for path in (
        "no_such_module:Point",
        f"{__name__}:NoSuch",
        f"{__name__}:Opaque",
        "os:system",
        f"{__name__}:local.<locals>.Local",
    ):
        with pytest.raises(UnkeptOutputError, match="keeps for 'item-1' cannot be read"):
            codec(Any).decode("item-1", KeptOutput(b'{"x": 1}', path))


def test_what_is_no_model_or_dataclass_is_not_made() -> None:
    with pytest.raises(UnkeptOutputError, match="is no pydantic model or dataclass"):
        codec(Any).decode("item-1", KeptOutput(b"1", "builtins:int"))


def test_an_output_of_a_type_that_has_changed_is_not_read() -> None:
    kept = codec(Point).encode("item-1", Point(1))
    with pytest.raises(UnkeptOutputError, match="If the type of outputs has changed"):
        codec(Review).decode("item-1", kept)


@pytest.mark.parametrize("declared", [GeminiResponse[Review], GeminiResponse, Any], ids=repr)
def test_an_answer_of_gemini_comes_back_without_the_object_of_the_sdk(declared: Any) -> None:
    usage: Any = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    answer = GeminiResponse(
        Review(mood=Mood.GOOD), {"HARM_CATEGORY_HARASSMENT": "LOW"}, "STOP", usage, object()
    )
    back = there_and_back(declared, answer)
    assert back == dataclasses.replace(answer, raw_response=None)
    assert isinstance(back, GeminiResponse)
    assert isinstance(back.output, Review)


def test_one_codec_serves_one_type() -> None:
    codecs = OutputCodecs()
    assert codecs.of(strategy(Point), "a") is codecs.of(strategy(Point), "b")
    assert codecs.of(strategy(Point), "a") is not codecs.of(strategy(Any), "a")
