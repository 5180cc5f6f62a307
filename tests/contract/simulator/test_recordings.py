"""What batches answered at one simulator, another one answers again."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from google.genai import types
from openai import OpenAI
from tests.contract.simulator import anthropic_sdk, gemini_sdk, openai_batches
from tests.contract.simulator.gemini_batches import asking, finished

from batch_llm.exceptions import InputError
from batch_llm.testing.simulator import Answer, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch_llm.testing.simulator import ModelCall

# google-genai subclasses aiohttp's session, which aiohttp warns of.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def first_said(call: ModelCall) -> Answer:
    """Answer as no other source would, so that what is answered again is known."""
    if call.tools:
        return Answer('{"city":"Rome"}', "tool_call", "weather", output_tokens=9)
    return Answer(f"the first said: {call.prompt}", output_tokens=77)


@pytest.fixture
def first() -> Iterator[Simulator]:
    with Simulator(answers=first_said, seed=1, speed=10_000) as simulator:
        yield simulator


def second(recording: Path) -> Simulator:
    return Simulator(answers=recording, seed=2, speed=10_000)


def openai_client(simulator: Simulator) -> OpenAI:
    return OpenAI(base_url=simulator.openai_base_url, api_key="any", max_retries=0)


def openai_output(client: OpenAI, url: str, content: bytes) -> bytes:
    """Run a batch; return its output file."""
    batch = openai_batches.submit(client, content, endpoint=url)
    batch = openai_batches.ended(client, batch)
    assert batch.output_file_id is not None
    return client.files.content(batch.output_file_id).content


def openai_lines(url: str, *bodies: dict[str, Any]) -> bytes:
    return openai_batches.jsonl(
        [
            {"custom_id": f"r{number}", "method": "POST", "url": url, "body": body}
            for number, body in enumerate(bodies)
        ]
    )


def test_chat_completions(first: Simulator, tmp_path: Path) -> None:
    turns: Any = [{"role": "user", "content": "hello"}]
    function = {"name": "weather", "parameters": CITY}
    tools: Any = [{"type": "function", "function": function}]
    body = {"model": "gpt-4o-mini", "messages": turns}
    weather = [{"role": "user", "content": "the weather"}]
    asked = {**body, "messages": weather, "tools": tools}
    content = openai_lines("/v1/chat/completions", body, asked)
    with openai_client(first) as client:
        output = openai_output(client, "/v1/chat/completions", content)
    recording = tmp_path / "recording.jsonl"
    recording.write_bytes(content + output)
    with second(recording) as simulator, openai_client(simulator) as client:
        said = client.chat.completions.create(model="gpt-4o", messages=turns)
        assert said.choices[0].message.content == "the first said: hello"
        assert said.usage is not None
        assert said.usage.completion_tokens == 77
        called = client.chat.completions.create(**{**asked, "model": "gpt-4o"})
        assert called.choices[0].finish_reason == "tool_calls"
        assert called.choices[0].message.tool_calls[0].function.arguments == '{"city":"Rome"}'
        assert called.usage.completion_tokens == 9


def test_responses(first: Simulator, tmp_path: Path) -> None:
    tools: Any = [{"type": "function", "name": "weather", "parameters": CITY, "strict": False}]
    given: Any = [{"role": "user", "content": [{"type": "input_text", "text": "the weather"}]}]
    content = openai_lines(
        "/v1/responses",
        {"model": "gpt-5-mini", "input": "hello", "reasoning": {"effort": "low"}},
        {"model": "gpt-5-mini", "input": given, "tools": tools},
    )
    with openai_client(first) as client:
        output = openai_output(client, "/v1/responses", content)
    recording = tmp_path / "recording.jsonl"
    recording.write_bytes(output + content)
    with second(recording) as simulator, openai_client(simulator) as client:
        said = client.responses.create(model="gpt-5", input="hello")
        assert said.output_text == "the first said: hello"
        assert said.usage is not None
        assert said.usage.output_tokens == 77
        called = client.responses.create(model="gpt-5", input=given, tools=tools).output[-1]
        assert called.type == "function_call"
        assert (called.name, called.arguments) == ("weather", '{"city":"Rome"}')


def anthropic_results(simulator: Simulator, requests: list[Any]) -> list[Any]:
    """Run a batch; return the lines of its results, in the order of the requests."""
    with anthropic_sdk.client_of(simulator) as client:
        batch = client.messages.batches.create(requests=requests)
        while batch.ended_at is None:
            batch = client.messages.batches.retrieve(batch.id)
        results = client.messages.batches.results(batch.id)
        return sorted(results, key=lambda line: line.custom_id)


def test_messages(first: Simulator, tmp_path: Path) -> None:
    tools = [{"name": "weather", "input_schema": CITY}]
    requests = [
        {"custom_id": "r0", "params": anthropic_sdk.asks("hello")},
        {"custom_id": "r1", "params": anthropic_sdk.asks("the weather", tools=tools)},
        {"custom_id": "r2", "params": {**anthropic_sdk.asks(), "max_tokens": -1}},
    ]
    recording = tmp_path / "recording.jsonl"
    results = anthropic_results(first, requests)
    assert [line.result.type for line in results] == ["succeeded", "succeeded", "errored"]
    recording.write_text("\n".join(line.to_json(indent=None) for line in results), "utf-8")
    requests[2]["params"] = anthropic_sdk.asks("not recorded")
    with second(recording) as simulator:
        said, called, made_up = (
            line.result.message for line in anthropic_results(simulator, requests)
        )
    assert said.content[0].text == "the first said: hello"
    assert said.usage.output_tokens == 77
    assert (called.stop_reason, called.content[0].input) == ("tool_use", {"city": "Rome"})
    assert made_up.content[0].text == "not recorded"


def test_generate_content(first: Simulator, tmp_path: Path) -> None:
    function = {"name": "weather", "parametersJsonSchema": CITY}
    with_tools = {**asking("weather"), "tools": [{"functionDeclarations": [function]}]}
    lines = [{"key": "r0", "request": asking("hello")}, {"key": "r1", "request": with_tools}]
    content = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    with gemini_sdk.client_of(first) as client:
        file = client.files.upload(
            file=io.BytesIO(content), config={"mime_type": "application/jsonl"}
        )
        job = finished(client, client.batches.create(model=gemini_sdk.MODEL, src=str(file.name)))
        assert job.dest is not None
        output = client.files.download(file=str(job.dest.file_name))
    recording = tmp_path / "recording.jsonl"
    recording.write_bytes(content + output)
    with second(recording) as simulator, gemini_sdk.client_of(simulator) as client:
        said = client.models.generate_content(model="gemini-2.5-pro", contents="say hello")
        assert said.text == "the first said: say hello"
        assert said.usage_metadata is not None
        assert said.usage_metadata.candidates_token_count == 77
        declared = types.FunctionDeclaration(name="weather", parameters_json_schema=CITY)
        called = client.models.generate_content(
            model="gemini-2.5-pro",
            contents="say weather",
            config={"tools": [types.Tool(function_declarations=[declared])]},
        )
        assert called.function_calls is not None
        assert called.function_calls[0].args == {"city": "Rome"}


def test_embeddings_cannot_be_recorded(first: Simulator, tmp_path: Path) -> None:
    body = {"model": "text-embedding-3-small", "input": "hello", "dimensions": 4}
    content = openai_lines("/v1/embeddings", body)
    with openai_client(first) as client:
        output = openai_output(client, "/v1/embeddings", content)
    recording = tmp_path / "recording.jsonl"
    for lines in (content, output):
        recording.write_bytes(lines)
        with pytest.raises(InputError, match=r"recording\.jsonl, line 1: .* embeddings; "):
            second(recording).start()
