"""Chat completions in chunks, with OpenAI's SDK as the judge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.simulator.openai_sdk import (
    MODEL,
    SNAPSHOT,
    THINKER,
    UNSET,
    async_client_of,
    client_of,
    closed_records,
    post,
    told,
    user,
)
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Fault

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

    from batch_llm.testing.simulator import Simulator

ENDPOINT = "POST /chat/completions"
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}

# What the real API sets, by the SDK's type openai.types.chat.ChatCompletionChunk and its
# docstrings: each chunk has the same id and time; `usage` is there only with `include_usage`, null
# but in the last chunk; `obfuscation` is there unless `include_obfuscation` is false.
CHUNK = {
    "model": SNAPSHOT,
    "object": "chat.completion.chunk",
    "moderation": UNSET,
    "service_tier": "default",
    "usage": UNSET,
}
DELTA = {
    "audio": UNSET,
    "content": UNSET,
    "function_call": UNSET,
    "refusal": UNSET,
    "role": UNSET,
    "tool_calls": UNSET,
}
FIRST = {**DELTA, "content": "", "refusal": None, "role": "assistant"}


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    """Return the table of one chunk."""
    choice = {"delta": delta, "finish_reason": finish, "index": 0, "logprobs": None}
    return {**CHUNK, "choices": [choice]}


def seen(chunks: list[ChatCompletionChunk]) -> list[dict[str, Any]]:
    """Return what the chunks hold, but for what they have in common or what is drawn."""
    tables = [told(one) for one in chunks]
    assert len({(table["id"], table["created"]) for table in tables}) == 1
    for table in tables:
        assert table.pop("id").startswith("chatcmpl-")
        assert table.pop("created")
        assert table.pop("system_fingerprint").startswith("fp_")
        table.pop("obfuscation")
    return tables


WHOLE = [
    chunk(FIRST),
    chunk({**DELTA, "content": "hell"}),
    chunk({**DELTA, "content": "o"}),
    chunk(DELTA, "stop"),
]
REFUSAL = "I cannot help with that."
STATES: dict[str, tuple[Fault | None, list[dict[str, Any]]]] = {
    "stop": (None, WHOLE),
    "length": (
        Fault(kind="length"),
        [chunk(FIRST), chunk({**DELTA, "content": "hell"}), chunk(DELTA, "length")],
    ),
    "refusal": (
        Fault(kind="refusal"),
        [
            chunk(FIRST),
            *(
                chunk({**DELTA, "refusal": REFUSAL[at : at + 4]})
                for at in range(0, len(REFUSAL), 4)
            ),
            chunk(DELTA, "stop"),
        ],
    ),
    "content filter": (Fault(kind="safety"), [chunk(FIRST), chunk(DELTA, "content_filter")]),
}


@covers("openai", ENDPOINT, "chat.completions.create")
@pytest.mark.parametrize("state", STATES)
def test_what_the_chunks_hold_in_each_state(simulator: Simulator, state: str) -> None:
    fault, expected = STATES[state]
    if fault is not None:
        simulator.add_fault(fault)
    with client_of(simulator) as client:
        stream = client.chat.completions.create(model=MODEL, messages=user("hello"), stream=True)
        assert seen(list(stream)) == expected


@covers("openai", ENDPOINT, "chat.completions.create")
async def test_chunks_for_an_async_client(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        stream = await client.chat.completions.create(
            model=MODEL, messages=user("hello"), stream=True
        )
        assert seen([one async for one in stream]) == WHOLE


@covers("openai", ENDPOINT, "chat.completions.create")
def test_the_usage_at_the_end(simulator: Simulator) -> None:
    options: Any = {"include_usage": True, "include_obfuscation": False}
    with client_of(simulator) as client:
        stream = client.chat.completions.create(
            model=MODEL, messages=user("hello"), stream=True, stream_options=options
        )
        *chunks, last = list(stream)
    assert [one.usage for one in chunks] == [None] * 4
    assert all("usage" in one.model_fields_set for one in chunks)
    assert all(told(one)["obfuscation"] == UNSET for one in [*chunks, last])
    assert last.choices == []
    assert last.usage is not None
    assert (last.usage.prompt_tokens, last.usage.completion_tokens) == (6, 2)
    (record,) = closed_records(simulator)
    assert (record.usage.input_tokens, record.usage.output_tokens) == (6, 2)
    assert record.fate == "answered"


def test_a_stream_without_choices(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="empty"))
    with client_of(simulator) as client:
        stream = client.chat.completions.create(
            model=MODEL,
            messages=user("hello"),
            stream=True,
            stream_options={"include_usage": True},
        )
        (only,) = list(stream)
    assert only.choices == []
    assert only.usage is not None


@covers("openai", ENDPOINT, "chat.completions.create")
def test_the_deltas_of_a_tool_call(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        stream = client.chat.completions.create(
            model=MODEL,
            messages=user("hello"),
            tools=[TOOL],
            tool_choice="required",
            stream=True,
        )
        first, *middle, last = seen(list(stream))
    (call,) = first["choices"][0]["delta"].pop("tool_calls")
    assert call.pop("id").startswith("call_")
    assert call == {
        "index": 0,
        "type": "function",
        "function": {"name": "get_weather", "arguments": ""},
    }
    pieces = [one["choices"][0]["delta"]["tool_calls"][0] for one in middle]
    assert all(piece["id"] == UNSET and piece["index"] == 0 for piece in pieces)
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    assert isinstance(json.loads(arguments), dict)
    assert last == chunk(DELTA, "tool_calls")


@covers("openai", ENDPOINT, "chat.completions.stream")
def test_the_sdks_own_way_to_gather_chunks(simulator: Simulator) -> None:
    with (
        client_of(simulator) as client,
        client.chat.completions.stream(model=THINKER, messages=user("hello, world"), n=2) as stream,
    ):
        answer = stream.get_final_completion()
    assert [choice.message.content for choice in answer.choices] == ["hello, world"] * 2


@covers("openai", ENDPOINT, "chat.completions.stream")
async def test_the_async_sdks_own_way_to_gather_chunks(simulator: Simulator) -> None:
    async with (
        async_client_of(simulator) as client,
        client.chat.completions.stream(model=MODEL, messages=user("hello, world")) as stream,
    ):
        answer = await stream.get_final_completion()
    assert answer.choices[0].message.content == "hello, world"


def test_probabilities_come_with_their_pieces(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        stream = client.chat.completions.create(
            model=MODEL, messages=user("hello"), stream=True, logprobs=True
        )
        told_tokens = [
            token.token
            for one in stream
            for choice in one.choices
            if choice.logprobs is not None
            for token in choice.logprobs.content or ()
        ]
    assert told_tokens == ["hell", "o"]


def test_the_bytes_of_a_stream(simulator: Simulator) -> None:
    body = {"model": MODEL, "messages": user("hi"), "stream": True}
    answer = post(simulator, "/chat/completions", body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.text.split("\n\n")
    assert all(one.startswith("data: {") for one in events[:-2])
    assert events[-2:] == ["data: [DONE]", ""]
