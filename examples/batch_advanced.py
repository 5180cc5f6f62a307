"""A batch with all that a job can have: a PDF read into a pydantic model, two providers, progress.

Run it: python examples/batch_advanced.py

Without keys it runs against the simulator (the extra "simulator"), and keeps nothing.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

from pydantic import BaseModel

from batch_llm import Batch
from batch_llm.testing.simulator import Simulator

DOCUMENTS = Path(__file__).parent / "data" / "documents"
KEYS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY")


class Invoice(BaseModel):
    """What is read from the PDF."""

    number: str
    customer: str
    total: float


def extract(poll_seconds: float) -> None:
    """Run two jobs of two providers in one batch, and watch them."""
    # Real providers: set ANTHROPIC_API_KEY and OPENAI_API_KEY; nothing else changes.
    batch = (
        Batch(
            state_file="./",
            results_dir="./output",
            max_concurrent=10,
            poll_interval_seconds=poll_seconds,
        )
        .add_cost_limit(usd=5)
        .defaults(model="claude-haiku-4-5", temperature=0.7, max_tokens=500)
        .on_progress(lambda stats: print(f"Progress: {stats.completed}/{stats.total}"))
        .add_job(
            "invoice",
            file=DOCUMENTS / "invoice.pdf",
            prompt="Extract data",
            response_model=Invoice,
        )
        .add_job("hello", messages=[{"role": "user", "content": "Hello"}], model="gpt-4.1-nano")
    )

    run = batch.run()
    while not run.is_complete:
        run.status(print=True)
        time.sleep(poll_seconds)

    results = run.results()  # by job id
    for job_id, result in sorted(results.items()):
        said = result.parsed_response or result.response
        print(f"{job_id}: {said if result.is_success else result.error}")
    print(run.status())


def main() -> None:
    """Run against the providers where there are keys, else against the simulator."""
    missing = [name for name in KEYS if not os.environ.get(name)]
    if not missing:
        extract(poll_seconds=30)
        return
    print(f"{' and '.join(missing)} not set: a simulator stands in for both providers.")
    print("It reads no PDFs: what the invoice says is made up, and fits the model asked for.")
    with (
        tempfile.TemporaryDirectory() as place,
        contextlib.chdir(place),
        Simulator(speed=10_000) as simulator,
    ):
        os.environ.update(simulator.environment())
        extract(poll_seconds=0.1)


if __name__ == "__main__":
    main()
