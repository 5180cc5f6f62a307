"""Programs that send to the simulator side by side, each in a process and with a key of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from . import peers
from .measure import CLIENTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from batch_llm.testing.simulator import Simulator

_START_SECONDS: Final = 30.0
_END_SECONDS: Final = 20.0


@dataclass
class Sender:
    """One program, and what it is told.

    Attributes:
        name: as the table shows it; it is the API key too, which tells it apart in the books.
        script: its file in `benchmarks/clients`.
        settings: what it is given as JSON.
        python: the interpreter that runs it.
        figures: what it saw itself, once it has ended; empty where it had to be ended.
    """

    name: str
    script: str
    settings: Mapping[str, object] = field(default_factory=dict)
    python: Path | str = sys.executable
    figures: dict[str, float] = field(default_factory=dict)


def ours(name: str, **settings: object) -> Sender:
    """Return one that sends through this package."""
    return Sender(f"batch-llm, {name}", "send_batch_llm.py", settings)


def async_batch_llm(name: str, **settings: object) -> Sender:
    """Return one that sends through async-batch-llm."""
    title = f"async-batch-llm 0.28, {name}"
    return Sender(title, "send_async_batch_llm.py", settings, peers.python())


def flexllm(name: str, **settings: object) -> Sender:
    """Return one that sends through flexllm."""
    return Sender(f"flexllm 0.17, {name}", "send_flexllm.py", settings, peers.python())


@contextmanager
def sending(senders: Sequence[Sender], simulator: Simulator, seconds: float) -> Iterator[None]:
    """Let all send at the same time, for so many seconds; the body begins when each has begun.

    After the body, each that has not ended by itself is ended.
    """
    running = [(sender, _start(sender, simulator.openai_base_url, seconds)) for sender in senders]
    try:
        _wait_until_all_send(running, simulator)
        yield
    finally:
        until = time.monotonic() + _END_SECONDS
        for sender, process in running:
            _end(sender, process, until)


def _start(sender: Sender, base_url: str, seconds: float) -> subprocess.Popen[str]:
    arguments = [base_url, sender.name, str(seconds), json.dumps(sender.settings)]
    return subprocess.Popen(
        [sender.python, CLIENTS / sender.script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _wait_until_all_send(
    running: Sequence[tuple[Sender, subprocess.Popen[str]]], simulator: Simulator
) -> None:
    until = time.monotonic() + _START_SECONDS
    for sender, process in running:
        while not simulator.books.totals(key=sender.name).requests:
            if process.poll() is not None or time.monotonic() > until:
                process.kill()
                raise RuntimeError(f"{sender.name} sent nothing:\n{process.communicate()[1]}")
            time.sleep(0.05)


def _end(sender: Sender, process: subprocess.Popen[str], until: float) -> None:
    try:
        said, complaint = process.communicate(timeout=max(0.1, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return
    if process.returncode:
        raise RuntimeError(f"{sender.name} failed:\n{complaint[-2000:]}")
    sender.figures = json.loads(said.splitlines()[-1])
