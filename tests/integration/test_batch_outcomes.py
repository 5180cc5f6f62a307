"""Ten thousand jobs that end in all ways there are: each in one way, and with the right reason."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel
from tests.batch_lane import open_client
from tests.integration.killed_batch import name_of
from tests.simulated_batches import PROVIDERS, empty_batch, told_apart

from batch_llm.batch.results.answers import VALIDATION_ERROR
from batch_llm.testing.simulator import Fault, FaultKind, ModelCall, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batch_llm.batch import Batch, BatchRun

JOBS = 10_000
SEED = 11
# Chunks are of one model: what happens to a whole remote batch happens to a model.
MODELS = {
    "openai": ["gpt-4o-mini", "gpt-4o", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano"],
    "anthropic": [
        "claude-haiku-4-5",
        "claude-sonnet-4-5",
        "claude-opus-4-5",
        "claude-sonnet-4-0",
        "claude-opus-4-1",
    ],
    "gemini": [
        "gemini-2.5-flash",
        "gemini-2.5-pro",
        "gemini-2.5-flash-lite",
        "gemini-2.0-flash",
        "gemini-2.0-flash-lite",
    ],
}
FATES = ["whole", "expires", "is cancelled", "has gaps", "fails line by line"]
WORDS = ["answered", "refused", "overloaded", "cut", "cut form", "wrong form", "right form"]


class Form(BaseModel):
    number: int


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=SEED, speed=10_000) as simulator:
        yield simulator


def says(call: ModelCall) -> str:
    return '{"number": "no number"}' if "wrong form" in call.prompt else '{"number": 7}'


def set_faults(simulator: Simulator, models: dict[str, str]) -> None:
    simulator.set_answers(says)
    for word, kind, status in (
        ("refused", FaultKind.STATUS, 400),
        ("overloaded", FaultKind.STATUS, 503),
        ("cut", FaultKind.LENGTH, 500),
    ):
        fault = Fault(kind=kind, status=status, lane="batch", prompt_contains=f"is {word}")
        simulator.add_fault(fault)
    simulator.add_fault(Fault(kind=FaultKind.BATCH_SHUFFLED))
    for fate, kind in (
        ("expires", FaultKind.BATCH_EXPIRED),
        ("is cancelled", FaultKind.BATCH_EXPIRED),  # it goes on until it is cancelled
        ("has gaps", FaultKind.BATCH_MISSING_LINES),
        ("fails line by line", FaultKind.BATCH_ONLY_ERRORS),
    ):
        simulator.add_fault(Fault(kind=kind, share=0.5, model=models[fate]))


def mixed_batch(provider: str, simulator: Simulator, models: dict[str, str]) -> Batch:
    batch = empty_batch(provider, simulator)
    for n in range(JOBS):
        fate = FATES[n % len(FATES)]
        word = WORDS[n // len(FATES) % len(WORDS)] if fate == "whole" else "answered"
        batch.add_job(
            f"{n}: {fate}, {word}",
            prompt=f"{n} is {word}",
            model=models[fate],
            response_model=Form if "form" in word else None,
        )
    return batch


def cancel_by_hand(run: BatchRun, provider: str, simulator: Simulator, model: str) -> None:
    """Cancel the remote batch of a model half-way, as its user may in the provider's console."""

    async def cancel(remote_id: str) -> None:
        client = open_client(provider, simulator)
        await client.cancel(remote_id)
        await client.aclose()

    remote_id = None
    # The provider may be at work before the run has written down what the batch is called.
    while remote_id is None or not simulator.books.executions(model=model):
        assert not run.is_complete
        time.sleep(0.01)
        remote_id = next(
            (each["remote_id"] for each in run.status().batches if each["model"] == model), None
        )
    asyncio.run(cancel(remote_id))


def wait_until_only_one_goes_on(run: BatchRun, model: str) -> None:
    while not run.is_complete and not goes_on_alone(run, model):
        time.sleep(0.01)


def goes_on_alone(run: BatchRun, model: str) -> bool:
    status = run.status()
    states = {each["model"]: each["state"] for each in status.batches}
    mine = states.pop(model, None)
    return not status.pending and mine == "created" and set(states.values()) == {"collected"}


def prompt_of(job_id: str) -> str:
    number, _, ending = job_id.partition(": ")
    return f"{number} is {ending.rpartition(', ')[2]}"


def fate_of(job_id: str) -> str:
    return job_id.partition(": ")[2]


def check_reasons(provider: str, run: BatchRun) -> None:
    ways: dict[str, set[tuple[str, bool, bool]]] = {}
    for job_id, result in run.results().items():
        way = (result.outcome, result.is_truncated, result.error_category == VALIDATION_ERROR)
        ways.setdefault(fate_of(job_id), set()).add(way)
        assert (result.error is None) == result.is_success
    answered = set() if provider.startswith("gemini") else {("succeeded", False, False)}
    assert ways == {
        "whole, answered": {("succeeded", False, False)},
        "whole, right form": {("succeeded", False, False)},
        "whole, cut": {("succeeded", True, False)},
        "whole, cut form": {("failed", True, True)},
        "whole, wrong form": {("failed", False, True)},
        "whole, refused": {("failed", False, False)},
        "whole, overloaded": {("failed", False, False)},
        "fails line by line, answered": {("failed", False, False)},
        "has gaps, answered": {("succeeded", False, False), ("failed", False, False)},
        "expires, answered": {("expired", False, False)} | answered,
        "is cancelled, answered": {("cancelled", False, False)} | answered,
    }
    said = {fate_of(job_id): result.error for job_id, result in run.results().items()}
    assert "400" in (said["whole, refused"] or "")
    assert "max_tokens" in (said["whole, cut form"] or "")
    assert "number" in (said["whole, wrong form"] or "")


def check_bills(run: BatchRun, simulator: Simulator) -> None:
    """Compare what each job has cost with the books: where nobody told, nobody pretends to know."""
    billed = {record.prompt: record for record in simulator.books.records}
    for job_id, result in run.results().items():
        record = billed.get(prompt_of(job_id))
        if result.cost_usd is not None:
            assert result.cost_usd == pytest.approx(record.usd if record is not None else 0.0)
    status, usd = run.status(), simulator.books.totals().usd
    assert usd is not None
    known = (result.cost_usd for result in run.results().values() if result.cost_usd is not None)
    assert status.cost_usd == pytest.approx(sum(known))
    assert status.cost_usd <= usd <= status.cost_usd + status.reserved_usd


def check_sent_again(again: Callable[[], BatchRun], jobs: set[str], simulator: Simulator) -> None:
    before = len(simulator.books.records)
    again().wait()
    sent = Counter(record.prompt for record in simulator.books.records[before:])
    assert sent == Counter(map(prompt_of, jobs))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_of_10_000_jobs_ends_in_one_way(provider: str, simulator: Simulator) -> None:
    models = dict(zip(FATES, MODELS[name_of(provider)], strict=True))
    set_faults(simulator, models)
    run = mixed_batch(provider, simulator, models).run()
    cancel_by_hand(run, provider, simulator, models["is cancelled"])
    # Files that lie at the provider for days are gone.
    wait_until_only_one_goes_on(run, models["expires"])
    simulator.advance(3 * 86_400)
    run.wait()
    status, groups = run.status(), told_apart(run)
    assert {outcome: len(jobs) for outcome, jobs in groups.items()} == {
        outcome: status[outcome] for outcome in ("succeeded", "failed", "expired", "cancelled")
    }
    assert sum(map(len, groups.values())) == status.total == status.completed == JOBS
    check_reasons(provider, run)
    check_bills(run, simulator)

    simulator.clear_faults()
    simulator.set_answers(lambda call: '{"number": 7}')
    check_sent_again(run.retry_failed, groups["failed"], simulator)
    check_sent_again(run.resubmit_expired, groups["expired"], simulator)
    check_sent_again(run.resubmit_cancelled, groups["cancelled"], simulator)
    assert told_apart(run) == {"succeeded": set(run.results())}
