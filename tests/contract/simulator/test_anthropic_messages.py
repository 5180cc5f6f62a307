"""Messages, with Anthropic's SDK as the judge."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import pytest
from pydantic import BaseModel
from tests.contract.simulator.anthropic_sdk import (
    ABSENT,
    MODEL,
    asks,
    async_client_of,
    client_of,
    compare,
    named,
)
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Answer, ModelCall, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDPOINT = "POST /v1/messages"
PDF = base64.b64encode(b"%PDF-1.4").decode()
TOOL = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}

# Source: the SDK's Usage, whose fields but two may be null; `service_tier` is named for every
# answer, `cache_creation` since there are two times to live, `server_tool_use` with server tools.
USAGE: dict[str, Any] = {
    "input_tokens": 6,
    "output_tokens": 2,
    "output_tokens_details": None,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "server_tool_use": None,
    "service_tier": "standard",
    "inference_geo": "not_available",
    "speed": None,
}
# Source: the SDK's Message: "container will be non-null if a container tool was used",
# "diagnostics: null when the request did not supply diagnostics", "stop_details: null when the
# stop_reason has no additional detail", "stop_sequence: non-null if a stop sequence was generated",
# "stop_reason: in non-streaming mode always non-null".
MESSAGE: dict[str, Any] = {
    "id": named("msg_"),
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "hello", "citations": ABSENT}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "stop_details": None,
    "container": None,
    "diagnostics": None,
    "usage": USAGE,
}


class Scripted:
    """Answers with a tool where one is there, thinks where it is told to, and else echoes."""

    async def answer(self, call: ModelCall) -> Answer:
        if call.tools:
            return Answer('{"city": "Paris"}', "tool_call", call.forced_tool or call.tools[0].name)
        if call.prompt == "think":
            return Answer("thought", reasoning_tokens=50)
        return Answer(call.prompt)


@pytest.fixture(scope="module")
def scripted() -> Iterator[Simulator]:
    with Simulator(seed=1, speed=10_000, answers=Scripted()) as simulator:
        yield simulator


# --- the whole of an answer ----------------------------------------------------------------


@covers("anthropic", ENDPOINT, "messages.create")
def test_all_fields_of_a_message(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        compare(client.messages.create(**asks()), MESSAGE)


@covers("anthropic", ENDPOINT, "messages.create")
async def test_all_fields_of_a_message_async(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        compare(await client.messages.create(**asks()), MESSAGE)


@covers("anthropic", ENDPOINT, "beta.messages.create")
def test_a_beta_message_is_the_same(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        message = client.beta.messages.create(**asks(), betas=["some-beta-2026-01-01"])
    assert message.content[0].type == "text"
    assert not message.model_extra
    assert (message.usage.input_tokens, message.usage.output_tokens) == (6, 2)


@covers("anthropic", ENDPOINT, "messages.create")
def test_headers(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        raw = client.messages.with_raw_response.create(**asks())
    assert raw.headers["request-id"].startswith("req_")
    assert len(raw.headers["anthropic-organization-id"]) == 36
    assert raw.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("fields", "reason", "sequence", "text"),
    [
        ({"max_tokens": 1}, "max_tokens", None, "one "),
        ({"stop_sequences": ["nope", "two", "three"]}, "stop_sequence", "two", "one "),
        ({"max_tokens": 0}, "max_tokens", None, None),
    ],
)
def test_why_an_answer_ends(
    simulator: Simulator, fields: dict[str, Any], reason: str, sequence: str | None, text: str
) -> None:
    with client_of(simulator) as client:
        message = client.messages.create(**asks("one two three", **fields))
    content = [] if text is None else [{"type": "text", "text": text, "citations": ABSENT}]
    tokens = 0 if text is None else 1
    compare(
        message,
        {
            **MESSAGE,
            "content": content,
            "stop_reason": reason,
            "stop_sequence": sequence,
            "usage": {**USAGE, "input_tokens": 8, "output_tokens": tokens},
        },
    )


def test_a_short_name_is_answered_by_its_snapshot(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        message = client.messages.create(**asks(model="claude-haiku-4-5"))
    assert message.model == "claude-haiku-4-5-20251001"
    assert simulator.books.records[0].model == "claude-haiku-4-5"


# --- what is read --------------------------------------------------------------------------


def test_blocks_of_every_kind_are_read_and_counted(simulator: Simulator) -> None:
    image = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="},
    }
    by_address = {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}}
    pdf = {
        "type": "document",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
    }
    remote = {"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}}
    plain = {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "x" * 40},
    }
    parts = {
        "type": "document",
        "source": {"type": "content", "content": [{"type": "text", "text": "y" * 8}]},
    }
    text = {"type": "text", "text": "What is it?"}
    content = [image, by_address, pdf, remote, plain, parts, text]
    with client_of(simulator) as client:
        message = client.messages.create(
            **asks(messages=[{"role": "user", "content": content}]),
            system=[{"type": "text", "text": "Be short."}],
        )
    assert message.content[0].type == "text"
    assert message.content[0].text == "What is it?"
    system, turn = 4 + 3, 4 + 3
    assert message.usage.input_tokens == system + 2 * 258 + 2 * 1_000 + 10 + 2 + turn


@covers("anthropic", "POST /v1/messages/count_tokens", "messages.count_tokens")
def test_tokens_are_counted_as_they_are_billed(simulator: Simulator) -> None:
    asked = asks("hello there", system="Be short.", tools=[TOOL])
    with client_of(simulator) as client:
        billed = client.messages.create(**asked).usage.input_tokens
        del asked["max_tokens"]
        counted = client.messages.count_tokens(**asked)
        beta = client.beta.messages.count_tokens(**asked)
    # Source: the SDK's MessageTokensCount.
    compare(counted, {"input_tokens": billed})
    assert beta.input_tokens == billed


@covers("anthropic", "POST /v1/messages/count_tokens", "messages.count_tokens")
async def test_tokens_are_counted_async(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        counted = await client.messages.count_tokens(
            model=MODEL, messages=[{"role": "user", "content": "hello there"}]
        )
    assert counted.input_tokens == 7


def test_a_bearer_token_and_an_old_version_are_taken(simulator: Simulator) -> None:
    body = asks()
    for headers in (
        {"x-api-key": "any", "anthropic-version": "2023-06-01"},
        {"authorization": "Bearer any", "anthropic-version": "2026-10-21"},
    ):
        answer = httpx2.post(
            f"{simulator.anthropic_base_url}/v1/messages", json=body, headers=headers
        )
        assert answer.status_code == 200


# --- tools, schemas, thinking, citations ---------------------------------------------------


@pytest.mark.parametrize("choice", ["auto", "any", "tool"])
def test_a_tool_is_asked_for(scripted: Simulator, choice: str) -> None:
    tool_choice = {"type": choice, **({"name": "weather"} if choice == "tool" else {})}
    with client_of(scripted) as client:
        message = client.messages.create(**asks(tools=[TOOL], tool_choice=tool_choice))
        assert message.stop_reason == "tool_use"
        # Source: the SDK's ToolUseBlock; `toolset_name` is for members of a toolset.
        compare(
            message.content[0],
            {
                "type": "tool_use",
                "id": named("toolu_"),
                "name": "weather",
                "input": lambda value: value == {"city": "Paris"},
                "caller": {"type": "direct"},
                "toolset_name": ABSENT,
            },
        )
        result = {
            "type": "tool_result",
            "tool_use_id": message.content[0].id,
            "content": [{"type": "text", "text": "Sunny."}],
        }
        turns = [
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": message.content},
            {"role": "user", "content": [result]},
        ]
        after = client.messages.create(**asks(messages=turns))
    assert after.content[0].text == "Sunny."


def test_no_tool_is_offered_where_none_may_be_used(scripted: Simulator) -> None:
    with client_of(scripted) as client:
        message = client.messages.create(**asks(tools=[TOOL], tool_choice={"type": "none"}))
    assert message.content[0].type == "text"


class Person(BaseModel):
    name: str


@covers("anthropic", ENDPOINT, "messages.parse")
def test_a_schema(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        message = client.messages.parse(**asks('{"name": "Ada"}'), output_format=Person)
        plain = client.messages.create(**asks('{"name": "Ada"}'))
    assert isinstance(message.parsed_output, Person)
    assert message.usage.input_tokens > plain.usage.input_tokens  # the schema is read, too


def test_thinking(scripted: Simulator) -> None:
    budget = {"type": "enabled", "budget_tokens": 1_024}
    adaptive = {"type": "adaptive", "display": "omitted"}
    with client_of(scripted) as client:
        enabled = client.messages.create(
            **asks("think", model="claude-sonnet-4-6", max_tokens=2_000, thinking=budget)
        )
        omitted = client.messages.create(**asks("think", thinking=adaptive))
        without = client.messages.create(**asks("do not", thinking=adaptive))
    # Source: the SDK's ThinkingBlock and OutputTokensDetails.
    block = {"type": "thinking", "thinking": bool, "signature": bool}
    compare(enabled.content[0], block)
    compare(omitted.content[0], {**block, "thinking": ""})
    assert [one.type for one in without.content] == ["text"]
    assert enabled.usage.output_tokens_details is not None
    compare(enabled.usage.output_tokens_details, {"thinking_tokens": 50})
    assert enabled.usage.output_tokens == 50 + 2


def test_thinking_is_billed_where_a_stop_sequence_ends_the_answer(scripted: Simulator) -> None:
    with client_of(scripted) as client:
        message = client.messages.create(
            **asks("think", thinking={"type": "adaptive"}, stop_sequences=["ght"])
        )
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "ght")
    assert message.usage.output_tokens == 50 + 1


# Source: the SDK's CitationCharLocation, CitationPageLocation and CitationContentBlockLocation.
CITATIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "text": (
        {"type": "text", "media_type": "text/plain", "data": "The sky is blue. The sea is wet."},
        {
            "type": "char_location",
            "cited_text": "The sky is blue.",
            "document_index": 0,
            "document_title": "Facts",
            "file_id": None,
            "start_char_index": 0,
            "end_char_index": 16,
        },
    ),
    "pdf": (
        {"type": "base64", "media_type": "application/pdf", "data": PDF},
        {
            "type": "page_location",
            "cited_text": "",
            "document_index": 0,
            "document_title": "Facts",
            "file_id": None,
            "start_page_number": 1,
            "end_page_number": 2,
        },
    ),
    "content": (
        {"type": "content", "content": [{"type": "text", "text": "The sky is blue."}]},
        {
            "type": "content_block_location",
            "cited_text": "The sky is blue.",
            "document_index": 0,
            "document_title": "Facts",
            "file_id": None,
            "start_block_index": 0,
            "end_block_index": 1,
        },
    ),
}


@pytest.mark.parametrize("kind", CITATIONS)
def test_citations(simulator: Simulator, kind: str) -> None:
    source, expected = CITATIONS[kind]
    document = {
        "type": "document",
        "title": "Facts",
        "source": source,
        "citations": {"enabled": True},
    }
    content = [document, {"type": "text", "text": "What colour is the sky?"}]
    asked = asks(messages=[{"role": "user", "content": content}])
    with client_of(simulator) as client:
        message = client.messages.create(**asked)
        with client.messages.stream(**asked) as stream:
            streamed = stream.get_final_message()
    for one in (message, streamed):
        before, cited = one.content
        assert before.type == cited.type == "text"
        assert before.text + cited.text == "What colour is the sky?"
        assert not before.citations
        assert cited.citations is not None
        compare(cited.citations[0], expected)


# --- streams -------------------------------------------------------------------------------


@covers("anthropic", ENDPOINT, "messages.stream")
def test_a_stream_adds_up_to_the_message(scripted: Simulator, simulator: Simulator) -> None:
    """Also of tools: the arguments come in pieces of JSON."""
    with client_of(simulator) as client, client.messages.stream(**asks()) as stream:
        final = stream.get_final_message()
    compare(final, {**MESSAGE, "content": [_parsed_text("hello")]})
    with (
        client_of(scripted) as client,
        client.messages.stream(**asks(tools=[TOOL])) as stream,
    ):
        called = stream.get_final_message()
    assert called.content[0].input == {"city": "Paris"}


def _parsed_text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "citations": ABSENT, "parsed_output": ABSENT}


@covers("anthropic", ENDPOINT, "messages.stream")
async def test_a_stream_async(simulator: Simulator) -> None:
    async with (
        async_client_of(simulator) as client,
        client.messages.stream(**asks("hello " * 50)) as stream,
    ):
        texts = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert len(texts) > 5
    assert "".join(texts) == "hello " * 50
    assert final.usage.output_tokens == 75


def test_thinking_is_streamed(scripted: Simulator) -> None:
    with (
        client_of(scripted) as client,
        client.messages.stream(**asks("think", thinking={"type": "adaptive"})) as stream,
    ):
        final = stream.get_final_message()
    assert final.content[0].type == "thinking"
    assert final.content[0].thinking
    assert final.content[0].signature
    assert final.usage.output_tokens_details is not None
    assert final.usage.output_tokens_details.thinking_tokens == 50


# Source: the SDK's RawMessageStreamEvent: the events, and the fields of each.
NO_DELTA_YET = {**USAGE, "output_tokens": 1}
EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {**MESSAGE, "content": [], "stop_reason": None, "usage": NO_DELTA_YET},
    },
    {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "text", "text": "", "citations": ABSENT},
    },
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "stop_details": None,
            "container": None,
        },
        "usage": {
            "input_tokens": 6,
            "output_tokens": 2,
            "output_tokens_details": None,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "server_tool_use": None,
        },
    },
    {"type": "message_stop"},
]


@covers("anthropic", ENDPOINT, "messages.create")
def test_all_fields_of_a_streams_events(simulator: Simulator) -> None:
    with client_of(simulator) as client, client.messages.create(**asks(), stream=True) as stream:
        events = list(stream)
    assert len(events) == len(EVENTS)
    for event, expected in zip(events, EVENTS, strict=True):
        compare(event, expected)


def test_a_ping_comes_behind_the_start(simulator: Simulator) -> None:
    answer = httpx2.post(
        f"{simulator.anthropic_base_url}/v1/messages",
        json=asks(stream=True),
        headers={"x-api-key": "any", "anthropic-version": "2026-10-21"},
    )
    assert answer.headers["content-type"].startswith("text/event-stream")
    names = [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")]
    assert names[:2] == ["message_start", "ping"]


# --- the prompt cache ----------------------------------------------------------------------


LONG = "x" * 8_000  # 2,000 tokens
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}


def _system(mark: dict[str, str]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": LONG, "cache_control": mark}]


def _cached(usage: anthropic.types.Usage) -> tuple[int, int | None, int | None]:
    return usage.input_tokens, usage.cache_creation_input_tokens, usage.cache_read_input_tokens


@pytest.mark.parametrize(("mark", "seconds"), [(MARK, 300), (HOUR, 3_600)])
def test_a_prefix_is_written_read_and_forgotten(
    simulator: Simulator, mark: dict[str, str], seconds: int
) -> None:
    simulator.set_speed(1)
    with client_of(simulator) as client:

        def usage(text: str) -> anthropic.types.Usage:
            return client.messages.create(**asks(text, system=_system(mark))).usage

        first = usage("one")
        assert _cached(first) == (5, 2_004, 0)
        assert first.cache_creation is not None
        compare(
            first.cache_creation,
            {
                "ephemeral_5m_input_tokens": 2_004 if seconds == 300 else 0,
                "ephemeral_1h_input_tokens": 2_004 if seconds == 3_600 else 0,
            },
        )
        simulator.advance(seconds - 10)
        assert _cached(usage("two")) == (5, 0, 2_004)
        simulator.advance(seconds - 10)  # reading kept it
        assert _cached(usage("three")) == (6, 0, 2_004)
        simulator.advance(seconds)
        assert _cached(usage("four")) == (5, 2_004, 0)
    record = simulator.books.records[1]
    assert (record.usage.input_tokens, record.usage.cached_input_tokens) == (2_009, 2_004)
    assert simulator.books.records[0].usage.cache_write_tokens == 2_004


def test_a_prefix_grows_with_the_conversation(simulator: Simulator) -> None:
    simulator.set_speed(1)
    turns: list[dict[str, Any]] = [{"role": "user", "content": "one"}]
    with client_of(simulator) as client:
        first = client.messages.create(
            **asks(messages=turns, system=LONG, cache_control=HOUR, tools=[TOOL])
        )
        turns += [{"role": "assistant", "content": "two"}, {"role": "user", "content": "three"}]
        second = client.messages.create(
            **asks(messages=turns, system=LONG, cache_control=HOUR, tools=[TOOL])
        )
    assert first.usage.input_tokens == second.usage.input_tokens == 0
    assert second.usage.cache_read_input_tokens == first.usage.cache_creation_input_tokens
    assert second.usage.cache_creation_input_tokens == 5 + 6


def test_keys_and_models_share_no_prefix_and_short_ones_are_not_cached(
    simulator: Simulator,
) -> None:
    simulator.set_speed(1)
    asked = asks(system=_system(MARK))
    with client_of(simulator) as client, client_of(simulator, key="other") as other:
        assert _cached(client.messages.create(**asked).usage)[1:] == (2_004, 0)
        assert _cached(other.messages.create(**asked).usage)[1:] == (2_004, 0)
        haiku = client.messages.create(**{**asked, "model": "claude-haiku-4-5"})
        assert _cached(haiku.usage)[1:] == (0, 0)  # its least is 4,096
        opus = client.messages.create(**{**asked, "model": "claude-opus-5"})
        assert _cached(opus.usage)[1:] == (2_004, 0)


def test_what_was_refused_is_not_cached(simulator: Simulator) -> None:
    simulator.set_speed(1)
    asked = asks(system=_system(MARK))
    with client_of(simulator) as client:
        with pytest.raises(anthropic.OverloadedError):
            client.messages.create(**asked, extra_headers={"x-sim-fault": "529"})
        assert _cached(client.messages.create(**asked).usage)[1:] == (2_004, 0)
