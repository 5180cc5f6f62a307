"""`kill -9` at any instant, again and again: nothing finished is lost, and the cap holds.

`BATCH_LLM_KILLS` says how many kills; 100 by default.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from batch_llm.ledger import read_ledger
from batch_llm.testing.simulator import Fault, Latency, Simulator

KILLS = int(os.environ.get("BATCH_LLM_KILLS", "100"))
ITEMS_A_KILL = 60
WORKERS = 20
PROGRAM = Path(__file__).with_name("killed_program.py")


class Seen:
    """What the user of all the runs has seen, run by run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self.runs: list[dict[str, str]] = []

    def end_of_run(self) -> None:
        text = self._path.read_text(encoding="ascii") if self._path.exists() else ""
        lines = text[self._read :].splitlines()
        self._read = len(text)
        self.runs.append(dict(line.split(" ", 1) for line in lines))

    @property
    def last(self) -> dict[str, str]:
        return self.runs[-1]

    def calls(self) -> Counter[str]:
        """Return how often each item's result was seen as that of a call of its own."""
        return Counter(name for run in self.runs for name, word in run.items() if word == "call")


def start(
    simulator: Simulator, folder: Path, items: int, cap_usd: float
) -> subprocess.Popen[bytes]:
    arguments = [simulator.openai_base_url, folder / "run.db", folder / "seen", items, cap_usd]
    return subprocess.Popen(
        [sys.executable, PROGRAM, *map(str, arguments)],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )


def killed(program: subprocess.Popen[bytes], after_seconds: float) -> bool:
    """Kill a program; return whether it was still running."""
    time.sleep(after_seconds)
    still_running = program.poll() is None
    program.kill()
    program.communicate()
    return still_running


def finished(program: subprocess.Popen[bytes]) -> None:
    _, errors = program.communicate(timeout=300)
    assert program.returncode == 0, errors.decode()


@pytest.mark.timeout(900)
def test_kills_at_random_instants_lose_nothing_and_pay_for_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(4)
    seen = Seen(tmp_path / "seen")
    items, cap_usd = ITEMS_A_KILL * KILLS, 10.0
    faults = [Fault(kind="status", status=503, rate=0.02), Fault(kind="dropped", rate=0.01)]
    with Simulator(latency=Latency(seconds=0.1), faults=faults, seed=4) as simulator:
        kills = 0
        while kills < KILLS:
            kills += killed(start(simulator, tmp_path, items, cap_usd), chance.uniform(0.1, 1.1))
            seen.end_of_run()
        finished(start(simulator, tmp_path, items, cap_usd))
        seen.end_of_run()
        books = simulator.books.totals()
        repeated = sum(len(calls) - 1 for calls in simulator.books.repeated().values())
    summary = read_ledger(tmp_path / "run.db").summary()
    lost = items - sum(word in ("call", "ledger") for word in seen.last.values())
    overspent = max(0.0, (books.usd or 0.0) - cap_usd)
    with capsys.disabled():
        print(
            f"\n{kills} kills: {items:,} items, lost {lost}, repeated calls {repeated}, "
            f"billed {books.usd:.4f} USD, overspend {overspent:.2f} USD"
        )
    assert lost == 0
    assert max(seen.calls().values()) == 1, "a result that was seen was called for again"
    # In flight at a kill, or its answer lost on the way: these alone may be made again.
    assert repeated <= kills * WORKERS + books.lost
    assert books.usd is not None
    assert summary.spent_usd + summary.held_usd >= books.usd - 1e-9


@pytest.mark.timeout(300)
def test_the_cap_holds_by_the_providers_books_however_often_a_run_is_killed(
    tmp_path: Path,
) -> None:
    chance = random.Random(5)
    items, cap_usd = 2_000, 0.01
    with Simulator(latency=Latency(seconds=0.05), seed=5) as simulator:
        for _ in range(8):
            killed(start(simulator, tmp_path, items, cap_usd), chance.uniform(0.4, 1.0))
        finished(start(simulator, tmp_path, items, cap_usd))
        books = simulator.books.totals()
    summary = read_ledger(tmp_path / "run.db").summary()
    assert books.usd is not None
    assert books.usd <= cap_usd
    assert books.usd <= summary.spent_usd + summary.held_usd <= cap_usd
    last = Seen(tmp_path / "seen")
    last.end_of_run()
    assert "failed:budget_exceeded" in last.last.values()
