"""Recordings out of the batch files of providers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batch_llm.exceptions import InputError
from batch_llm.testing.simulator.answers import EchoAnswers, RecordedAnswers
from batch_llm.testing.simulator.answers.recording import read_recording
from batch_llm.testing.simulator.call import Answer, ModelCall

ARGUMENTS = '{"city":"Rome"}'
CITY = {"city": "Rome"}


def recorded(*lines: dict[str, Any]) -> RecordedAnswers:
    encoded = [json.dumps(line).encode() for line in lines]
    return RecordedAnswers(read_recording(encoded, "answers.jsonl"), EchoAnswers())


async def answer(source: RecordedAnswers, prompt: str, custom_id: str | None = None) -> Answer:
    turns = [("user", prompt)]
    call = ModelCall("openai", "responses", "gpt-5", "key", turns, custom_id=custom_id)
    return await source.answer(call)


# --- what was answered --------------------------------------------------------------------------


def openai_line(body: Any, status: int = 200) -> dict[str, Any]:
    response = {"status_code": status, "request_id": "r", "body": body}
    return {"id": "batch_req_1", "custom_id": "a", "response": response, "error": None}


def chat(message: dict[str, Any], finish: str = "stop", **more: Any) -> dict[str, Any]:
    usage = {"completion_tokens": 77, "completion_tokens_details": {"reasoning_tokens": 7}}
    choice = {"message": {"role": "assistant", **message}, "finish_reason": finish}
    return openai_line({"object": "chat.completion", "choices": [choice], "usage": usage} | more)


def response(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    usage = {"output_tokens": 77, "output_tokens_details": {"reasoning_tokens": 7}}
    body = {"object": "response", "status": "completed", "output": output, "usage": usage} | more
    return openai_line({"error": None, **body})


def message(**part: str) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": [part]}


def anthropic(*content: dict[str, Any], **more: Any) -> dict[str, Any]:
    usage = {"output_tokens": 77, "output_tokens_details": {"thinking_tokens": 7}}
    said = {"content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage}
    return {"custom_id": "a", "result": {"type": "succeeded", "message": {**said, **more}}}


def gemini(*parts: dict[str, Any], finish: str = "STOP", **more: Any) -> dict[str, Any]:
    usage = {"candidatesTokenCount": 70, "thoughtsTokenCount": 7, "totalTokenCount": 99}
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": finish}
    return {"key": "a", "response": {"candidates": [candidate], "usageMetadata": usage} | more}


TEXT: dict[str, dict[str, Any]] = {
    "chat": chat({"content": "hi there", "refusal": None}),
    "responses": response(
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]},
        message(type="output_text", text="hi "),
        message(type="output_text", text="there"),
    ),
    "anthropic": anthropic(
        {"type": "thinking", "thinking": "Hm", "signature": "x"},
        {"type": "text", "text": "hi ", "citations": []},
        {"type": "text", "text": "there"},
    ),
    "gemini": gemini({"text": "Hm", "thought": True}, {"text": "hi "}, {"text": "there"}),
}


@pytest.mark.parametrize("line", TEXT.values(), ids=TEXT)
async def test_a_text_answers_again_with_its_tokens(line: dict[str, Any]) -> None:
    said = await answer(recorded(line), "x", "a")
    assert said == Answer("hi there", output_tokens=77, reasoning_tokens=7)


@pytest.mark.parametrize("line", TEXT.values(), ids=TEXT)
async def test_a_line_answers_no_other_request(line: dict[str, Any]) -> None:
    source = recorded(line)
    assert (await answer(source, "x", "b")).text == "x"
    assert (await answer(source, "x")).text == "x"


def functions(*names: str) -> dict[str, Any]:
    return {
        "content": None,
        "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": name, "arguments": ARGUMENTS}}
            for name in names
        ],
    }


TOOLS: dict[str, dict[str, Any]] = {
    "chat": chat(functions("weather", "other"), "tool_calls"),
    "chat, the tool being named": chat(functions("weather")),
    "chat, free text": chat(
        {"tool_calls": [{"type": "custom", "custom": {"name": "weather", "input": ARGUMENTS}}]}
    ),
    "responses": response(
        message(type="output_text", text="I shall look."),
        {"type": "function_call", "name": "weather", "arguments": ARGUMENTS, "call_id": "c"},
        {"type": "function_call", "name": "other", "arguments": "{}", "call_id": "d"},
    ),
    "responses, free text": response(
        {"type": "custom_tool_call", "name": "weather", "input": ARGUMENTS, "call_id": "c"}
    ),
    "anthropic": anthropic(
        {"type": "text", "text": "I shall look."},
        {"type": "tool_use", "id": "t", "name": "weather", "input": CITY},
        {"type": "tool_use", "id": "u", "name": "other", "input": {}},
        stop_reason="tool_use",
    ),
    "gemini": gemini(
        {"text": "I shall look."},
        {"functionCall": {"name": "weather", "args": CITY}},
        {"functionCall": {"name": "other"}},
    ),
}


@pytest.mark.parametrize("line", TOOLS.values(), ids=TOOLS)
async def test_the_first_tool_is_asked_for_again(line: dict[str, Any]) -> None:
    said = await answer(recorded(line), "x", "a")
    assert said == Answer(ARGUMENTS, "tool_call", "weather", output_tokens=77, reasoning_tokens=7)


CUT = message(type="output_text", text="hi")
ENDINGS: dict[str, tuple[dict[str, Any], str, str]] = {
    "chat, cut": (chat({"content": "hi"}, "length"), "hi", "length"),
    "chat, filtered": (chat({"content": None}, "content_filter"), "", "safety"),
    "chat, refused": (chat({"content": None, "refusal": "No."}), "No.", "refusal"),
    "responses, cut": (
        response(CUT, status="incomplete", incomplete_details={"reason": "max_output_tokens"}),
        "hi", "length",
    ),
    "responses, cut in thought": (
        response(
            {"type": "reasoning", "summary": []},
            status="incomplete",
            incomplete_details={"reason": "max_output_tokens"},
        ),
        "", "length",
    ),
    "responses, filtered": (
        response(CUT, status="incomplete", incomplete_details={"reason": "content_filter"}),
        "hi", "safety",
    ),
    "responses, refused": (response(message(type="refusal", refusal="No.")), "No.", "refusal"),
    "anthropic, cut": (
        anthropic({"type": "text", "text": "hi"}, stop_reason="max_tokens"), "hi", "length",
    ),
    "anthropic, no room": (
        anthropic({"type": "text", "text": "hi"}, stop_reason="model_context_window_exceeded"),
        "hi", "length",
    ),
    "anthropic, refused": (anthropic(stop_reason="refusal"), "", "refusal"),
    "gemini, cut": (gemini({"text": "hi"}, finish="MAX_TOKENS"), "hi", "length"),
    "gemini, filtered": (gemini(candidates=[{"finishReason": "SAFETY"}]), "", "safety"),
    "gemini, recited": (gemini(candidates=[{"finishReason": "RECITATION"}]), "", "safety"),
    "gemini, blocked": (
        gemini(candidates=[], promptFeedback={"blockReason": "OTHER"}), "", "refusal",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("line", "text", "ending"), ENDINGS.values(), ids=ENDINGS)
async def test_an_answer_ends_as_it_did(line: dict[str, Any], text: str, ending: str) -> None:
    said = await answer(recorded(line), "x", "a")
    assert (said.text, said.ending) == (text, ending)


async def test_the_text_that_stopped_an_answer_is_kept() -> None:
    block = {"type": "text", "text": "hi"}
    line = anthropic(block, stop_reason="stop_sequence", stop_sequence="END")
    said = await answer(recorded(line), "x", "a")
    assert (said.ending, said.stopped_by) == ("stop_sequence", "END")


UNBILLED = [
    chat({"content": "hi"}, usage=None),
    response(CUT, usage=None),
    anthropic({"type": "text", "text": "hi"}, usage=None),
    gemini({"text": "hi"}, usageMetadata=None),
]


@pytest.mark.parametrize("line", UNBILLED)
async def test_tokens_that_are_not_told_are_left_to_be_counted(line: dict[str, Any]) -> None:
    assert await answer(recorded(line), "x", "a") == Answer("hi")


async def test_the_tokens_of_several_choices_are_shared_out() -> None:
    choices = [{"message": {"content": text}} for text in ("one", "two")]
    said = await answer(recorded(chat({}, choices=choices)), "x", "a")
    assert said == Answer("one", output_tokens=38, reasoning_tokens=3)
    candidates = [{"content": {"parts": [{"text": text}]}} for text in ("one", "two")]
    said = await answer(recorded(gemini(candidates=candidates)), "x", "a")
    assert said == Answer("one", output_tokens=38, reasoning_tokens=3)


NO_ANSWERS: dict[str, dict[str, Any]] = {
    "openai, a status": openai_line({"choices": [{"message": {"content": "hi"}}]}, 500),
    "openai, an error of status 200": openai_line({"error": {"message": "no"}}),
    "openai, expired": {
        "custom_id": "a", "response": None, "error": {"code": "batch_expired", "message": "late"},
    },
    "chat, empty": chat({}, choices=[]),
    "responses, failed": response(CUT, status="failed", error={"code": "server_error"}),
    "responses, empty": response(),
    "anthropic, errored": {
        "custom_id": "a", "result": {"type": "errored", "error": {"type": "error", "error": {}}},
    },
    "anthropic, canceled": {"custom_id": "a", "result": {"type": "canceled"}},
    "anthropic, expired": {"custom_id": "a", "result": {"type": "expired"}},
    "gemini, an error": {"key": "a", "error": {"code": 13, "message": "no"}},
    "gemini, an error without a key": {"key": None, "error": {"code": 13, "message": "no"}},
    "gemini, empty": gemini(candidates=[]),
}  # fmt: skip


@pytest.mark.parametrize("line", NO_ANSWERS.values(), ids=NO_ANSWERS)
async def test_a_line_without_an_answer_is_left_out(line: dict[str, Any]) -> None:
    assert (await answer(recorded(line), "not recorded", "a")).text == "not recorded"


# --- what was asked -----------------------------------------------------------------------------


def chat_input(*turns: tuple[str, Any]) -> dict[str, Any]:
    messages = [{"role": role, "content": content} for role, content in turns]
    body = {"model": "m", "messages": messages}
    return {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": body}


def response_input(given: Any) -> dict[str, Any]:
    body = {"model": "m", "instructions": "Be brief.", "input": given}
    return {"custom_id": "a", "method": "POST", "url": "/v1/responses", "body": body}


def gemini_input(*contents: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"key": "a", "request": {"contents": contents, **more}}


PROMPTS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "chat": (
        chat_input(("user", "before"), ("user", "two\nlines"), ("assistant", "Hm")), TEXT["chat"],
    ),
    "chat, in parts": (
        chat_input(("user", [{"text": "two"}, {"type": "image_url"}, {"text": "lines"}])),
        TEXT["chat"],
    ),
    "chat, without a user": (
        chat_input(("assistant", "two\nlines"), ("developer", "Be brief.")), TEXT["chat"],
    ),
    "responses": (response_input("two\nlines"), TEXT["responses"]),
    "responses, in items": (
        response_input(
            [
                {"role": "user", "content": "before"},
                {"role": "user", "content": [{"type": "input_text", "text": "two"},
                                             {"type": "input_image", "image_url": "x"},
                                             {"type": "input_text", "text": "lines"}]},
                {"type": "message", "role": "developer", "content": "Be brief."},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "4"},
            ]
        ),
        TEXT["responses"],
    ),
    "responses, without a user": (
        response_input(
            [{"role": "assistant", "content": "two\nlines"}, {"role": "system", "content": "x"}]
        ),
        TEXT["responses"],
    ),
    "gemini": (
        gemini_input(
            {"role": "user", "parts": [{"text": "before"}]},
            {"parts": [{"text": "two"}, {"inlineData": {"data": ""}}, {"text": "lines"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]},
            {"role": "user", "parts": [{"function_response": {"name": "f", "response": {}}}]},
            generation_config={"temperature": 0},
        ),
        TEXT["gemini"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("asked", "answered"), PROMPTS.values(), ids=PROMPTS)
async def test_the_input_tells_the_prompt(asked: dict[str, Any], answered: dict[str, Any]) -> None:
    for source in (recorded(asked, answered), recorded(answered, asked)):
        assert (await answer(source, "two\nlines")).text == "hi there"
        assert (await answer(source, "before")).text == "before"


# --- what cannot be read ------------------------------------------------------------------------

EMBEDDINGS: dict[str, dict[str, Any]] = {
    "openai, asked": {
        "custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": {"input": ["x"]},
    },
    "openai, answered": openai_line({"object": "list", "data": [{"embedding": [0.5]}]}),
    "gemini, asked": {"key": "a", "request": {"content": {"parts": [{"text": "x"}]}}},
    "gemini, answered": {"key": "a", "response": {"embedding": {"values": [0.5]}}},
}  # fmt: skip


@pytest.mark.parametrize("line", EMBEDDINGS.values(), ids=EMBEDDINGS)
def test_embeddings_are_refused(line: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"answers\.jsonl, line 2: is of a batch of embeddings; "):
        recorded(TEXT["chat"], line)


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "openai, asked of another endpoint": (
        {"custom_id": "a", "body": {"prompt": "x"}}, 'for want of "messages", .* "input"',
    ),
    "openai, answered by another endpoint": (
        openai_line({"results": []}), 'for want of "choices", .* "output"',
    ),
    "openai, no body": (openai_line(None), "Expected `object`, got `null`"),
    "openai, no name": ({**TEXT["chat"], "custom_id": None}, "'custom_id' is null"),
    "anthropic, no message": (
        {"custom_id": "a", "result": {"type": "succeeded"}}, "Expected `object`, got `null`",
    ),
    "anthropic, no name": ({**TEXT["anthropic"], "custom_id": None}, "'custom_id' is null"),
    "gemini, no list": ({"key": "a", "request": {"contents": "x"}}, "Expected `array`, got `str`"),
    "gemini, no name": ({**TEXT["gemini"], "key": None}, "'key' is null; it names the request"),
    "gemini, no key at all": ({"response": {}}, "this one has the fields 'response'"),
}  # fmt: skip


@pytest.mark.parametrize(("line", "said"), BROKEN.values(), ids=BROKEN)
def test_a_broken_line_is_refused(line: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=rf"answers\.jsonl, line 1: .*{said}"):
        recorded(line)
