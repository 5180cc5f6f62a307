"""A batch of OpenAI's, from the upload to the last byte of its results, by its own SDK.

The clock runs 10,000 times faster. Another client asks for one thing after another meanwhile; the
longest of its waits is the longest time for which the simulator served no one else.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import threading
import time
from typing import TYPE_CHECKING, Final

from openai import OpenAI

from batch_llm.testing.simulator import Simulator

from ..measure import table

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MODEL = "gpt-4o-mini"
ENDPOINT: Final = "/v1/chat/completions"
SPEED = 10_000


def batch(lines: int = 50_000) -> None:
    """Print what each step of a batch of so many lines takes, and the longest wait beside it."""
    content = _input(lines)
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    port = mine.recv()
    try:
        waits, stop = [0.0], threading.Event()
        other = threading.Thread(target=_ask, args=(port, waits, stop))
        other.start()
        with OpenAI(base_url=f"http://127.0.0.1:{port}/openai/v1", api_key="any") as client:
            steps = _run(client, content)
        stop.set()
        other.join()
    finally:
        mine.send(None)
        server.join()
    rows = [[name, f"{seconds:.2f} s"] for name, seconds in steps]
    rows.append(["all", f"{sum(seconds for _, seconds in steps):.2f} s"])
    rows.append(["longest wait of another client", f"{max(waits) * 1_000:.0f} ms"])
    table(f"A batch of {lines:,} lines ({len(content) / 1e6:.1f} MB)", ["step", "time"], rows)


def _run(client: OpenAI, content: bytes) -> list[tuple[str, float]]:
    start = time.perf_counter()
    file = client.files.create(file=("in.jsonl", content), purpose="batch")
    uploaded = time.perf_counter()
    job = client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")
    while job.status not in ("completed", "failed", "expired", "cancelled"):
        time.sleep(0.05)
        job = client.batches.retrieve(job.id)
    ended = time.perf_counter()
    assert job.status == "completed", job
    assert job.output_file_id is not None
    got = client.files.content(job.output_file_id).content
    assert got.count(b"\n") == content.count(b"\n")
    downloaded = time.perf_counter()
    return [
        ("upload", uploaded - start),
        ("check and run", ended - uploaded),
        ("download", downloaded - ended),
    ]


def _input(lines: int) -> bytes:
    system = {"role": "system", "content": "Answer in one short sentence."}

    def line(number: int) -> str:
        user = {"role": "user", "content": f"What is the weather like in town {number}?"}
        body = {"model": MODEL, "messages": [system, user], "max_completion_tokens": 100}
        return json.dumps(
            {"custom_id": f"line-{number}", "method": "POST", "url": ENDPOINT, "body": body}
        )

    return "".join(line(number) + "\n" for number in range(lines)).encode()


def _serve(pipe: Connection) -> None:
    with Simulator(speed=SPEED) as simulator:
        pipe.send(simulator.address[1])
        pipe.recv()


def _ask(port: int, waits: list[float], stop: threading.Event) -> None:
    """Ask for what is not there, again and again; the waits are taken down."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while not stop.is_set():
        start = time.perf_counter()
        connection.request("GET", "/_sim/nothing")
        connection.getresponse().read()
        waits.append(time.perf_counter() - start)
        stop.wait(0.001)
    connection.close()
