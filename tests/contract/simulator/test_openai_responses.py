"""Responses, with OpenAI's SDK as the judge."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError
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
)
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Fault, Simulator

ENDPOINT = "POST /responses"
ONE = "/responses/{id}"
TOOL: Any = {
    "type": "function",
    "name": "get_weather",
    "description": None,
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}

# What the real API sets, by the SDK's types openai.types.responses.Response, ResponseUsage,
# ResponseOutputMessage and ResponseOutputText, and their docstrings. What is not sent belongs to
# requests that ask for it: conversations, prompts, moderation, diagnostics, hosted tools.
PART = {"annotations": [], "text": "hello", "type": "output_text", "logprobs": []}
MESSAGE = {
    "content": [PART],
    "role": "assistant",
    "status": "completed",
    "type": "message",
    "phase": UNSET,
}
USAGE = {
    "input_tokens": 6,
    "input_tokens_details": {
        "cache_write_tokens": 0,
        "cached_tokens": 0,
        "cache_write_tokens_details": UNSET,
    },
    "output_tokens": 2,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 8,
}
RESPONSE = {
    "access_programs": UNSET,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": SNAPSHOT,
    "object": "response",
    "output": [MESSAGE],
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "background": False,
    "conversation": UNSET,
    "image": UNSET,
    "input_transformations": UNSET,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "moderation": UNSET,
    "previous_response_id": None,
    "prompt": UNSET,
    "prompt_cache_diagnostics": UNSET,
    "prompt_cache_key": None,
    "prompt_cache_options": UNSET,
    "prompt_cache_retention": None,
    "reasoning": {
        "context": UNSET,
        "effort": None,
        "generate_summary": UNSET,
        "mode": UNSET,
        "summary": None,
    },
    "safety_identifier": None,
    "service_tier": "default",
    "status": "completed",
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_usage": UNSET,
    "top_logprobs": 0,
    "truncation": "disabled",
    "usage": USAGE,
    "user": None,
}


def incomplete(text: str, reason: str, output_tokens: int) -> dict[str, Any]:
    """Return the table of a response that stopped early."""
    usage = {**USAGE, "output_tokens": output_tokens, "total_tokens": 6 + output_tokens}
    message = {**MESSAGE, "status": "incomplete", "content": [{**PART, "text": text}]}
    return {
        **RESPONSE,
        "status": "incomplete",
        "incomplete_details": {"reason": reason},
        "output": [message],
        "usage": usage,
    }


REFUSAL = "I cannot help with that."
REFUSED_USAGE = {**USAGE, "output_tokens": 6, "total_tokens": 12}
# state -> (fault, what the response holds)
STATES: dict[str, tuple[Fault | None, dict[str, Any]]] = {
    "completed": (None, RESPONSE),
    "cut": (Fault(kind="length"), incomplete("hell", "max_output_tokens", 1)),
    "filtered": (Fault(kind="safety"), incomplete("", "content_filter", 0)),
    "refused": (
        Fault(kind="refusal"),
        {
            **RESPONSE,
            "output": [{**MESSAGE, "content": [{"refusal": REFUSAL, "type": "refusal"}]}],
            "usage": REFUSED_USAGE,
        },
    ),
    "empty": (Fault(kind="empty"), {**RESPONSE, "output": []}),
    "failed": (
        Fault(kind="error_in_200"),
        {**RESPONSE, "status": "failed", "output": [], "usage": None},
    ),
}


def seen(response: Any) -> dict[str, Any]:
    """Return what a response holds, but for names, times and the words of an error."""
    table: dict[str, Any] = told(response)
    assert table.pop("id").startswith("resp_")
    created, completed = table.pop("created_at"), table.pop("completed_at")
    assert completed == (created if table["status"] == "completed" else None)
    for item in table["output"]:
        assert item.pop("id")
    if table["status"] == "failed":
        error = table["error"]
        assert error["code"] == "server_error"
        assert error["message"].startswith("An error occurred")
        table["error"] = None
    return table


@covers("openai", ENDPOINT, "responses.create")
@pytest.mark.parametrize("state", STATES)
def test_what_a_response_holds_in_each_state(simulator: Simulator, state: str) -> None:
    fault, expected = STATES[state]
    if fault is not None:
        simulator.add_fault(fault)
    with client_of(simulator) as client:
        assert seen(client.responses.create(model=MODEL, input="hello")) == expected


@covers("openai", ENDPOINT, "responses.create")
async def test_what_a_response_holds_for_an_async_client(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        assert seen(await client.responses.create(model=MODEL, input="hello")) == RESPONSE


@covers("openai", ENDPOINT, "responses.create")
def test_fields_that_come_back_as_they_were_sent(simulator: Simulator) -> None:
    asked: dict[str, Any] = {
        "instructions": "Be brief.",
        "max_output_tokens": 16,
        "max_tool_calls": 3,
        "metadata": {"run": "7"},
        "parallel_tool_calls": False,
        "prompt_cache_key": "mine",
        "prompt_cache_retention": "24h",
        "safety_identifier": "someone",
        "service_tier": "priority",
        "temperature": 0.5,
        "tools": [TOOL],
        "tool_choice": {"type": "function", "name": "get_weather"},
        "top_logprobs": 2,
        "top_p": 0.5,
        "truncation": "auto",
        "user": "someone",
    }
    with client_of(simulator) as client:
        response = client.responses.create(model=MODEL, input="hello", **asked)
    again = response.model_dump(mode="json", exclude_unset=True)
    assert {name: again[name] for name in asked} == asked


def test_a_reasoning_model_thinks_first(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        response = client.responses.create(
            model=THINKER, input="hello", reasoning={"effort": "low", "summary": "auto"}
        )
        silent = client.responses.create(model="gpt-5.1", input="hello")
    thought, message = told(response.output)
    assert thought.pop("id").startswith("rs_")
    assert thought.pop("encrypted_content")
    assert thought == {"summary": [], "type": "reasoning", "content": UNSET, "status": UNSET}
    assert message["type"] == "message"
    assert response.reasoning is not None
    assert (response.reasoning.effort, response.reasoning.summary) == ("low", "auto")
    assert [item.type for item in silent.output] == ["message"]
    assert silent.reasoning is not None
    assert silent.reasoning.effort == "none"


def test_the_limit_of_output(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        response = client.responses.create(model=MODEL, input="x" * 100, max_output_tokens=16)
    assert response.status == "incomplete"
    assert response.output_text == "x" * 64
    assert response.usage is not None
    assert response.usage.output_tokens == 16


def test_probabilities_of_tokens(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        response = client.responses.create(
            model=MODEL, input="hello", include=["message.output_text.logprobs"], top_logprobs=1
        )
    item = response.output[0]
    assert item.type == "message"
    part = item.content[0]
    assert part.type == "output_text"
    assert part.logprobs is not None
    assert [token.token for token in part.logprobs] == ["hell", "o"]


# --- tools and formats -----------------------------------------------------------------------


@covers("openai", ENDPOINT, "responses.create")
def test_a_tool_that_must_be_used_and_its_result(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        first = client.responses.create(
            model=MODEL, input="hello", tools=[TOOL], tool_choice="required"
        )
        (call,) = first.output
        assert call.type == "function_call"
        table = told(call)
        for name, start in (("id", "fc_"), ("call_id", "call_"), ("arguments", "{")):
            assert table.pop(name).startswith(start)
        assert table == {
            "name": "get_weather",
            "type": "function_call",
            "async_": UNSET,
            "caller": UNSET,
            "namespace": UNSET,
            "status": "completed",
        }
        result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
        second = client.responses.create(
            model=MODEL, previous_response_id=first.id, input=[result], tools=[TOOL]
        )
        by_hand = client.responses.create(
            model=MODEL,
            input=[{"role": "user", "content": "hello"}, call.to_dict(), result],  # type: ignore[list-item]
            tools=[TOOL],
        )
        with pytest.raises(BadRequestError, match="No tool output found for function call call_"):
            client.responses.create(model=MODEL, previous_response_id=first.id, input="well?")
    assert second.previous_response_id == first.id
    assert second.output_text == by_hand.output_text == "hello"
    assert second.usage is not None
    assert by_hand.usage is not None
    assert first.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens


def test_a_tool_of_free_text(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        response = client.responses.create(
            model=MODEL,
            input="hello",
            tools=[{"type": "custom", "name": "shell"}],
            tool_choice="required",
        )
    (call,) = response.output
    assert call.type == "custom_tool_call"
    assert call.name == "shell"


def test_openais_own_tools_are_accepted_and_not_used(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        response = client.responses.create(
            model=MODEL, input="hello", tools=[{"type": "web_search"}]
        )
    assert response.output_text == "hello"
    assert [tool.type for tool in response.tools] == ["web_search"]


class City(BaseModel):
    """A city."""

    name: str
    inhabitants: int


@covers("openai", ENDPOINT, "responses.parse")
def test_an_answer_that_fits_a_schema(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        response = client.responses.parse(model=MODEL, input="Which city?", text_format=City)
    assert isinstance(response.output_parsed, City)
    assert response.text is not None
    assert response.text.format is not None
    assert response.text.format.type == "json_schema"
    assert response.text.format.name == "City"


@covers("openai", ENDPOINT, "responses.parse")
async def test_an_answer_that_fits_a_schema_for_an_async_client(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        response = await client.responses.parse(model=MODEL, input="Which city?", text_format=City)
    assert isinstance(response.output_parsed, City)


# --- what it costs ---------------------------------------------------------------------------


def test_what_the_input_costs(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        file = client.files.create(file=("a.pdf", b"%PDF"), purpose="user_data")
        parts: Any = [
            {"type": "input_text", "text": "12345678"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
            {"type": "input_file", "file_id": file.id},
        ]
        response = client.responses.create(
            model=MODEL, instructions="1234", input=[{"role": "user", "content": parts}]
        )
    assert response.usage is not None
    assert response.usage.input_tokens == (4 + 1) + (4 + 2) + 258 + 1_000


def test_items_of_openais_own_tools_are_counted_by_their_bytes(simulator: Simulator) -> None:
    shot = {
        "type": "computer_call_output",
        "call_id": "c1",
        "output": {"type": "computer_screenshot", "file_id": "file-1"},
    }
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x" * 999}
    question = {"role": "user", "content": "1234"}
    body = {"model": MODEL, "input": [shot, thought, question]}
    usage = post(simulator, "/responses", body).json()["usage"]
    bytes_of_shot = len(json.dumps(shot, separators=(",", ":")))
    assert usage["input_tokens"] == -(-bytes_of_shot // 4) + 5


def test_what_was_said_before_is_billed_again_but_not_the_instructions(
    simulator: Simulator,
) -> None:
    with client_of(simulator) as client:
        first = client.responses.create(model=MODEL, input="12345678", instructions="1234" * 9)
        second = client.responses.create(model=MODEL, input="1234", previous_response_id=first.id)
    assert second.usage is not None
    assert second.usage.input_tokens == (4 + 2) + (4 + 2) + (4 + 1)
    assert second.output_text == "1234"


def test_long_input_is_cached(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        usages = [client.responses.create(model=MODEL, input="x" * 8_000).usage for _ in range(2)]
    assert [usage and usage.input_tokens_details.cached_tokens for usage in usages] == [0, 1_920]


# --- events ----------------------------------------------------------------------------------

DELTA = "response.output_text.delta"
OF_TEXT = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    DELTA,
    DELTA,
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]
OF_REFUSAL = [
    *OF_TEXT[:4],
    *["response.refusal.delta"] * 6,
    "response.refusal.done",
    *OF_TEXT[7:],
]
EVENTS: dict[str, tuple[Fault | None, list[str]]] = {
    "completed": (None, OF_TEXT),
    "cut": (Fault(kind="length"), [*OF_TEXT[:5], *OF_TEXT[6:-1], "response.incomplete"]),
    "filtered": (Fault(kind="safety"), [*OF_TEXT[:4], *OF_TEXT[6:-1], "response.incomplete"]),
    "refused": (Fault(kind="refusal"), OF_REFUSAL),
    "empty": (Fault(kind="empty"), [*OF_TEXT[:2], "response.completed"]),
    "failed": (Fault(kind="error_in_200"), [*OF_TEXT[:2], "response.failed"]),
}


@covers("openai", ENDPOINT, "responses.create")
@pytest.mark.parametrize("state", EVENTS)
def test_the_events_of_each_state(simulator: Simulator, state: str) -> None:
    fault, kinds = EVENTS[state]
    if fault is not None:
        simulator.add_fault(fault)
    with client_of(simulator) as client:
        events = list(client.responses.create(model=MODEL, input="hello", stream=True))
    assert [event.type for event in events] == kinds
    assert [event.sequence_number for event in events] == list(range(len(kinds)))
    last: Any = events[-1]
    assert seen(last.response) == STATES[state][1]


def test_what_each_event_holds(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        events = list(client.responses.create(model=MODEL, input="hello", stream=True))
    tables = [told(event) for event in events]
    begun = tables[0]["response"]
    assert begun == tables[1]["response"]
    assert (begun["status"], begun["output"], begun["usage"]) == ("in_progress", [], None)
    item_id = tables[2]["item"]["id"]
    where = {"item_id": item_id, "output_index": 0, "content_index": 0}
    added = {**MESSAGE, "id": item_id, "content": [], "status": "in_progress"}
    whole = {**MESSAGE, "id": item_id}
    expected: list[dict[str, Any]] = [
        {"item": added, "output_index": 0},
        {"part": {**PART, "text": ""}, **where},
        {"delta": "hell", "logprobs": [], **where},
        {"delta": "o", "logprobs": [], **where},
        {"text": "hello", "logprobs": [], **where},
        {"part": PART, **where},
        {"item": whole, "output_index": 0},
    ]
    for number, table in enumerate(expected, 2):
        assert tables[number] == {**table, "sequence_number": number, "type": OF_TEXT[number]}


@covers("openai", ENDPOINT, "responses.create")
def test_the_events_of_a_tool_call(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        events = list(
            client.responses.create(
                model=THINKER, input="hello", tools=[TOOL], tool_choice="required", stream=True
            )
        )
    added = [event for event in events if event.type == "response.output_item.added"]
    assert [event.item.type for event in added] == ["reasoning", "function_call"]
    pieces = [
        event.delta for event in events if event.type == "response.function_call_arguments.delta"
    ]
    (done,) = [event for event in events if event.type == "response.function_call_arguments.done"]
    assert "".join(pieces) == done.arguments
    assert isinstance(json.loads(done.arguments), dict)
    assert done.output_index == 1


@covers("openai", ENDPOINT, "responses.stream")
def test_the_sdks_own_way_to_gather_events(simulator: Simulator) -> None:
    with (
        client_of(simulator) as client,
        client.responses.stream(model=MODEL, input="Which city?", text_format=City) as stream,
    ):
        response = stream.get_final_response()
    assert isinstance(response.output_parsed, City)


@covers("openai", ENDPOINT, "responses.stream")
async def test_the_async_sdks_own_way_to_gather_events(simulator: Simulator) -> None:
    async with (
        async_client_of(simulator) as client,
        client.responses.stream(model=MODEL, input="hello") as stream,
    ):
        response = await stream.get_final_response()
    assert response.output_text == "hello"


# --- what is kept ----------------------------------------------------------------------------


@covers("openai", ENDPOINT, "responses.create")
@covers("openai", f"GET {ONE}", "responses.retrieve")
@covers("openai", f"DELETE {ONE}", "responses.delete")
@covers("openai", f"GET {ONE}/input_items", "responses.input_items.list")
def test_the_life_of_a_response(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        made = client.responses.create(
            model=MODEL, input=[{"role": "user", "content": part} for part in ("one", "two")]
        )
        assert client.responses.retrieve(made.id) == made
        replayed = list(client.responses.retrieve(made.id, stream=True, starting_after=7))
        assert [event.sequence_number for event in replayed] == [8]
        items = list(client.responses.input_items.list(made.id, limit=1, order="asc"))
        client.responses.delete(made.id)
        for gone in (client.responses.retrieve, client.responses.delete):
            with pytest.raises(NotFoundError, match=f"Response with id '{made.id}' not found"):
                gone(made.id)
    texts = []
    for item in items:
        table = told(item)
        assert table.pop("id").startswith("msg_")
        (part,) = table.pop("content")
        texts.append(part["text"])
        assert part["type"] == "input_text"
        assert table == {"role": "user", "type": "message", "status": "completed"}
    assert texts == ["one", "two"]


@covers("openai", f"GET {ONE}", "responses.retrieve")
@covers("openai", f"DELETE {ONE}", "responses.delete")
@covers("openai", f"GET {ONE}/input_items", "responses.input_items.list")
async def test_the_life_of_a_response_for_an_async_client(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        made = await client.responses.create(model=MODEL, input="hello")
        assert await client.responses.retrieve(made.id) == made
        items = [item async for item in client.responses.input_items.list(made.id)]
        assert len(items) == 1
        await client.responses.delete(made.id)


def test_a_response_is_seen_by_its_own_key_and_only_if_it_is_stored(simulator: Simulator) -> None:
    with client_of(simulator) as mine, client_of(simulator, "other") as other:
        kept = mine.responses.create(model=MODEL, input="hello")
        forgotten = mine.responses.create(model=MODEL, input="hello", store=False)
        with pytest.raises(NotFoundError):
            other.responses.retrieve(kept.id)
        with pytest.raises(NotFoundError):
            mine.responses.retrieve(forgotten.id)
        with pytest.raises(BadRequestError, match="not found") as caught:
            mine.responses.create(model=MODEL, input="a", previous_response_id=forgotten.id)
    assert caught.value.code == "previous_response_not_found"
    assert caught.value.param == "previous_response_id"


def test_a_response_that_is_there_already_cannot_be_cancelled(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        made = client.responses.create(model=MODEL, input="hello")
        with pytest.raises(BadRequestError, match="Cannot cancel a synchronous response"):
            client.responses.cancel(made.id)
        with pytest.raises(NotFoundError):
            client.responses.cancel("resp_none")


# --- what is refused -------------------------------------------------------------------------

# case -> (fields of the request, param, code, part of the message)
REFUSED: dict[str, tuple[dict[str, Any], str | None, str | None, str]] = {
    "no input": ({"input": None}, "input", "missing_required_parameter", "must be provided"),
    "empty input": ({"input": []}, "input", "empty_array", "empty array"),
    "type of input": ({"input": 7}, "input", "invalid_type", "an integer"),
    "item": ({"input": [7]}, "input[0]", "invalid_type", "expected an object"),
    "role": (
        {"input": [{"role": "robot", "content": "a"}]},
        "input[0].role",
        "invalid_value",
        "'robot'",
    ),
    "part of a user": (
        {"input": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]},
        "input[0].content[0].type",
        "invalid_value",
        "Supported values are: 'input_text',",
    ),
    "part of an assistant": (
        {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "a"}]}]},
        "input[0].content[0].type",
        "invalid_value",
        "Supported values are: 'output_text', and 'refusal'.",
    ),
    "text in a part": (
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": 7}]}]},
        "input[0].content[0].text",
        "invalid_type",
        "a string",
    ),
    "result without a call": (
        {"input": [{"type": "function_call_output", "call_id": "c1", "output": "a"}]},
        "input",
        None,
        "No tool call found for function call output with call_id c1.",
    ),
    "call without a result": (
        {"input": [{"type": "function_call", "call_id": "c1", "name": "f", "arguments": ""}]},
        "input",
        None,
        "No tool output found for function call c1.",
    ),
    "output": (
        {"max_output_tokens": 15},
        "max_output_tokens",
        "integer_below_min_value",
        "Expected a value >= 16, but got 15 instead.",
    ),
    "temperature": ({"temperature": 3}, "temperature", "decimal_above_max_value", "<= 2"),
    "json_object without the word": (
        {"text": {"format": {"type": "json_object"}}},
        "input",
        None,
        "must contain the word 'json'",
    ),
    "format without a name": (
        {"text": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        "text.format.name",
        "missing_required_parameter",
        "Missing",
    ),
    "strict schema": (
        {
            "text": {
                "format": {
                    "type": "json_schema",
                    "name": "a",
                    "strict": True,
                    "schema": {"type": "object"},
                }
            }
        },
        "text.format.schema",
        "invalid_json_schema",
        "'additionalProperties' is required to be supplied and to be false",
    ),
    "tool without a name": (
        {"tools": [{"type": "function"}]},
        "tools[0].name",
        "missing_required_parameter",
        "Missing",
    ),
    "tool choice": (
        {"tools": [TOOL], "tool_choice": {"type": "function", "name": "b"}},
        "tool_choice",
        None,
        "'b' not found",
    ),
    "context": (
        {"input": "x" * 4 * 130_000},
        "input",
        "context_length_exceeded",
        "exceeds the context window of this model",
    ),
    "background": ({"background": True}, "background", "unsupported_parameter", "simulator"),
    "truncation": ({"truncation": "all"}, "truncation", "invalid_value", "'all'"),
    "metadata": ({"metadata": {"x" * 65: ""}}, "metadata", "string_above_max_length", "65"),
    "thinker's temperature": (
        {"model": THINKER, "temperature": 0.2},
        "temperature",
        "unsupported_parameter",
        "Unsupported parameter: 'temperature' is not supported with this model.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(simulator: Simulator, case: str) -> None:
    fields, param, code, message = REFUSED[case]
    answer = post(simulator, "/responses", {"model": MODEL, "input": "hello", **fields})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert error["type"] == "invalid_request_error"
    assert message in error["message"]
    assert not simulator.books.records
