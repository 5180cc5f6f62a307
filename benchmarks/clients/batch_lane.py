"""One step of the batch lane: STEP PROVIDER JOBS. No step but "run" opens a connection.

rows            rows become jobs
encode          jobs are cut into chunks, and each chunk is encoded as it is sent
decode          a provider's results become results of jobs
decode_models   the same, each answer being read into a pydantic model
state           jobs, and what became of them, are written to the state
resume          a state in which every job has ended is read; another process writes it
run             all of it, through the simulator in a process of its own
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel
from self_measure import Meter

from batch_llm import Batch, JobResult
from batch_llm.base import PricedModel
from batch_llm.batch.chunks.drafts import drafts_of
from batch_llm.batch.jobs.job_book import JobBook, JobLines
from batch_llm.batch.results.answers import result_of
from batch_llm.batch.state.journal import open_journal
from batch_llm.providers import AnthropicBatchClient, GeminiBatchClient, OpenAIBatchClient
from batch_llm.providers.base import read_results
from batch_llm.providers.spool import Spool
from batch_llm.testing.simulator import Simulator
from batch_llm.wire import anthropic_batch, gemini_batch, openai_batch
from batch_llm.wire.batch_results import ResultReader
from batch_llm.wire.custom_ids import new_nonce

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

MODELS = {
    "openai": "gpt-4o-mini",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash",
}
CLIENTS = {
    "openai": OpenAIBatchClient,
    "anthropic": AnthropicBatchClient,
    "gemini": GeminiBatchClient,
}
TEMPLATE = "Is this review positive? {review}"
ANSWER = "Positive: it boils fast, and the handle stays cold."
SPEED = 10_000
TICK_SECONDS = 0.001


class Review(BaseModel):
    """What is read of a review."""

    sentiment: str
    stars: int
    topics: list[str]


MODEL_ANSWER = '{"sentiment": "positive", "stars": 5, "topics": ["speed", "handle"]}'


def rows() -> Iterator[dict[str, str]]:
    """Yield what jobs are made of, none of which is kept."""
    for number in range(JOBS):
        review = (
            f"Kettle number {number} boils in a minute. The handle stays cold. Would buy again."
        )
        yield {"id": f"review-{number}", "review": review}


def batch(**settings: object) -> Batch:
    """Return all jobs."""
    made = Batch(**settings).defaults(model=MODELS[PROVIDER], max_tokens=100)
    if STEP == "decode_models":
        made.defaults(response_model=Review)
    return made.add_jobs(rows(), TEMPLATE)


def step_rows() -> None:
    """Measure the making of jobs."""
    meter = Meter()
    batch()
    meter.report(JOBS)


def step_encode() -> None:
    """Measure chunking and encoding: once for the size, and once more into what is sent."""
    client = CLIENTS[PROVIDER](base_url="http://127.0.0.1:9", api_key="any")
    jobs = batch().jobs
    book, ids = JobBook(jobs, None, {PROVIDER: client}), [job.id for job in jobs]
    meter, sent = Meter(), 0
    for draft in drafts_of(ids, book, lambda _: client, print):
        chunk = draft.chunk
        custom_ids = client.custom_ids(chunk.job_ids, new_nonce())
        with Spool() as spool:
            for line in JobLines(book, chunk.job_ids):
                spool.write(client.encode(line, custom_ids, chunk.endpoint))
        sent += len(chunk.job_ids)
    assert sent == JOBS
    meter.report(JOBS)


async def step_decode() -> None:
    """Measure the reading of a results file."""
    client = CLIENTS[PROVIDER](base_url="http://127.0.0.1:9", api_key="any")
    jobs = {job.id: job for job in batch().jobs}
    ids = client.custom_ids(jobs, new_nonce())
    answer = MODEL_ANSWER if STEP == "decode_models" else ANSWER
    decode = {
        "openai": lambda: openai_batch.line_decoder("/v1/chat/completions"),
        "anthropic": anthropic_batch.line_decoder,
        "gemini": lambda: gemini_batch.line_decoder("generateContent"),
    }[PROVIDER]()
    priced = PricedModel(PROVIDER, MODELS[PROVIDER])
    with Spool() as spool:
        for job_id in jobs:
            spool.write(json.dumps(result(ids.sent_for(job_id), answer)).encode() + b"\n")
        meter, read = Meter(), 0
        async for found in read_results(spool, ResultReader(decode, ids)):
            done = result_of(jobs[found.custom_id], found, priced, "batch_1")
            assert done.is_success
            read += 1
    assert read == JOBS
    meter.report(JOBS)


def step_state() -> None:
    """Measure what a job costs the state: to be added, and to have ended."""
    jobs = batch().jobs
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.jsonl"
        meter = Meter()
        write_state(path, jobs)
        meter.report(JOBS, state_bytes=path.stat().st_size / JOBS)


def step_resume() -> None:
    """Measure the reading of a state in which all jobs have ended."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.jsonl"
        subprocess.run([sys.executable, __file__, "write", PROVIDER, str(JOBS), path], check=True)
        meter = Meter()
        with open_journal(path) as journal:
            assert journal.state.ended == JOBS
        meter.report(JOBS)


def write_state(path: Path, jobs: list) -> None:
    """Write jobs, and their results."""
    with open_journal(path) as journal:
        journal.add_jobs(_Dicts(jobs))
        ended = (
            JobResult(job.id, ANSWER, input_tokens=40, output_tokens=15, cost_usd=1e-5)
            for job in jobs
        )
        kept = journal.keep_results((each.to_dict() for each in ended), lambda _: "succeeded")
        assert kept == JOBS


class _Dicts:
    """Jobs as a state keeps them, made anew each time they are read."""

    def __init__(self, jobs: list) -> None:
        self._jobs = jobs

    def __iter__(self) -> Iterator[dict]:
        return (job.to_dict() for job in self._jobs)


async def step_run() -> None:
    """Measure a whole run, jobs included, and how long another task waits meanwhile."""
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    server.start()
    try:
        client = CLIENTS[PROVIDER](base_url=mine.recv()[PROVIDER], api_key="any")
        with tempfile.TemporaryDirectory() as folder:
            await run(client, Path(folder) / "state.jsonl")
    finally:
        mine.send("stop")
        server.join()


async def run(client: object, state: Path) -> None:
    """Run all jobs once."""
    settings = {"state_file": state, "clients": {PROVIDER: client}, "poll_interval_seconds": 0.1}
    meter, waits = Meter(), [0.0]
    made = batch(**settings)
    ticker = asyncio.create_task(tick(waits))
    await asyncio.sleep(0)
    done = await made.arun()
    ticker.cancel()
    streamed = [result.is_success async for result in done.stream()]
    assert streamed == [True] * JOBS, done.status()
    meter.report(JOBS, longest_wait_seconds=max(waits))


async def tick(waits: list[float]) -> None:
    """Take down by how much each of many short sleeps is too long."""
    while True:
        start = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        waits.append(time.perf_counter() - start - TICK_SECONDS)


def serve(pipe: Connection) -> None:
    """Be the provider."""
    with Simulator(speed=SPEED, books="sums") as simulator:
        pipe.send(
            {
                "openai": simulator.openai_base_url,
                "anthropic": simulator.anthropic_base_url,
                "gemini": simulator.gemini_base_url,
            }
        )
        pipe.recv()


def result(sent_id: str, text: str) -> dict[str, object]:
    """Return a line of a results file, as the provider writes it."""
    if PROVIDER == "openai":
        message = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
        usage = {"prompt_tokens": 40, "completion_tokens": 15, "total_tokens": 55}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "usage": usage}
        body |= {"model": MODELS[PROVIDER], "choices": [choice]}
        response = {"status_code": 200, "request_id": "req_1", "body": body}
        return {"id": "batch_req_1", "custom_id": sent_id, "response": response, "error": None}
    if PROVIDER == "anthropic":
        message = {"id": "msg_1", "type": "message", "role": "assistant", "stop_reason": "end_turn"}
        message |= {"model": MODELS[PROVIDER], "content": [{"type": "text", "text": text}]}
        message |= {"usage": {"input_tokens": 40, "output_tokens": 15}}
        return {"custom_id": sent_id, "result": {"type": "succeeded", "message": message}}
    content = {"role": "model", "parts": [{"text": text}]}
    usage = {"promptTokenCount": 40, "candidatesTokenCount": 15, "totalTokenCount": 55}
    candidate = {"content": content, "finishReason": "STOP", "index": 0}
    response = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini"}
    return {"key": sent_id, "response": response}


STEPS = {
    "write": lambda: write_state(Path(sys.argv[4]), batch().jobs),
    "rows": step_rows,
    "encode": step_encode,
    "decode": lambda: asyncio.run(step_decode()),
    "decode_models": lambda: asyncio.run(step_decode()),
    "state": step_state,
    "resume": step_resume,
    "run": lambda: asyncio.run(step_run()),
}

if __name__ == "__main__":
    STEP, PROVIDER, JOBS = sys.argv[1], sys.argv[2], int(sys.argv[3])
    STEPS[STEP]()
