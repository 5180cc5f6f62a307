"""A library of batches, and programs of its users that run against the simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .. import peers
from ..measure import CLIENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batch_llm.testing.simulator import Simulator

_LONGEST_SECONDS: Final = 90.0


@dataclass(frozen=True)
class Library:
    """A library, and how one of its users' programs is run.

    Attributes:
        name: as the table shows it.
        script: the program, in `benchmarks/clients`.
        python: the interpreter that runs it.
        mend_state: makes a state file readable that the library wrote and cannot read; None where
            it reads its own.
    """

    name: str
    script: str
    python: str
    mend_state: Callable[[Path], None] | None = None

    def run(self, simulator: Simulator, **settings: object) -> Seen:
        """Run a program to its end, and return what its user saw."""
        with self.running(simulator, **settings) as process:
            return seen_by(process)

    @contextmanager
    def running(self, simulator: Simulator, **settings: object) -> Iterator[subprocess.Popen[str]]:
        """Run a program while the body lasts; it is killed where it has not ended by then."""
        environment = {**os.environ, **simulator.environment(), "GOOGLE_API_KEY": "simulated"}
        environment.pop("GEMINI_API_KEY")
        process = subprocess.Popen(
            [self.python, CLIENTS / self.script, json.dumps(settings, default=str)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@dataclass
class Seen:
    """What a program's user saw.

    Attributes:
        raised: what ended it; "" where nothing did.
        jobs: one mapping a result: "prompt", "outcome", "response", "is_model" and "error".
        cost_usd: what the library says was spent.
        cited: the fields that citations were mapped to, where only that was asked.
    """

    raised: str = ""
    jobs: list[dict[str, Any]] = field(default_factory=list)
    cost_usd: float = 0.0
    cited: list[str] = field(default_factory=list)

    @property
    def succeeded(self) -> int:
        """Jobs with an answer."""
        return sum(job["outcome"] == "succeeded" for job in self.jobs)


def seen_by(process: subprocess.Popen[str]) -> Seen:
    """Wait for a program, and return what its user saw.

    Raises:
        RuntimeError: if it ended without a word.
    """
    said, complaint = process.communicate(timeout=_LONGEST_SECONDS)
    if not said.strip():
        raise RuntimeError(f"{process.args!r} said nothing:\n{complaint[-2000:]}")
    return Seen(**json.loads(said.splitlines()[-1]))


def batch_llm() -> Library:
    """Return this package."""
    return Library("batch-llm", "batch_batch_llm.py", sys.executable)


def batchata() -> Library:
    """Return batchata, in an environment of its own."""
    version = peers.BATCHATA.partition("==")[2]
    python = str(peers.batchata_python())
    return Library(f"batchata {version}", "batch_batchata.py", python, _mend_batchata)


def _mend_batchata(state_file: Path) -> None:
    """Take out the key that its reader does not know, and put in the one that it misses."""
    state = json.loads(state_file.read_text(encoding="utf-8"))
    state.pop("cancelled_jobs", None)
    state.setdefault("active_batches", [])
    state_file.write_text(json.dumps(state), encoding="utf-8")
