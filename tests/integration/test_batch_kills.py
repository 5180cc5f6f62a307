"""`kill -9` at every step of a remote batch's life, and at any moment: all is executed once.

By the books of the provider: no job is submitted, executed or billed twice, none is lost, and what
the run says it has spent is what was billed. `BATCH_LLM_BATCH_KILL_ROUNDS` says how many runs of
each provider are killed at each step; 1 by default.
"""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.batch_kills import Nursery, cases_of, kill_and_resume, table_of
from tests.batch_lane import KEY, base_url_of
from tests.integration.killed_batch import (
    AGAIN,
    GRACE_SECONDS,
    HALF,
    POLLING,
    READ,
    TORN,
    Order,
    batch_of,
    client_of,
)
from tests.simulated_batches import PROVIDERS

from batch_llm.exceptions import StateError
from batch_llm.testing.simulator import Fault, FaultKind, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = int(os.environ.get("BATCH_LLM_BATCH_KILL_ROUNDS", "1"))


@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_kills_at_every_step_lose_nothing_and_submit_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Simulator(seed=5, speed=10_000) as simulator:
        verdicts = kill_and_resume(cases_of(5, tmp_path, ROUNDS), simulator)
        assert simulator.broken == 0
    with capsys.disabled():
        print(f"\n{table_of(verdicts)}")
    bad = [verdict for verdict in verdicts if verdict.is_bad]
    assert bad == []


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=6, speed=10_000) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as found:
        yield found


def order_of(provider: str, simulator: Simulator, folder: Path) -> Order:
    return Order(provider, base_url_of(provider, simulator), KEY, str(folder))


def killed(nursery: Nursery, order: Order) -> bool:
    return nursery.exit_code(order) == -signal.SIGKILL


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_orphan_that_is_found_late_is_adopted_whenever_its_process_dies(
    provider: str, simulator: Simulator, nursery: Nursery, tmp_path: Path
) -> None:
    order = order_of(provider, simulator, tmp_path)
    simulator.add_fault(Fault(kind=FaultKind.DROPPED, operation="batches.create", calls=(1,)))
    stale = Fault(kind=FaultKind.STALE_LIST, operation="batches.list", seconds=1e9)
    number = simulator.add_fault(stale)
    assert killed(nursery, replace(order, step=AGAIN)), "it is believed that there is none"
    simulator.remove_fault(number)
    assert killed(nursery, replace(order, step=TORN)), "the first line is that of the adoption"
    assert nursery.exit_code(order) == 0
    assert len(simulator.books.creates("batch")) == 1
    assert simulator.books.executions() == order.jobs


@pytest.mark.parametrize("provider", PROVIDERS)
def test_jobs_that_were_refused_for_good_are_not_sent_by_the_next_process(
    provider: str, simulator: Simulator, nursery: Nursery, tmp_path: Path
) -> None:
    order = order_of(provider, simulator, tmp_path)
    create, bad = "batches.create", FaultKind.STATUS
    simulator.add_fault(Fault(kind=bad, status=404, operation=create, times=1))
    assert killed(nursery, replace(order, step=HALF)), "some of its jobs have failed by then"
    run = batch_of(order, client_of(order)).run(wait=True)
    assert run.status().failed == order.jobs
    assert {result.error_category for result in run.results().values()} == {"submission_refused"}
    assert not simulator.books.creates("batch")


def test_what_cannot_be_told_yet_is_waited_for_and_never_sent_again(
    simulator: Simulator, nursery: Nursery, tmp_path: Path
) -> None:
    order = order_of("anthropic", simulator, tmp_path)
    simulator.set_speed(1.0)  # a batch stands still, and shows no results
    assert killed(nursery, replace(order, step=READ))
    run = batch_of(order, client_of(order)).run()
    while "keeps no mark of ours" not in run.status().batches[0]["why_waiting"]:
        assert not run.is_complete
    assert not run.wait(10 * GRACE_SECONDS)
    assert len(simulator.books.creates("batch")) == 1
    simulator.set_speed(10_000)
    assert run.wait()
    assert run.status().succeeded == order.jobs
    assert simulator.books.executions() == order.jobs


def test_a_second_process_is_refused_and_the_first_goes_on(
    simulator: Simulator, nursery: Nursery, tmp_path: Path
) -> None:
    order = order_of("openai", simulator, tmp_path)
    simulator.set_speed(1.0)  # a batch stands still
    assert killed(nursery, replace(order, step=POLLING))
    resumed = threading.Thread(target=nursery.exit_code, args=(order,))
    resumed.start()
    routes = simulator.books.requests_by_route
    before = routes()
    while routes() == before:
        resumed.join(0.01)
    with pytest.raises(StateError, match=r"in use by the process \d+. One run at a time"):
        batch_of(order, client_of(order)).run()
    simulator.set_speed(10_000)
    resumed.join()
    assert batch_of(order, client_of(order)).run(wait=True).status().succeeded == order.jobs
    assert simulator.books.executions() == order.jobs
