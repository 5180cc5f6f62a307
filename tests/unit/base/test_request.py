"""A request, written once for any lane."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from batch_llm import (
    ConfigurationError,
    FilePart,
    ImagePart,
    InputError,
    LLMRequest,
    Message,
    OutputSchema,
    TextPart,
)
from batch_llm.base import RequestDefaults


class City(BaseModel):
    name: str


def test_a_string_is_one_user_message() -> None:
    request = LLMRequest("hello")
    assert request.messages == (Message("user", "hello"),)
    assert request.text == "hello"
    assert (request.system, request.output_schema, request.temperature) == (None, None, None)
    assert (request.top_p, request.max_output_tokens, request.seed) == (None, None, None)
    assert request.stop == ()


def test_a_conversation_keeps_its_order() -> None:
    turns = [Message("user", "hi"), Message("assistant", "hello"), Message("user", "bye")]
    request = LLMRequest(iter(turns), system="be kind")
    assert request.messages == tuple(turns)
    assert request.text == "hi\nhello\nbye"
    assert len(request) == len("hi\nhello\nbye") + len("be kind")


def test_it_cannot_be_changed_and_can_be_compared_and_hashed() -> None:
    request = LLMRequest("hello", temperature=0.5, stop=["END"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        request.temperature = 1.0  # type: ignore[misc]
    same = LLMRequest("hello", temperature=0.5, stop=("END",))
    assert request == same
    assert hash(request) == hash(same)
    assert request != LLMRequest("hello")


def test_an_empty_prompt_is_a_request_all_the_same() -> None:
    assert LLMRequest("")
    assert len(LLMRequest("")) == 0


@pytest.mark.parametrize("schema", [City, {"type": "object"}, OutputSchema(City)])
def test_a_schema_may_be_given_in_any_form(schema: Any) -> None:
    assert isinstance(LLMRequest("hello", output_schema=schema).output_schema, OutputSchema)


def test_one_stop_text_will_do() -> None:
    assert LLMRequest("hello", stop="END").stop == ("END",)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": math.nan}, "temperature"),
        ({"temperature": math.inf}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_p": math.nan}, "top_p"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": -5}, "max_output_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": ["hello"]}, "messages"),
        ({"messages": [{"role": "user", "content": "hello"}]}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": Message("user", "hello")}, "messages"),
    ],
)
def test_a_value_that_no_provider_would_accept_is_refused_by_name(
    settings: dict[str, Any], named: str
) -> None:
    with pytest.raises(InputError, match=named):
        LLMRequest(**{"messages": "hello", **settings})


@pytest.mark.parametrize(
    "settings",
    [{"temperature": 0}, {"temperature": 2.0}, {"top_p": 1}, {"max_output_tokens": 1}, {"seed": 0}],
)
def test_a_value_at_the_edge_is_taken(settings: dict[str, Any]) -> None:
    (name,) = settings
    assert getattr(LLMRequest("hello", **settings), name) == settings[name]


def test_a_schema_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        LLMRequest("hello", output_schema="json")  # type: ignore[arg-type]


# -- messages


@pytest.mark.parametrize("role", ["system", "tool", "User", "", None])
def test_a_message_is_of_the_user_or_the_assistant(role: Any) -> None:
    with pytest.raises(InputError, match="role"):
        Message(role, "hello")


def test_a_message_may_have_parts() -> None:
    image = ImagePart(data=b"png", media_type="image/png")
    message = Message("user", [TextPart("look"), image, TextPart("here")])  # type: ignore[arg-type]
    assert message.content == (TextPart("look"), image, TextPart("here"))
    assert message.text == "look\nhere"
    assert message.parts == message.content
    assert Message("user", "look").parts == (TextPart("look"),)
    hash(message)


@pytest.mark.parametrize("content", [["look"], [b"look"], [{"type": "text"}], [None], None, 7])
def test_content_that_is_neither_text_nor_parts_is_refused(content: Any) -> None:
    with pytest.raises(InputError, match="content"):
        Message("user", content)


@pytest.mark.parametrize("part", [ImagePart, FilePart])
def test_a_part_has_data_or_an_address_and_not_both(part: Any) -> None:
    part(url="https://example.org/a")
    part(data=b"a", media_type="image/png")
    for wrong in ({}, {"data": b"a", "url": "https://x", "media_type": "image/png"}):
        with pytest.raises(InputError, match=part.__name__):
            part(**wrong)


@pytest.mark.parametrize("part", [ImagePart, FilePart])
def test_data_needs_its_media_type(part: Any) -> None:
    with pytest.raises(InputError, match="media_type"):
        part(data=b"a")


@pytest.mark.parametrize("part", [ImagePart, FilePart])
def test_a_parts_bytes_are_not_in_its_repr(part: Any) -> None:
    assert "secret" not in repr(part(data=b"secret", media_type="application/pdf"))


# -- what a strategy adds


FULL = {
    "system": "be brief",
    "output_schema": OutputSchema(City),
    "temperature": 0.3,
    "top_p": 0.9,
    "max_output_tokens": 77,
    "stop": ("END",),
    "seed": 4,
}


def test_defaults_make_a_request_of_a_text() -> None:
    request = RequestDefaults(**FULL).apply("hello")  # type: ignore[arg-type]
    assert request == LLMRequest("hello", **FULL)  # type: ignore[arg-type]


def test_without_defaults_a_text_stays_as_it_is() -> None:
    assert RequestDefaults().apply("hello") == LLMRequest("hello")


@given(st.sets(st.sampled_from(sorted(FULL))), st.sets(st.sampled_from(sorted(FULL))))
def test_what_the_request_says_goes_before_the_default(ours: set[str], theirs: set[str]) -> None:
    own: dict[str, Any] = {
        "system": "",
        "output_schema": OutputSchema({"type": "object"}),
        "temperature": 0.0,
        "top_p": 0.1,
        "max_output_tokens": 1,
        "stop": ("STOP",),
        "seed": 0,
    }
    defaults = RequestDefaults(**{name: FULL[name] for name in ours})  # type: ignore[arg-type]
    request = LLMRequest([Message("user", "hi")], **{name: own[name] for name in theirs})
    applied = defaults.apply(request)
    assert applied.messages == request.messages
    for name in FULL:
        if name in theirs:
            assert getattr(applied, name) == own[name]
        elif name in ours:
            assert getattr(applied, name) == FULL[name]
        else:
            assert not getattr(applied, name)


def test_defaults_are_checked_when_they_are_made() -> None:
    with pytest.raises(InputError, match="temperature"):
        RequestDefaults(temperature=-1)


def test_citations_are_asked_for_by_the_request_or_by_the_defaults() -> None:
    asking, plain = RequestDefaults(citations=True), RequestDefaults()
    assert asking.apply("p").citations
    assert asking.apply(LLMRequest("p")).citations
    assert plain.apply(LLMRequest("p", citations=True)).citations
    assert not plain.apply("p").citations
    assert (asking.settings()["citations"], plain.settings()["citations"]) == (True, None)
