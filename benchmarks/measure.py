"""Runs a client in a process of its own, and reads what it measured of itself."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

CLIENTS = Path(__file__).resolve().parent / "clients"


@dataclass
class Client:
    """One program to measure.

    Attributes:
        name: as the table shows it.
        script: its file in `benchmarks/clients`.
        arguments: what it is given.
        python: the interpreter that runs it.
        figures: what each round measured, by figure.
    """

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    python: Path = Path(sys.executable)
    figures: dict[str, list[float]] = field(default_factory=dict)

    def run(self) -> None:
        """Run it once, and keep its figures."""
        done = subprocess.run(
            [self.python, CLIENTS / self.script, *self.arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{self.name} failed:\n{done.stderr[-2000:]}")
        for figure, value in json.loads(done.stdout.splitlines()[-1]).items():
            self.figures.setdefault(figure, []).append(value)

    def median(self, figure: str) -> float:
        """Return the median of a figure over all rounds."""
        return statistics.median(self.figures[figure])


def interleaved(clients: list[Client], rounds: int) -> None:
    """Run all clients once a round, so that the machine's moods hit all alike."""
    for _ in range(rounds):
        for client in clients:
            client.run()


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table."""
    print(f"\n### {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
