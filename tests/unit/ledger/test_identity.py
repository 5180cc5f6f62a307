"""When two items are the same."""

from __future__ import annotations

import dataclasses
import enum
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm import FilePart, ImagePart, InputError, LLMRequest, Message, TextPart
from batch_llm.ledger import identify, request_digest
from batch_llm.ledger.canonical import canonical

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


class Colour(enum.IntEnum):
    RED = 1


@dataclasses.dataclass
class Point:
    x: int
    y: int


class Pair(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    x: int
    y: int


REQUESTS: list[Any] = [
    "Hello.",
    "Hello",
    "",
    LLMRequest("Hello."),
    LLMRequest("Hello.", system="Be kind."),
    LLMRequest("Hello.", system=""),
    LLMRequest("Hello.", temperature=0),
    LLMRequest("Hello.", temperature=1),
    LLMRequest("Hello.", top_p=1),
    LLMRequest("Hello.", max_output_tokens=1),
    LLMRequest("Hello.", seed=1),
    LLMRequest("Hello.", stop="."),
    LLMRequest("Hello.", stop=(".", ".")),
    LLMRequest("Hello.", output_schema={"type": "object"}),
    LLMRequest("Hello.", output_schema={"type": "object", "title": "Answer"}),
    LLMRequest("Hello.", output_schema=Pair),
    LLMRequest([Message("assistant", "Hello.")]),
    LLMRequest([Message("user", "Hello."), Message("user", "Hello.")]),
    LLMRequest([Message("user", [TextPart("Hello"), TextPart(".")])]),
    LLMRequest([Message("user", [ImagePart(data=b"\x00", media_type="image/png")])]),
    LLMRequest([Message("user", [ImagePart(data=b"\x01", media_type="image/png")])]),
    LLMRequest([Message("user", [ImagePart(data=b"\x01", media_type="image/gif")])]),
    LLMRequest([Message("user", [ImagePart(url="https://example.org/1")])]),
    LLMRequest([Message("user", [FilePart(url="https://example.org/1")])]),
    LLMRequest([Message("user", [FilePart(url="https://example.org/1", name="a")])]),
]

VALUES: list[Any] = [
    None,
    True,
    1,
    1.0,
    "1",
    b"1",
    [1],
    [[1]],
    [],
    {},
    {"1": 1},
    {1: 1},
    {"a": None},
    {"a": {"b": 1}},
    {"a": {}, "b": 1},
    {1},
    Colour.RED,
    Decimal(1),
    Decimal("1.0"),
    date(2026, 1, 1),
    datetime(2026, 1, 1),
    "2026-01-01",
    datetime(2026, 1, 1, tzinfo=UTC),
    timedelta(seconds=1),
    UUID(int=1),
    str(UUID(int=1)),
    Path("1"),
    Point(1, 2),
    Pair(x=1, y=2),
    Pair(x=1, y=2, z=3),  # type: ignore[call-arg]
    {"x": 1, "y": 2},
]


def test_no_two_requests_have_one_digest() -> None:
    digests = {request_digest(strategy, prompt) for strategy in ("a", "b") for prompt in REQUESTS}
    assert len(digests) == 2 * len(REQUESTS)
    assert {len(digest) for digest in digests} == {16}


def test_strategy_and_prompt_do_not_run_into_each_other() -> None:
    assert request_digest("ab", "c") != request_digest("a", "bc")
    assert request_digest("a", "text:b") != request_digest("a" + "text:", "b")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (LLMRequest("Hi"), LLMRequest([Message("user", [TextPart("Hi")])])),
        (LLMRequest("Hi", temperature=0), LLMRequest("Hi", temperature=0.0)),
        (
            LLMRequest("Hi", output_schema={"type": "object", "title": "A"}),
            LLMRequest("Hi", output_schema={"title": "A", "type": "object"}),
        ),
    ],
    ids=["parts", "number", "order of keys"],
)
def test_equal_requests_have_one_digest(one: LLMRequest, other: LLMRequest) -> None:
    assert request_digest("a", one) == request_digest("a", other)


def test_no_two_values_have_one_form() -> None:
    assert len({canonical(value) for value in VALUES}) == len(VALUES)


@given(JSON, JSON)
def test_json_values_have_one_form_exactly_when_they_are_equal(one: Any, other: Any) -> None:
    assert (canonical(one) == canonical(other)) == (repr(_sorted(one)) == repr(_sorted(other)))


@given(st.dictionaries(st.text(), JSON, max_size=5), st.randoms())
def test_the_order_of_keys_does_not_count(value: dict[str, Any], chance: Any) -> None:
    keys = list(value)
    chance.shuffle(keys)
    assert canonical(value) == canonical({key: value[key] for key in keys})


@given(st.lists(st.tuples(st.text(min_size=1), st.text(), st.text(), JSON), unique_by=repr))
def test_different_items_have_different_digests(items: list[Any]) -> None:
    digests = {
        identify(item_id, request_digest(strategy, prompt), context).digest
        for item_id, strategy, prompt, context in items
    }
    known = {repr((*rest, _sorted(context))) for *rest, context in items}
    assert len(digests) == len(known)


def test_half_a_surrogate_pair_has_a_digest_too() -> None:
    one, other = (identify(text, request_digest(text, text), text) for text in "\ud800\ud801")
    assert one.request != other.request
    assert one.digest != other.digest


def test_a_context_that_cannot_be_compared_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    for context, named in (
        (object(), "builtins.object"),
        ({"a": [lambda: None]}, "builtins.function"),
        (loop, "nested too deep"),
    ):
        with pytest.raises(InputError, match=f"The context of 'item-1' holds .*{named}"):
            identify("item-1", b"", context)


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return sorted((key, _sorted(item)) for key, item in value.items()), "of a dict"
    return list(map(_sorted, value)) if isinstance(value, list) else value


def test_a_request_that_asks_for_no_citations_is_known_as_before_there_were_any() -> None:
    plain = request_digest("s", LLMRequest("p"))
    assert plain.hex() == "cd4427221f0ac281b3b0ee155174fc26"
    assert request_digest("s", LLMRequest("p", citations=False)) == plain
    assert request_digest("s", LLMRequest("p", citations=True)) != plain
