"""Batches at their simplest: summarise every file of a folder, for no more than 15 USD.

Run it: python examples/batch_simple.py [FOLDER]

The PDFs and texts of FOLDER are summarised, by default those of the examples. Without a key it
runs against the simulator (the extra "simulator"), and keeps nothing.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path

from batch_llm import Batch
from batch_llm.testing.simulator import Simulator

DOCUMENTS = Path(__file__).parent / "data" / "documents"


def summarise(files: list[Path], poll_seconds: float) -> None:
    """Run one batch; the same call after a crash goes on with it."""
    # A real provider: set ANTHROPIC_API_KEY; nothing else changes.
    batch = (
        Batch(
            state_file="./",
            results_dir="./output",
            max_concurrent=10,
            poll_interval_seconds=poll_seconds,
        )
        .defaults(model="claude-haiku-4-5")
        .add_cost_limit(usd=15)
    )

    for file in files:
        batch.add_job(file=file, prompt="Summarize")

    run = batch.run(wait=True)
    print(run.status())  # shows progress and costs

    for job_id, result in run.results().items():
        print(f"{job_id}: {result.response if result.is_success else result.error}")
    print(f"{len(list(Path('output').iterdir()))} results are files in ./output")


def main(folder: Path) -> None:
    """Summarise by Claude where there is a key, else by the simulator."""
    files = sorted(path.resolve() for path in folder.iterdir() if path.suffix in (".pdf", ".txt"))
    if os.environ.get("ANTHROPIC_API_KEY"):
        summarise(files, poll_seconds=30)
        return
    print("ANTHROPIC_API_KEY is not set: a simulator on this machine stands in for Anthropic.")
    print("It reads no PDFs, but says back what it is asked; a day takes nine seconds.")
    with (
        tempfile.TemporaryDirectory() as place,
        contextlib.chdir(place),
        Simulator(speed=10_000) as simulator,
    ):
        os.environ.update(simulator.environment())
        summarise(files, poll_seconds=0.1)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCUMENTS)
