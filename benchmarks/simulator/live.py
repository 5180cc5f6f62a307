"""Chat completions over a socket: how many a second, for how much CPU, in how much memory.

The simulator runs in a process of its own, on one core where the machine allows to say so, and
keeps only sums. Every request is another one.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from batch_llm.testing.simulator import Simulator

from ..measure import table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

MODEL: Final = "gpt-4.1-mini"
CONNECTIONS: Final = 32
_HEAD: Final = (
    "POST /openai/v1/chat/completions HTTP/1.1\r\n"
    "Host: simulator\r\n"
    "Authorization: Bearer benchmark\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: {length}\r\n\r\n"
)
_READINGS: Final = 10


def live(requests: int = 50_000) -> None:
    """Print what so many chat completions take, and the memory after each tenth of them."""
    mine, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    server.start()
    try:
        port = mine.recv()
        asyncio.run(_load(port, 2_000, 0))
        rows, seconds, cpu = [], 0.0, 0.0
        for reading in range(_READINGS):
            start, cpu_before = time.perf_counter(), _ask(mine, "cpu")
            count = requests // _READINGS
            asyncio.run(_load(port, count, 2_000 + reading * count))
            seconds += time.perf_counter() - start
            cpu += _ask(mine, "cpu") - cpu_before
            rows.append([f"{(reading + 1) * count:,}", f"{_ask(mine, 'rss') / 1e6:.1f} MB"])
    finally:
        mine.send("stop")
        server.join()
    done = requests // _READINGS * _READINGS
    figures = [
        ["requests a second", f"{done / seconds:,.0f}"],
        ["CPU of the simulator a request", f"{cpu / done * 1e6:.0f} us"],
        ["requests a second of its CPU", f"{done / cpu:,.0f}"],
    ]
    table(f"{done:,} chat completions, {CONNECTIONS} connections", ["figure", "value"], figures)
    table("Memory of the simulator (books: sums)", ["requests so far", "RSS"], rows)


def _ask(pipe: Connection, question: str) -> float:
    pipe.send(question)
    answer: float = pipe.recv()
    return answer


def _serve(pipe: Connection) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with Simulator(books="sums", answers="echo") as simulator:
        pipe.send(simulator.address[1])
        while (question := pipe.recv()) != "stop":
            pipe.send(time.process_time() if question == "cpu" else _rss())


def _rss() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _load(port: int, requests: int, first: int) -> None:
    numbers = iter(range(first, first + requests))
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_send(port, numbers))


async def _send(port: int, numbers: Iterator[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:  # one iterator, shared by all connections
        writer.write(_request(number))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readexactly(_length(head))
    writer.close()
    await writer.wait_closed()


def _request(number: int) -> bytes:
    prompt = f"Which of the towns is number {number}, and how many people live there today?"
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": prompt}]})
    return _HEAD.format(length=len(body)).encode() + body.encode()


def _length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + len(b"content-length:")
    return int(lower[start : lower.index(b"\r\n", start)])
