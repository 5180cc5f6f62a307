"""What Gemini's batches read, and how they are told."""

from __future__ import annotations

import asyncio
import json
from typing import Any, get_args

import msgspec
import pytest

from batch_llm.testing.simulator.batches import BatchState, DoneLine, RemoteBatch
from batch_llm.testing.simulator.exchange import Request
from batch_llm.testing.simulator.gemini import GeminiFace
from batch_llm.testing.simulator.gemini.batch_input import (
    MOST_INLINE_BYTES,
    decode_file,
    decode_input,
)
from batch_llm.testing.simulator.gemini.batch_job import BatchJob
from batch_llm.testing.simulator.gemini.codes import grpc_code
from batch_llm.testing.simulator.gemini.refusal import RefusedError
from batch_llm.testing.simulator.settings import SimulatorSettings
from batch_llm.testing.simulator.world import World


def body_of(*requests: object, **batch: object) -> bytes:
    config = {"requests": {"requests": list(requests)}}
    return json.dumps({"batch": {"inputConfig": config, **batch}}).encode()


# --- the input -----------------------------------------------------------------------------


def test_requests_are_kept_as_the_client_wrote_them() -> None:
    body = b"""{"batch": {"inputConfig": {"requests": {"requests": [
        {"request": {"contents":  [1.0, "\\u00e9"]}, "metadata": {"key": "a",  "n": 1.0}}
    ]}}}}"""
    (line,) = decode_input(body).lines
    assert line.request == b'{"contents":  [1.0, "\\u00e9"]}'
    assert line.metadata == b'{"key":"a","n":1.0}'
    assert (line.number, line.key) == (0, "a")


@pytest.mark.parametrize(
    ("metadata", "key"),
    [(None, None), ({}, None), ({"key": "x"}, "x"), ({"key": 3}, None), ({"id": "x"}, None)],
)
def test_the_key_stands_in_the_metadata(metadata: object, key: str | None) -> None:
    (line,) = decode_input(body_of({"request": {}, "metadata": metadata})).lines
    assert line.key == key


def test_unknown_fields_are_no_fault() -> None:
    read = decode_input(body_of({"request": {}, "weight": 3}, displayName="N", priority="7"))
    assert read.display_name == "N"
    assert len(read.lines) == 1


def test_a_file_is_named_in_either_spelling() -> None:
    for name in ("fileName", "file_name"):
        for config in ("inputConfig", "input_config"):
            body = json.dumps({"batch": {config: {name: "files/x"}}}).encode()
            assert decode_input(body).file_name == "files/x"


def test_the_limit_of_bytes_is_the_last_that_is_taken() -> None:
    body = body_of({"request": {}})
    assert decode_input(body.ljust(MOST_INLINE_BYTES)).lines
    with pytest.raises(RefusedError, match="exceeds the limit"):
        decode_input(body.ljust(MOST_INLINE_BYTES + 1))


async def test_lines_of_a_file_are_read_without_the_blank_ones() -> None:
    lines = await decode_file(b'{"key": "a", "request": {}}\n\n  \r\n{"request": {"x": 1}}')
    assert [(line.number, line.key, line.request) for line in lines] == [
        (0, "a", b"{}"),
        (1, None, b'{"x":1}'),
    ]


async def test_a_line_may_hold_what_looks_like_an_end_of_line() -> None:
    text = '{"key": "a\u2028b", "request": {}}'
    (line,) = await decode_file(text.encode())
    assert line.key == "a\u2028b"


async def test_others_get_their_turn_while_a_file_is_read() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    other = asyncio.create_task(count())
    await decode_file(b'{"request": {}}\n' * 5_000)
    other.cancel()
    assert turns >= 10


# --- how it is told ------------------------------------------------------------------------


def job_in(state: BatchState, *, input_file: str | None = None, **fields: Any) -> BatchJob:
    batch = RemoteBatch("abc", "gemini", "key", "gemini-2.5-flash", 0.0, 100.0, b"", ["a", "b"])
    batch.state = state
    batch.failure = ("INTERNAL", "Why.") if state == "failed" else None
    batch.reached = {"validating": 1.0, state: 2.0}
    return BatchJob(batch, "generateContent", None, input_file, **fields)


@pytest.mark.parametrize("state", get_args(BatchState))
def test_every_state_has_a_word(state: BatchState) -> None:
    metadata = job_in(state).encoded()["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["state"].startswith("BATCH_STATE_")


def test_a_batch_that_is_being_cancelled_is_where_it_was() -> None:
    job = job_in("cancelling")

    def told() -> object:
        metadata = job.encoded()["metadata"]
        assert isinstance(metadata, dict)
        return metadata["state"]

    assert told() == "BATCH_STATE_PENDING"
    job.batch.reached["in_progress"] = 1.5
    assert told() == "BATCH_STATE_RUNNING"


def test_results_are_told_only_of_a_batch_that_succeeded() -> None:
    for state in get_args(BatchState):
        job = job_in(state, input_file="files/x", output_file="files/batch-abc")
        told = msgspec.json.decode(msgspec.json.encode(job.encoded()))
        assert ("output" in told["metadata"]) == (state == "completed")
        assert ("response" in told) == (state == "completed")
        assert ("error" in told) == (state in ("failed", "expired", "cancelled"))


def test_inline_results_are_told_as_they_are() -> None:
    job = job_in("completed")
    job.batch.add(DoneLine("a", "succeeded", b'{"response":{}}'))
    told = msgspec.json.decode(msgspec.json.encode(job.encoded()))
    assert told["response"]["inlinedResponses"] == {"inlinedResponses": [{"response": {}}]}
    listed = job.encoded(with_inline_results=False)
    assert b"inlined" not in msgspec.json.encode(listed)


async def test_batches_stop_with_the_world() -> None:
    face = GeminiFace(World(SimulatorSettings(speed=1e-6)))
    create = next(route for route in face.routes() if route.operation == "batches.create")
    params = {"version": "v1", "model": "gemini-2.5-flash"}
    body = body_of({"request": {}})
    before = asyncio.all_tasks()
    await create.handler(Request("POST", "/", {}, body, params=params, key="key"))
    running = asyncio.all_tasks() - before
    assert running
    await face.aclose()
    assert all(task.done() for task in running)


def test_codes_are_those_of_grpc() -> None:
    assert [grpc_code(word) for word in ("INVALID_ARGUMENT", "UNAVAILABLE")] == [3, 14]
    assert grpc_code("internal_error") == 13
