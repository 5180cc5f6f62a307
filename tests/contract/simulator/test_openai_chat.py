"""Chat completions, with OpenAI's SDK as the judge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from openai import BadRequestError, NotFoundError, PermissionDeniedError
from pydantic import BaseModel
from tests.contract.simulator.openai_sdk import (
    MODEL,
    SNAPSHOT,
    THINKER,
    UNSET,
    async_client_of,
    client_of,
    post,
    told,
    user,
)
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Answer, Fault, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_llm.testing.simulator import ModelCall

ENDPOINT = "POST /chat/completions"
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
NAMED: Any = {"type": "function", "function": {"name": "get_weather"}}

# What the real API sets, by the SDK's types openai.types.chat.ChatCompletion,
# ChatCompletionMessage and openai.types.CompletionUsage, and their docstrings: `metadata` comes
# with a request that has it, `moderation` with one that asks for it, `audio`, `function_call` and
# `tool_calls` with answers that hold them.
MESSAGE = {
    "content": "hello",
    "refusal": None,
    "role": "assistant",
    "annotations": [],
    "audio": UNSET,
    "function_call": UNSET,
    "tool_calls": UNSET,
}
USAGE = {
    "completion_tokens": 2,
    "prompt_tokens": 6,
    "total_tokens": 8,
    "completion_tokens_details": {
        "accepted_prediction_tokens": 0,
        "audio_tokens": 0,
        "reasoning_tokens": 0,
        "rejected_prediction_tokens": 0,
        "text_tokens": UNSET,
    },
    "prompt_tokens_details": {
        "audio_tokens": 0,
        "cache_write_tokens": UNSET,
        "cached_tokens": 0,
        "image_tokens": UNSET,
        "text_tokens": UNSET,
    },
}
COMPLETION = {
    "choices": [{"finish_reason": "stop", "index": 0, "logprobs": None, "message": MESSAGE}],
    "model": SNAPSHOT,
    "object": "chat.completion",
    "metadata": UNSET,
    "moderation": UNSET,
    "service_tier": "default",
    "usage": USAGE,
}


def changed(**message: Any) -> dict[str, Any]:
    """Return the table of a completion with another ending and message."""
    finish = message.pop("finish_reason")
    choice = {
        "finish_reason": finish,
        "index": 0,
        "logprobs": None,
        "message": {**MESSAGE, **message},
    }
    return {**COMPLETION, "choices": [choice]}


# state -> (fault, fields of the request, what the completion holds besides the usage)
STATES: dict[str, tuple[Fault | None, dict[str, Any], dict[str, Any]]] = {
    "stop": (None, {}, COMPLETION),
    "length": (
        None,
        {"max_completion_tokens": 1},
        changed(finish_reason="length", content="hell"),
    ),
    "stop sequence": (None, {"stop": "lo"}, changed(finish_reason="stop", content="hel")),
    "length fault": (Fault(kind="length"), {}, changed(finish_reason="length", content="hell")),
    "refusal": (
        Fault(kind="refusal"),
        {},
        changed(finish_reason="stop", content=None, refusal="I cannot help with that."),
    ),
    "content filter": (
        Fault(kind="safety"),
        {},
        changed(finish_reason="content_filter", content=""),
    ),
    "no choices": (Fault(kind="empty"), {}, {**COMPLETION, "choices": []}),
}


@covers("openai", ENDPOINT, "chat.completions.create")
@pytest.mark.parametrize("state", STATES)
def test_what_a_completion_holds_in_each_state(simulator: Simulator, state: str) -> None:
    fault, asked, expected = STATES[state]
    if fault is not None:
        simulator.add_fault(fault)
    with client_of(simulator) as client:
        answer = client.chat.completions.create(model=MODEL, messages=user("hello"), **asked)
    seen = told(answer)
    assert seen.pop("id").startswith("chatcmpl-")
    assert seen.pop("created") <= simulator.now()
    assert seen.pop("system_fingerprint").startswith("fp_")
    if state != "stop":
        seen["usage"] = USAGE
    assert seen == expected


@covers("openai", ENDPOINT, "chat.completions.create")
async def test_what_a_completion_holds_for_an_async_client(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        answer = await client.chat.completions.create(model=MODEL, messages=user("hello"))
    seen = told(answer)
    for name in ("id", "created", "system_fingerprint"):
        assert seen.pop(name)
    assert seen == COMPLETION


def test_a_reasoning_model_has_no_fingerprint_and_names_its_snapshot(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        answer = client.chat.completions.create(model=THINKER, messages=user("hello"))
    assert answer.system_fingerprint is None
    assert answer.model == "gpt-5-2025-08-07"


def test_fields_that_come_back_as_they_were_sent(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        answer = client.chat.completions.create(
            model=MODEL,
            messages=user("hello"),
            metadata={"run": "7"},
            service_tier="flex",
            store=True,
            user="someone",
            seed=3,
        )
    assert answer.metadata == {"run": "7"}
    assert answer.service_tier == "flex"


def test_each_choice_is_billed(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        answer = client.chat.completions.create(model=MODEL, messages=user("hello"), n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 6
    (record,) = simulator.books.records
    assert record.usage.output_tokens == 6


def test_probabilities_of_tokens(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        answer = client.chat.completions.create(
            model=MODEL, messages=user("hello"), logprobs=True, top_logprobs=1
        )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert [token.token for token in logprobs.content] == ["hell", "o"]
    assert told(logprobs.content[1]) == {
        "token": "o",
        "bytes": [111],
        "logprob": 0.0,
        "top_logprobs": [{"token": "o", "bytes": [111], "logprob": 0.0}],
    }


# --- tools and formats -----------------------------------------------------------------------


@covers("openai", ENDPOINT, "chat.completions.create")
@pytest.mark.parametrize(
    ("choice", "finish"), [("required", "tool_calls"), (NAMED, "stop")], ids=["any", "named"]
)
def test_a_tool_that_must_be_used(simulator: Simulator, choice: Any, finish: str) -> None:
    with client_of(simulator) as client:
        answer = client.chat.completions.create(
            model=MODEL, messages=user("hello"), tools=[WEATHER], tool_choice=choice
        )
    message = told(answer.choices[0].message)
    (call,) = message.pop("tool_calls")
    assert call.pop("id").startswith("call_")
    assert set(json.loads(call["function"].pop("arguments"))) == {"city"}
    assert call == {"type": "function", "function": {"name": "get_weather"}}
    assert message == {
        name: value for name, value in {**MESSAGE, "content": None}.items() if name != "tool_calls"
    }
    assert answer.choices[0].finish_reason == finish


@pytest.mark.parametrize("choice", ["none", "auto"])
def test_a_tool_that_need_not_be_used(simulator: Simulator, choice: Any) -> None:
    with client_of(simulator) as client:
        answer = client.chat.completions.create(
            model=MODEL, messages=user("hello"), tools=[WEATHER], tool_choice=choice
        )
    assert answer.choices[0].message.content == "hello"


def test_a_conversation_with_a_tools_result(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        first = client.chat.completions.create(
            model=MODEL, messages=user("hello"), tools=[WEATHER], tool_choice="required"
        )
        asked = first.choices[0].message
        assert asked.tool_calls is not None
        result = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": "rain"}
        messages: Any = [*user("hello"), asked.model_dump(exclude_none=True), result]
        second = client.chat.completions.create(model=MODEL, messages=messages, tools=[WEATHER])
    assert second.choices[0].finish_reason == "stop"
    assert second.usage is not None
    assert first.usage is not None
    assert second.usage.prompt_tokens > first.usage.prompt_tokens


def test_a_tool_of_free_text(simulator: Simulator) -> None:
    tool: Any = {"type": "custom", "custom": {"name": "shell", "description": "Runs a command."}}
    with client_of(simulator) as client:
        answer = client.chat.completions.create(
            model=THINKER, messages=user("hello"), tools=[tool], tool_choice="required"
        )
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "custom"
    assert calls[0].custom.name == "shell"


def test_tools_that_are_allowed(simulator: Simulator) -> None:
    other: Any = {"type": "function", "function": {"name": "get_time"}}
    allowed: Any = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [other]},
    }
    with client_of(simulator) as client:
        answer = client.chat.completions.create(
            model=MODEL, messages=user("hello"), tools=[WEATHER, other], tool_choice=allowed
        )
    calls = answer.choices[0].message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert calls[0].function.name == "get_time"
    assert answer.choices[0].finish_reason == "tool_calls"


class City(BaseModel):
    """A city."""

    name: str
    inhabitants: int


@covers("openai", ENDPOINT, "chat.completions.parse")
def test_an_answer_that_fits_a_schema(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        answer = client.chat.completions.parse(
            model=MODEL, messages=user("Which city?"), response_format=City
        )
    assert isinstance(answer.choices[0].message.parsed, City)


@covers("openai", ENDPOINT, "chat.completions.parse")
async def test_an_answer_that_fits_a_schema_for_an_async_client(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        answer = await client.chat.completions.parse(
            model=MODEL, messages=user("Which city?"), response_format=City
        )
    assert isinstance(answer.choices[0].message.parsed, City)


def test_an_answer_that_is_any_json(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        answer = client.chat.completions.create(
            model=MODEL,
            messages=user("Give me JSON."),
            response_format={"type": "json_object"},
        )
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


# --- what it costs ---------------------------------------------------------------------------


def test_what_parts_cost(simulator: Simulator) -> None:
    system = {"role": "developer", "content": "1234"}
    with client_of(simulator) as client:
        file = client.files.create(file=("a.pdf", b"%PDF"), purpose="user_data")
        parts = [
            {"type": "text", "text": "12345678"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "file", "file": {"file_id": file.id}},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ]
        messages: Any = [system, *user(parts)]
        answer = client.chat.completions.create(model=MODEL, messages=messages)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == (4 + 1) + (4 + 2) + 258 + 1_000 + 1_000


def test_what_tools_and_schemas_cost(simulator: Simulator) -> None:
    schema = WEATHER["function"]["parameters"]
    named = {"name": "city", "schema": schema}
    body = {"model": MODEL, "messages": user("12345678")}
    more = {"response_format": {"type": "json_schema", "json_schema": named}, "tools": [WEATHER]}
    plain = post(simulator, "/chat/completions", body).json()["usage"]["prompt_tokens"]
    whole = post(simulator, "/chat/completions", body | more).json()["usage"]["prompt_tokens"]
    schema_tokens = -(-len(json.dumps(schema, separators=(",", ":"))) // 4)
    name_tokens, description_tokens = 3, 5
    assert whole - plain == 2 * schema_tokens + name_tokens + description_tokens


def test_long_prompts_are_cached_in_steps(simulator: Simulator) -> None:
    start = "x" * 4 * 1_200
    with client_of(simulator) as client:

        def cached(text: str, model: str = MODEL) -> int:
            answer = client.chat.completions.create(model=model, messages=user(text))
            assert answer.usage is not None
            assert answer.usage.prompt_tokens_details is not None
            return answer.usage.prompt_tokens_details.cached_tokens or 0

        assert cached(start) == 0
        assert cached(start) == 1_152
        assert cached(start + "and more " * 100) == 1_152
        assert cached(start, "gpt-4o") == 0
        assert cached("y" + start) == 0
        assert cached("short") == cached("short") == 0
    assert [record.usage.cached_input_tokens for record in simulator.books.records][:2] == [0, 1152]


def test_a_prompt_is_cached_for_its_key_alone_and_for_a_day(simulator: Simulator) -> None:
    body = {"model": MODEL, "messages": user("x" * 8_000)}

    def cached(key: str = "any") -> Any:
        usage = post(simulator, "/chat/completions", body, key=key).json()["usage"]
        return usage["prompt_tokens_details"]["cached_tokens"]

    simulator.set_speed(1)
    assert (cached(), cached("other"), cached()) == (0, 0, 1_920)
    simulator.advance(25 * 3_600)
    assert cached() == 0


def test_reasoning_is_billed_as_output() -> None:
    def think(call: ModelCall) -> Answer:
        return Answer("done", reasoning_tokens=40)

    with Simulator(answers=think) as simulator, client_of(simulator) as client:
        answer = client.chat.completions.create(model=THINKER, messages=user("hello"))
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 41
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 40


# --- what is refused -------------------------------------------------------------------------

Refusal = tuple[dict[str, Any], str | None, str | None, str]
STRICT = {"name": "a", "strict": True, "schema": {"type": "object", "properties": {"b": {}}}}
TOOL_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
# field of the request -> (the request's fields, param, code, part of the message)
REFUSED: dict[str, Refusal] = {
    "no messages": ({"messages": None}, "messages", "missing_required_parameter", "Missing"),
    "empty messages": ({"messages": []}, "messages", "empty_array", "empty array"),
    "role": (
        {"messages": [{"role": "robot", "content": "a"}]},
        "messages[0].role",
        "invalid_value",
        "'robot'. Supported values are: 'system', 'assistant',",
    ),
    "content": (
        {"messages": user(7)},
        "messages[0].content",
        "invalid_type",
        "expected one of a string or an array, but got an integer instead",
    ),
    "no content": ({"messages": user(None)}, "messages[0].content", None, "got null"),
    "part": (
        {"messages": user([{"type": "video"}])},
        "messages[0].content[0].type",
        "invalid_value",
        "'video'",
    ),
    "part without its field": (
        {"messages": user([{"type": "image_url"}])},
        "messages[0].content[0].image_url",
        "missing_required_parameter",
        "Missing",
    ),
    "tool result without a call": (
        {"messages": [{"role": "tool", "tool_call_id": "c1", "content": "a"}]},
        "messages.[0].role",
        None,
        "must be a response to a preceeding message with 'tool_calls'",
    ),
    "tool call without a result": (
        {"messages": [{"role": "assistant", "tool_calls": [TOOL_CALL]}, *user("a")]},
        "messages.[1].role",
        None,
        "did not have response messages: c1",
    ),
    "temperature": ({"temperature": 3}, "temperature", "decimal_above_max_value", "<= 2"),
    "top_p": ({"top_p": -1}, "top_p", "decimal_below_min_value", ">= 0"),
    "n": ({"n": 0}, "n", "integer_below_min_value", ">= 1"),
    "stop": ({"stop": list("abcde")}, "stop", "array_above_max_length", "length 5"),
    "top_logprobs alone": ({"top_logprobs": 2}, "top_logprobs", None, "'logprobs'"),
    "stream_options alone": (
        {"stream_options": {"include_usage": True}},
        "stream_options",
        None,
        "only allowed when 'stream' is enabled",
    ),
    "metadata value": (
        {"metadata": {"a": "x" * 513}},
        "metadata.a",
        "string_above_max_length",
        "513",
    ),
    "metadata keys": (
        {"metadata": {str(number): "" for number in range(17)}},
        "metadata",
        "object_above_max_properties",
        "17",
    ),
    "metadata type": ({"metadata": {"a": 1}}, "metadata", "invalid_type", "a string"),
    "format": ({"response_format": {"type": "xml"}}, "response_format.type", "invalid_value", ""),
    "json_object without the word": (
        {"response_format": {"type": "json_object"}},
        "messages",
        None,
        "must contain the word 'json'",
    ),
    "strict schema": (
        {"response_format": {"type": "json_schema", "json_schema": STRICT}},
        "response_format",
        None,
        "In context=(), 'additionalProperties' is required to be supplied and to be false.",
    ),
    "tool name": (
        {"tools": [{"type": "function", "function": {"name": "a b"}}]},
        "tools[0].function.name",
        "invalid_value",
        "pattern",
    ),
    "tool schema": (
        {"tools": [{"type": "function", "function": {"name": "a", "parameters": {"type": "x"}}}]},
        "tools[0].function.parameters",
        "invalid_function_parameters",
        "Invalid schema for function 'a'",
    ),
    "tool choice without tools": ({"tool_choice": "required"}, "tool_choice", None, "'tools'"),
    "tool choice of none": (
        {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "b"}}},
        "tool_choice",
        None,
        "'b' not found",
    ),
    "output": ({"max_tokens": 99_999}, "max_tokens", "invalid_value", "at most 16384"),
    "context": (
        {"messages": user("x" * 4 * 130_000)},
        "messages",
        "context_length_exceeded",
        "maximum context length is 128000 tokens. However, your messages resulted in 130004",
    ),
    "context with output": (
        {"model": "gpt-4", "messages": user("x" * 4 * 8_000), "max_tokens": 500},
        "messages",
        "context_length_exceeded",
        "(8004 in the messages, 500 in the completion)",
    ),
    "service tier": ({"service_tier": "gold"}, "service_tier", "invalid_value", "'gold'"),
    "audio": ({"modalities": ["text", "audio"]}, "modalities", "unsupported_value", "text only"),
    "reasoning effort": (
        {"reasoning_effort": "high"},
        "reasoning_effort",
        "unsupported_parameter",
        "not supported with this model",
    ),
}
THINKER_REFUSES: dict[str, Refusal] = {
    "max_tokens": (
        {"max_tokens": 5},
        "max_tokens",
        "unsupported_parameter",
        "Use 'max_completion_tokens' instead.",
    ),
    "temperature": (
        {"temperature": 0.5},
        "temperature",
        "unsupported_value",
        "does not support 0.5 with this model. Only the default (1) value is supported.",
    ),
    "top_p": ({"top_p": 0.5}, "top_p", "unsupported_parameter", "'top_p'"),
    "logprobs": ({"logprobs": True}, "logprobs", "unsupported_parameter", "'logprobs'"),
    "stop": ({"stop": "a"}, "stop", "unsupported_parameter", "'stop'"),
    "effort": ({"reasoning_effort": "none"}, "reasoning_effort", "unsupported_value", "'none'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(simulator: Simulator, case: str) -> None:
    check_refused(simulator, MODEL, REFUSED[case])


@pytest.mark.parametrize("case", THINKER_REFUSES)
def test_what_a_reasoning_model_refuses(simulator: Simulator, case: str) -> None:
    check_refused(simulator, THINKER, THINKER_REFUSES[case])


def check_refused(simulator: Simulator, model: str, refusal: Refusal) -> None:
    fields, param, code, message = refusal
    asked: dict[str, Any] = {"model": model, "messages": user("hello"), **fields}
    with client_of(simulator) as client, pytest.raises(BadRequestError) as caught:
        client.chat.completions.create(**asked)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert caught.value.type == "invalid_request_error"
    assert message in caught.value.message
    assert not simulator.books.records


@pytest.mark.parametrize(
    ("model", "effort"), [("gpt-5.1", None), ("gpt-5.6-sol", "none"), ("gpt-5-chat-latest", None)]
)
def test_a_model_that_does_not_reason_now_takes_a_temperature(
    simulator: Simulator, model: str, effort: Any
) -> None:
    more: dict[str, Any] = {} if effort is None else {"reasoning_effort": effort}
    with client_of(simulator) as client:
        answer = client.chat.completions.create(
            model=model, messages=user("hello"), temperature=0.5, **more
        )
    assert answer.choices[0].message.content == "hello"


def test_models_that_are_not_for_chat(simulator: Simulator) -> None:
    with client_of(simulator) as client:

        def ask(model: str) -> None:
            client.chat.completions.create(model=model, messages=user("hello"))

        with pytest.raises(NotFoundError, match="`claude-x` does not exist or you do") as caught:
            ask("claude-x")
        assert caught.value.code == "model_not_found"
        with pytest.raises(PermissionDeniedError):
            ask("text-embedding-3-small")


def test_a_model_of_the_settings_is_known() -> None:
    with Simulator(models=("llama",)) as simulator, client_of(simulator) as client:
        answer = client.chat.completions.create(model="llama", messages=user("hello"))
    assert answer.model == "llama"


NOT_JSON: list[Callable[[], bytes]] = [
    lambda: b"",
    lambda: b"{",
    lambda: b"[]",
    lambda: b'{"model":"\xff"}',
    lambda: b'{"model":"\\ud800"}',
    lambda: b'{"x":' + b"[" * 100_000,
    lambda: b'{"model":"gpt-4o","messages":[],"x":' + b"[" * 90_000 + b"]" * 90_000 + b"}",
]


@pytest.mark.parametrize("make", NOT_JSON)
def test_a_body_that_is_no_json(simulator: Simulator, make: Callable[[], bytes]) -> None:
    answer = post(simulator, "/chat/completions", make(), content_type="application/json")
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["message"].startswith("We could not parse the JSON body of your request.")
    assert error["type"] == "invalid_request_error"


def test_a_body_of_another_type(simulator: Simulator) -> None:
    answer = post(simulator, "/chat/completions", b"{}", content_type="text/plain")
    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "unsupported_content_type"
