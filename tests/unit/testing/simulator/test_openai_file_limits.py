"""OpenAI's uploads and batch inputs, at limits that a request over a socket would take long for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from batch_llm.testing.simulator import SimulatorSettings
from batch_llm.testing.simulator.exchange import Request
from batch_llm.testing.simulator.openai.batch_input import read_input
from batch_llm.testing.simulator.openai.file_store import FileStore
from batch_llm.testing.simulator.openai.refusal import RefusedError
from batch_llm.testing.simulator.openai.upload import read_upload
from batch_llm.testing.simulator.world import World

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"


def form(content: bytes, boundary: str = "edge", filename: str = "in.jsonl") -> Request:
    """Return an upload, as a client sends it."""
    edge = f"--{boundary}\r\n".encode()
    name = f'form-data; name="file"; filename="{filename}"'
    body = edge + b'Content-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    body += edge + f"Content-Disposition: {name}\r\n\r\n".encode() + content + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    return Request("POST", "/files", headers, body)


async def test_a_file_above_the_limit_is_refused() -> None:
    content = b'{"a": 1}\n'
    assert (await read_upload(form(content), len(content))).content == content
    with pytest.raises(RefusedError, match="exceeded") as caught:
        await read_upload(form(content), len(content) - 1)
    assert caught.value.status == 413


async def test_equal_uploads_have_one_identity_whatever_their_boundary() -> None:
    one, same = await read_upload(form(b"{}\n")), await read_upload(form(b"{}\n", "other"))
    assert one.identity == same.identity
    for other in (form(b"{} \n"), form(b"{}\n", filename="other.jsonl")):
        assert (await read_upload(other)).identity != one.identity


async def test_others_get_their_turn_while_an_upload_is_read() -> None:
    content = b'{"a": 1}\n' * 700_000
    assert await turns_during(read_upload(form(content))) >= 10


def test_expired_files_take_no_room() -> None:
    world = World(SimulatorSettings())
    store = FileStore(world)
    store.put("key", "a", "batch", b"1", life_seconds=60)
    world.clock.advance(61)
    store.put("key", "b", "user_data", b"2")
    assert [file.filename for file in store.newest_first("key", world.clock.now())] == ["b"]
    assert len(store._shelf) == 1


# --- the input of batches ------------------------------------------------------------------


def lines(count: int, body: dict[str, Any], url: str = CHAT) -> bytes:
    return b"".join(
        json.dumps({"custom_id": str(n), "method": "POST", "url": url, "body": body}).encode()
        + b"\n"
        for n in range(count)
    )


async def errors_of(content: bytes, url: str = CHAT, **limits: int) -> list[str]:
    found = await read_input(content, url, lambda _: True, **limits)
    return [error.code for error in found.errors]


CHAT_BODY = {"model": "gpt-5", "messages": []}


async def test_too_many_requests() -> None:
    content = lines(4, CHAT_BODY)
    assert await errors_of(content, most_lines=4) == []
    assert await errors_of(content, most_lines=3) == ["too_many_tasks"]


async def test_a_file_that_is_too_large_for_a_batch() -> None:
    content = lines(4, CHAT_BODY)
    assert await errors_of(content, most_bytes=len(content)) == []
    found = await read_input(content, CHAT, lambda _: True, most_bytes=len(content) - 1)
    (error,) = found.errors
    assert error.message == (
        f"The batch input file is larger than the {len(content) - 1} maximum for the gpt-5 model."
    )
    assert found.lines == []


@pytest.mark.parametrize(
    ("texts", "each"),
    [("one", 1), (["one", "two"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2)],
)
async def test_too_many_embedding_inputs(texts: Any, each: int) -> None:
    fitting = 50_000 // each
    content = lines(1, {"model": "m", "input": texts}, EMBEDDINGS)
    many = b"".join(content.replace(b'"0"', b'"%d"' % n) for n in range(fitting + 1))
    last = many.rstrip(b"\n").rfind(b"\n") + 1
    assert await errors_of(many[:last], EMBEDDINGS, most_lines=60_000) == []
    assert await errors_of(many, EMBEDDINGS, most_lines=60_000) == ["too_many_tasks"]


async def test_errors_are_told_up_to_a_hundred() -> None:
    assert len(await errors_of(b"[\n" * 500)) == 100


async def test_others_get_their_turn_while_lines_are_checked() -> None:
    content = lines(20_000, CHAT_BODY)
    assert await turns_during(read_input(content, CHAT, lambda _: True)) >= 10


async def turns_during(work: Any) -> int:
    """Return how often another task gets its turn while `work` is done."""
    task = asyncio.ensure_future(work)
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    await task
    return turns
