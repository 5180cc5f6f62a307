"""Limits in USD, judged by the provider's books: they hold through chunks, failures and kills."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import pytest
from tests.batch_kills import Nursery
from tests.batch_lane import KEY, base_url_of
from tests.integration.killed_batch import Order, batch_of, client_of
from tests.simulated_batches import PROVIDERS, empty_batch, told_apart
from tests.simulated_batches import batch_of as batch_of_questions

from batch_llm.testing.simulator import Fault, FaultKind, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batch_llm.batch import Batch, BatchRun

ROUNDING_USD = 1e-12
each_provider = pytest.mark.parametrize("provider", PROVIDERS)


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=9, speed=10_000) as simulator:
        yield simulator


def billed_usd(simulator: Simulator) -> float:
    usd = simulator.books.totals().usd
    assert usd is not None
    return usd


def most_usd(batch: Batch) -> float:
    usd = batch.run(dry_run=True).most_usd
    assert usd is not None
    return usd


def check_held(run: BatchRun, simulator: Simulator) -> float:
    """Return what a run has spent or holds, once the books show that it was no more."""
    status, billed = run.status(), billed_usd(simulator)
    committed: float = status.cost_usd + status.reserved_usd
    assert status.cost_usd - ROUNDING_USD <= billed <= committed + ROUNDING_USD
    return committed


@each_provider
def test_what_was_spent_is_what_was_billed(provider: str, simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind=FaultKind.STATUS, lane="batch", prompt_contains="question 1"))
    simulator.add_fault(Fault(kind=FaultKind.LENGTH, lane="batch", prompt_contains="question 2"))
    run = batch_of_questions(provider, simulator, 40, items_per_batch=7).run(wait=True)
    assert run.status().failed == 11
    assert run.retry_failed().wait()
    assert run.status().failed == 11
    assert run.status().cost_usd == pytest.approx(billed_usd(simulator))
    assert run.status().reserved_usd == 0


OF_NO_USE = [FaultKind.EMPTY, FaultKind.REFUSAL, FaultKind.SAFETY, FaultKind.LENGTH]


@pytest.mark.parametrize(
    ("provider", "kind"),
    # The others say of such a line that it has failed, and so is not billed.
    [("openai", FaultKind.ERROR_IN_200), *product(PROVIDERS, OF_NO_USE)],
)
def test_answers_that_are_of_no_use_are_paid_for_too(
    provider: str, kind: FaultKind, simulator: Simulator
) -> None:
    simulator.add_fault(Fault(kind=kind, lane="batch", prompt_contains="question 1"))
    run = batch_of_questions(provider, simulator, 20).run(wait=True)
    billed = {record.prompt: record for record in simulator.books.records}
    for number in range(20):
        result, record = run.results()[f"job {number}"], billed[f"question {number}"]
        told = record.fate == "answered"
        assert result.cost_usd == (pytest.approx(record.usd) if told else None), result
    check_held(run, simulator)


@each_provider
def test_a_limit_admits_a_part_of_the_jobs(provider: str, simulator: Simulator) -> None:
    limit = most_usd(batch_of_questions(provider, simulator, 30)) * 0.4
    batch = batch_of_questions(provider, simulator, 30, items_per_batch=4, max_concurrent=2)
    run = batch.add_cost_limit(usd=limit).run(wait=True)
    status = run.status()
    assert status.succeeded >= 12
    assert status.succeeded + status.pending == 30
    assert status.cost_usd == pytest.approx(billed_usd(simulator))
    assert billed_usd(simulator) <= limit
    if status.pending:
        assert "is left of" in status.stopped_because


@each_provider
@pytest.mark.parametrize(
    "kind", [FaultKind.BATCH_EXPIRED, FaultKind.BATCH_MISSING_LINES, FaultKind.BATCH_FAILED]
)
def test_a_limit_holds_however_often_what_came_to_nothing_is_tried_again(
    provider: str, kind: FaultKind, simulator: Simulator
) -> None:
    simulator.set_speed(1_000_000)  # what expires takes days
    simulator.add_fault(Fault(kind=kind, share=0.5))
    one_try = most_usd(batch_of_questions(provider, simulator, 12))
    batch = batch_of_questions(provider, simulator, 12, items_per_batch=5)
    limit = one_try * 1.6
    run = batch.add_cost_limit(usd=limit).run(wait=True)
    for _ in range(4):
        run.retry_failed().wait()
        run.resubmit_expired().wait()
        assert billed_usd(simulator) <= limit
        assert check_held(run, simulator) <= limit
    simulator.set_speed(10_000)


@each_provider
def test_a_limit_of_a_sum_that_was_spent_before_admits_nothing(
    provider: str, simulator: Simulator, tmp_path: Path
) -> None:
    state = tmp_path / "state.jsonl"
    first = batch_of_questions(provider, simulator, 5, state_file=state).run(wait=True)
    limit, spent = first.status().cost_usd * 1.01, billed_usd(simulator)
    later = batch_of_questions(provider, simulator, 10, state_file=state)
    run = later.add_cost_limit(usd=limit).run(wait=True)
    assert run.status().pending == 5
    assert billed_usd(simulator) == spent


def test_a_model_without_a_price_is_refused_under_a_limit(simulator: Simulator) -> None:
    batch = empty_batch("openai", simulator).defaults(model="gpt-unheard-of")
    run = batch.add_job("one", prompt="hello").add_cost_limit(usd=100).run(wait=True)
    assert told_apart(run) == {}
    assert "no price of gpt-unheard-of is known" in (run.status().stopped_because or "")
    assert not simulator.books.creates()


def test_no_limit_is_kept_by_a_run_with_jobs_of_unknown_cost(
    simulator: Simulator, tmp_path: Path
) -> None:
    """What they have cost may be more than any limit: it is not taken for nothing."""

    def batch() -> Batch:
        unheard = empty_batch("openai", simulator, state_file=tmp_path / "state.jsonl")
        return unheard.add_job("one", prompt="hello", model="gpt-99-nobody")

    first = batch().run(wait=True).status()
    assert (first.succeeded, first.unpriced, first.batches[0]["cost_usd"]) == (1, 1, None)
    later = batch().add_job("two", prompt="hello").add_cost_limit(usd=100)
    status = later.run(wait=True).status()
    assert (status.succeeded, status.pending) == (1, 1)
    assert "what 1 job of this run cost is not known" in (status.stopped_because or "")
    assert len(simulator.books.creates("batch")) == 1
    without = batch().add_job("two", prompt="hello").run(wait=True).status()
    assert (without.succeeded, without.unpriced) == (2, 1)


@each_provider
def test_a_limit_holds_however_often_the_process_is_killed(
    provider: str, simulator: Simulator, tmp_path: Path
) -> None:
    chance = random.Random(9)
    order = Order(provider, base_url_of(provider, simulator), KEY, str(tmp_path), 24, 3)
    whole = most_usd(batch_of(order, client_of(order)))
    order = replace(order, max_concurrent=2, cost_limit_usd=whole * 0.5)
    simulator.add_fault(Fault(kind=FaultKind.DROPPED, operation="batches.create", rate=0.3))
    with Nursery() as nursery:
        for _ in range(8):
            nursery.exit_code(replace(order, killed_after_seconds=chance.uniform(0.02, 0.3)))
            assert billed_usd(simulator) <= whole * 0.5
        assert nursery.exit_code(order) == 0
    assert billed_usd(simulator) <= whole * 0.5
    assert not simulator.books.repeated("prompt")
