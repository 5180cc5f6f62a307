"""Each SDK's first steps, as programs of their own that know of the simulator by environment only.

The programs do what the SDKs' own introductions show: nothing in them names an address or a key.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPENAI = """
import asyncio
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

with OpenAI() as client:
    response = client.responses.create(
        model="gpt-5.2",
        instructions="You are a coding assistant that talks like a pirate.",
        input="How do I check if a Python object is an instance of a class?",
    )
    print(response.output_text)

    completion = client.chat.completions.create(
        model="gpt-5.2",
        messages=[
            {"role": "developer", "content": "Talk like a pirate."},
            {"role": "user", "content": "How do I check an instance?"},
        ],
    )
    print(completion.choices[0].message.content)

    for event in client.responses.create(model="gpt-5.2", input="One story.", stream=True):
        if event.type == "response.output_text.delta":
            print(event.delta, end="")
    print()

    stream = client.chat.completions.create(
        model="gpt-5.2", messages=[{"role": "user", "content": "Two stories."}], stream=True
    )
    print("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))

    class Event(BaseModel):
        name: str
        date: str
        participants: list[str]

    parsed = client.chat.completions.parse(
        model="gpt-4o-2024-08-06",
        messages=[{"role": "user", "content": "Alice and Bob go to a fair on Friday."}],
        response_format=Event,
    )
    assert isinstance(parsed.choices[0].message.parsed, Event)
    assert isinstance(
        client.responses.parse(model="gpt-5.2", input="A fair.", text_format=Event).output_parsed,
        Event,
    )

    vectors = client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    assert [len(item.embedding) for item in vectors.data] == [1536, 1536]
    assert any(model.id for model in client.models.list())

    with open("batchinput.jsonl", "w") as file:
        for number in (1, 2):
            file.write(
                '{"custom_id": "request-%d", "method": "POST", "url": "/v1/chat/completions", '
                '"body": {"model": "gpt-4o-mini", "messages": '
                '[{"role": "user", "content": "Hello %d"}], "max_tokens": 1000}}\\n'
                % (number, number)
            )
    batch_input_file = client.files.create(file=open("batchinput.jsonl", "rb"), purpose="batch")
    batch = client.batches.create(
        input_file_id=batch_input_file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"description": "nightly eval job"},
    )
    while batch.status not in ("completed", "failed"):
        batch = client.batches.retrieve(batch.id)
    for line in sorted(client.files.content(batch.output_file_id).text.splitlines()):
        assert '"status_code":200' in line.replace(" ", "")
    assert batch.id in [each.id for each in client.batches.list(limit=10)]
    print(batch.status, batch.request_counts.completed)


async def main():
    async with AsyncOpenAI() as client:
        response = await client.responses.create(model="gpt-5.2", input="Explain disestablishment")
        print(response.output_text)


asyncio.run(main())
"""

ANTHROPIC = """
import asyncio
from anthropic import Anthropic, AsyncAnthropic
from anthropic.types.messages.batch_create_params import Request

with Anthropic() as client:
    message = client.messages.create(
        max_tokens=1024,
        messages=[{"role": "user", "content": "Hello, Claude"}],
        model="claude-opus-4-6",
    )
    print(message.content[0].text)

    with client.messages.stream(
        max_tokens=1024,
        messages=[{"role": "user", "content": "Say hello there!"}],
        model="claude-opus-4-6",
    ) as stream:
        print("".join(stream.text_stream))
        assert stream.get_final_message().stop_reason == "end_turn"

    counted = client.messages.count_tokens(
        model="claude-opus-4-6", messages=[{"role": "user", "content": "Hello, world"}]
    )
    assert counted.input_tokens > 0

    message_batch = client.messages.batches.create(
        requests=[
            Request(
                custom_id=name,
                params={
                    "model": "claude-opus-4-6",
                    "max_tokens": 1024,
                    "messages": [{"role": "user", "content": name}],
                },
            )
            for name in ("my-first-request", "my-second-request")
        ]
    )
    while message_batch.processing_status != "ended":
        message_batch = client.messages.batches.retrieve(message_batch.id)
    for entry in client.messages.batches.results(message_batch.id):
        assert entry.result.type == "succeeded"
        assert entry.result.message.content[0].text == entry.custom_id
    assert message_batch.id in [each.id for each in client.messages.batches.list(limit=20)]
    print(message_batch.processing_status, message_batch.request_counts.succeeded)


async def main():
    async with AsyncAnthropic() as client:
        message = await client.messages.create(
            max_tokens=1024,
            messages=[{"role": "user", "content": "Hello, async"}],
            model="claude-opus-4-6",
        )
        print(message.content[0].text)
        stream = await client.messages.create(
            max_tokens=1024,
            messages=[{"role": "user", "content": "Hello, stream"}],
            model="claude-opus-4-6",
            stream=True,
        )
        print([event.type async for event in stream][-1])


asyncio.run(main())
"""

GEMINI = """
import asyncio
import json
import time
from google import genai
from google.genai import types
from pydantic import BaseModel

client = genai.Client()
response = client.models.generate_content(
    model="gemini-2.5-flash", contents="Why is the sky blue?"
)
print(response.text)

for chunk in client.models.generate_content_stream(
    model="gemini-2.5-flash", contents="Tell me a story in 300 words."
):
    print(chunk.text, end="")
print()

chat = client.chats.create(model="gemini-2.5-flash")
chat.send_message("Tell me a story")
print(chat.send_message("Summarize it").text)


class CountryInfo(BaseModel):
    name: str
    population: int


response = client.models.generate_content(
    model="gemini-2.5-flash",
    contents="Give me information for the United States.",
    config=types.GenerateContentConfig(
        response_mime_type="application/json", response_schema=CountryInfo
    ),
)
assert isinstance(response.parsed, CountryInfo)

assert client.models.count_tokens(model="gemini-2.5-flash", contents="How many?").total_tokens > 0
assert client.models.embed_content(
    model="gemini-embedding-001", contents=["one", "two"]
).embeddings[1].values

with open("long.txt", "w") as file:
    file.write("A long story. " * 4000)
document = client.files.upload(file="long.txt", config={"display_name": "Long"})
cache = client.caches.create(
    model="gemini-2.5-flash",
    config=types.CreateCachedContentConfig(
        contents=[types.Part.from_uri(file_uri=document.uri, mime_type=document.mime_type)],
        system_instruction="You are an expert.",
        display_name="story",
        ttl="3600s",
    ),
)
response = client.models.generate_content(
    model="gemini-2.5-flash",
    contents="Summarize it.",
    config=types.GenerateContentConfig(cached_content=cache.name),
)
assert response.usage_metadata.cached_content_token_count > 0
client.caches.delete(name=cache.name)

inline = client.batches.create(
    model="gemini-2.5-flash",
    src=[
        {"contents": [{"parts": [{"text": text}], "role": "user"}]}
        for text in ("Tell me a joke.", "Another one.")
    ],
    config={"display_name": "inlined-requests"},
)
with open("requests.jsonl", "w") as file:
    for key in ("a", "b"):
        request = {"contents": [{"parts": [{"text": key}]}]}
        file.write(json.dumps({"key": key, "request": request}) + "\\n")
uploaded = client.files.upload(
    file="requests.jsonl", config=types.UploadFileConfig(mime_type="application/jsonl")
)
by_file = client.batches.create(model="gemini-2.5-flash", src=uploaded.name)
done = {"JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED"}
while inline.state.name not in done or by_file.state.name not in done:
    inline, by_file = client.batches.get(name=inline.name), client.batches.get(name=by_file.name)
print([each.response.text for each in inline.dest.inlined_responses])
lines = client.files.download(file=by_file.dest.file_name).decode().splitlines()
print(by_file.state.name, sorted(json.loads(line)["key"] for line in lines))


async def main():
    async with genai.Client().aio as client:
        response = await client.models.generate_content(
            model="gemini-2.5-flash", contents="Tell me, async."
        )
        print(response.text)


asyncio.run(main())
client.close()
"""


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    with Simulator(speed=10_000) as simulator:
        yield simulator.environment()
        assert simulator.broken == 0


def _run(program: str, folder: Path, environment: dict[str, str]) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, **environment},
    )
    assert ended.returncode == 0, ended.stderr[-3_000:]
    return ended.stdout.splitlines()


def test_openai(tmp_path: Path, environment: dict[str, str]) -> None:
    assert _run(OPENAI, tmp_path, environment) == [
        "How do I check if a Python object is an instance of a class?",
        "How do I check an instance?",
        "One story.",
        "Two stories.",
        "completed 2",
        "Explain disestablishment",
    ]


def test_anthropic(tmp_path: Path, environment: dict[str, str]) -> None:
    assert _run(ANTHROPIC, tmp_path, environment) == [
        "Hello, Claude",
        "Say hello there!",
        "ended 2",
        "Hello, async",
        "message_stop",
    ]


def test_gemini(tmp_path: Path, environment: dict[str, str]) -> None:
    assert _run(GEMINI, tmp_path, environment) == [
        "Why is the sky blue?",
        "Tell me a story in 300 words.",
        "Summarize it",
        "['Tell me a joke.', 'Another one.']",
        "JOB_STATE_SUCCEEDED ['a', 'b']",
        "Tell me, async.",
    ]
