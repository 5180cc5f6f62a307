"""What the package costs on this machine: printed, never asserted. Run with `-m benchmark -s`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.benchmark
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "section",
    [
        "import",
        "noop",
        "suspend",
        "latency",
        "batch",
        "http",
        "simulator",
        "pacing",
        "discovery",
        "retry",
    ],
)
def test_a_section_of_the_benchmarks_runs_and_prints_its_table(section: str) -> None:
    command = [sys.executable, "-m", "benchmarks", "--rounds", "1", section]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(done.stdout)
    assert done.returncode == 0, done.stderr
    assert "| " in done.stdout
