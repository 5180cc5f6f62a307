"""Rounds of all clients, and the table of their medians."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

from .clients import CLIENTS

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def _server() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.http.server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


def _measure(name: str, base_url: str, requests: int, concurrency: int) -> dict[str, float]:
    module = "benchmarks.http.client_process"
    command = [sys.executable, "-m", module, name, base_url, str(requests), str(concurrency)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main(rounds: int = 3, requests: int = 4000, concurrency: int = 200) -> None:
    """Measure all clients in turn, round after round, and print their medians."""
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in CLIENTS}
    with _server() as base_url:
        for _ in range(rounds):
            for name, measured in figures.items():
                measured.append(_measure(name, base_url, requests, concurrency))
    _report(figures)


def _report(figures: dict[str, list[dict[str, float]]]) -> None:
    cpu = {name: median(f["cpu_microseconds"] for f in all_) for name, all_ in figures.items()}
    wall = {name: median(f["wall_microseconds"] for f in all_) for name, all_ in figures.items()}
    bare = cpu["aiohttp, bare"]
    print(f"{'client':<24} {'CPU us':>8} {'wall us':>8} {'x bare':>7}   all rounds, CPU us")
    for name, cost in cpu.items():
        rounds = " ".join(f"{f['cpu_microseconds']:.0f}" for f in figures[name])
        print(f"{name:<24} {cost:8.0f} {wall[name]:8.0f} {cost / bare:7.2f}   {rounds}")
    ours = cpu["batch-llm over aiohttp"]
    print(f"batch-llm over aiohttp costs {ours / bare:.2f} x bare aiohttp,")
    print(f"and the openai SDK {cpu['openai SDK'] / ours:.1f} x batch-llm over aiohttp.")
