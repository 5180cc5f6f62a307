"""Jobs that ended, and are sent once more: what is told of them until they have ended again."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from tests.simulated_batches import batch_of

from batch_llm.base import JobResult
from batch_llm.testing.simulator import Fault, FaultKind, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from batch_llm.batch import Batch, BatchRun

FAST = 10_000.0
SLOW = 0.001
ENOUGH_USD = 1.0
HALF = Counter(succeeded=5, failed=5)


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=5, speed=FAST) as simulator:
        yield simulator


@pytest.fixture
def run(simulator: Simulator, tmp_path: Path) -> BatchRun:
    """A run that has ended, of whose ten jobs five were refused an answer, and billed."""
    simulator.add_fault(Fault(kind=FaultKind.REFUSAL, lane="batch", times=5))
    run = batch_in(tmp_path, simulator, ENOUGH_USD).run(wait=True)
    assert outcomes_of(run.results().values()) == HALF
    return run


def batch_in(folder: Path, simulator: Simulator, limit_usd: float) -> Batch:
    batch = batch_of(
        "openai",
        simulator,
        items_per_batch=5,
        state_file=folder / "state.jsonl",
        results_dir=folder / "results",
    )
    return batch.add_cost_limit(usd=limit_usd)


def outcomes_of(results: Iterable[JobResult]) -> Counter[str]:
    return Counter(result.outcome for result in results)


def outcomes_in(folder: Path) -> Counter[str]:
    files = (folder / "results").iterdir()
    return outcomes_of(JobResult.from_dict(json.loads(file.read_bytes())) for file in files)


def outcomes_streamed(run: BatchRun) -> Counter[str]:
    async def stream() -> Counter[str]:
        return outcomes_of([result async for result in run.stream()])

    return asyncio.run(stream())


def wait_until_all_are_in_flight(run: BatchRun, jobs: int) -> None:
    until = time.monotonic() + 30
    while run.status().in_flight < jobs:
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.01)


def test_jobs_that_cannot_be_sent_again_keep_how_they_ended(
    run: BatchRun, simulator: Simulator, tmp_path: Path
) -> None:
    before, spent_usd = run.results(), run.status().cost_usd
    run = batch_in(tmp_path, simulator, spent_usd).run(wait=True)
    run.retry_failed().wait()
    # As its process sees it, and then another.
    for each in (run, batch_in(tmp_path, simulator, spent_usd).run(wait=True)):
        assert each.results() == before
        assert outcomes_streamed(each) == outcomes_in(tmp_path) == HALF
        assert (each.status().failed, each.status().pending) == (0, 5)
        each.export("jsonl", tmp_path / "all.jsonl")
        assert len((tmp_path / "all.jsonl").read_bytes().splitlines()) == 10
    run = batch_in(tmp_path, simulator, ENOUGH_USD).run(wait=True)
    assert outcomes_streamed(run) == outcomes_in(tmp_path) == Counter(succeeded=10)
    assert outcomes_of(run.results().values()) == Counter(succeeded=10)


def test_a_job_that_is_tried_again_is_told_of_once_it_has_ended_again(
    run: BatchRun, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.set_speed(SLOW)
    run.retry_failed()
    wait_until_all_are_in_flight(run, 5)
    assert outcomes_of(run.results().values()) == outcomes_in(tmp_path) == HALF
    simulator.set_speed(FAST)
    assert outcomes_streamed(run) == Counter(succeeded=10)
    assert outcomes_of(run.results().values()) == outcomes_in(tmp_path) == Counter(succeeded=10)


def test_a_file_that_is_missing_is_written_while_its_job_is_tried_again(
    run: BatchRun, simulator: Simulator, tmp_path: Path
) -> None:
    for file in (tmp_path / "results").iterdir():
        file.unlink()
    simulator.set_speed(SLOW)
    run.retry_failed()
    assert outcomes_in(tmp_path) == HALF
    run.leave()
    simulator.set_speed(FAST)
