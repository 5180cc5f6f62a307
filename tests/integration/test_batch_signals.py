"""SIGINT and SIGTERM to real processes: nothing new is submitted, nothing is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.batch_lane import KEY, base_url_of
from tests.integration.killed_batch import Order, batch_of, client_of

from batch_llm.testing.simulator import Fault, FaultKind, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROGRAM = Path(__file__).with_name("signalled_batch.py")
JOBS, CHUNK = 10, 2
FAST = 10_000.0

each_signal = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
each_provider = pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=8) as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator: Simulator) -> Simulator:
    """A simulator whose batches stand still: its clock is one of the real world."""
    simulator.set_speed(1.0)
    return simulator


def order_of(provider: str, simulator: Simulator, folder: Path) -> Order:
    base_url = base_url_of(provider, simulator)
    return Order(
        provider, base_url, KEY, str(folder), JOBS, items_per_batch=CHUNK, max_concurrent=1
    )


@contextmanager
def started(order: Order, way: str = "main") -> Iterator[subprocess.Popen[str]]:
    arguments = [sys.executable, str(PROGRAM), json.dumps(asdict(order)), way]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(holds: Callable[[], object], process: subprocess.Popen[str]) -> None:
    while not holds():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def until_created(simulator: Simulator, process: subprocess.Popen[str]) -> None:
    until(lambda: simulator.books.creates("batch"), process)


def batches(simulator: Simulator) -> int:
    return len(simulator.books.creates("batch"))


def check_resumed(order: Order, simulator: Simulator) -> None:
    """Run the same again, to its end: each job was executed once."""
    simulator.set_speed(FAST)
    run = batch_of(order, client_of(order)).run(wait=True)
    answers = {job_id: result.response for job_id, result in run.results().items()}
    assert answers == {order.job_id(n): order.prompt(n) for n in range(JOBS)}
    assert run.status().is_complete
    assert not simulator.books.repeated("prompt")
    assert len(simulator.books.select(executed=True)) == JOBS
    assert run.status().cost_usd == pytest.approx(simulator.books.totals().usd)
    assert run.status().reserved_usd == 0


@each_signal
@each_provider
def test_a_signal_lets_nothing_new_be_submitted(
    provider: str, number: signal.Signals, simulator: Simulator, tmp_path: Path
) -> None:
    order = order_of(provider, simulator, tmp_path)
    with started(order) as process:
        until_created(simulator, process)
        process.send_signal(number)
        assert process.stderr is not None
        assert "nothing more is submitted" in process.stderr.readline()
        simulator.set_speed(FAST)  # what is under way ends
        told, errors = process.communicate()
    assert process.returncode == 0, errors
    assert told.splitlines() == [
        "ended: it was interrupted",
        f"own handler {signal.SIGINT.value}",
        f"own handler {signal.SIGTERM.value}",
    ]
    assert batches(simulator) == 1
    assert len(simulator.books.select(executed=True)) == CHUNK
    check_resumed(order, simulator)


@each_signal
@each_provider
def test_a_second_signal_leaves_at_once(
    provider: str, number: signal.Signals, simulator: Simulator, tmp_path: Path
) -> None:
    order = order_of(provider, simulator, tmp_path)
    with started(order) as process:
        until_created(simulator, process)
        process.send_signal(number)
        assert process.stderr is not None
        assert "second signal" in process.stderr.readline()
        process.send_signal(number)
        told, _ = process.communicate()  # the simulator's batches stand still: nobody waits
    assert process.returncode in (-signal.SIGINT, 128 + number)
    assert told == ""
    assert batches(simulator) == 1
    check_resumed(order, simulator)


@each_signal
@pytest.mark.parametrize("is_twice", [False, True], ids=["once", "twice"])
def test_a_program_with_a_loop_of_its_own_stops_too(
    number: signal.Signals, is_twice: bool, simulator: Simulator, tmp_path: Path
) -> None:
    order = order_of("openai", simulator, tmp_path)
    with started(order, "asked") as process:
        until_created(simulator, process)
        process.send_signal(number)
        assert process.stderr is not None
        assert "nothing more is submitted" in process.stderr.readline()
        if is_twice:
            process.send_signal(number)
        else:
            simulator.set_speed(FAST)  # what is under way ends
        told, errors = process.communicate()
    if is_twice:
        assert process.returncode in (-signal.SIGINT, 128 + number)
        assert told == ""
    else:
        assert process.returncode == 0, errors
        assert told == "ended: it was interrupted\nas before: True\n"
    assert batches(simulator) == 1
    check_resumed(order, simulator)


@each_signal
@pytest.mark.parametrize("provider", ["openai", "gemini by file"])
def test_what_is_uploaded_when_a_signal_comes_is_not_submitted(
    provider: str, number: signal.Signals, simulator: Simulator, tmp_path: Path
) -> None:
    upload = "files.create" if provider == "openai" else "files.upload"
    slow = Fault(kind=FaultKind.SLOW_BODY, operation=upload, seconds=1.0, key=KEY)
    simulator.add_fault(slow)
    order = order_of(provider, simulator, tmp_path)
    with started(order) as process:
        until(lambda: simulator.books.creates("file"), process)
        process.send_signal(number)
        assert process.stderr is not None
        assert "nothing more is submitted" in process.stderr.readline()
        simulator.set_speed(FAST)  # the upload ends, and so would a batch of it
        told, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "ended: it was interrupted" in told
    assert batches(simulator) == 0
    check_resumed(order, simulator)


@each_provider
@pytest.mark.parametrize(
    ("way", "number"),
    [("loop", signal.SIGTERM), ("arun", signal.SIGINT), ("thread", signal.SIGTERM)],
)
def test_a_run_stops_however_it_is_waited_for(
    provider: str, way: str, number: signal.Signals, simulator: Simulator, tmp_path: Path
) -> None:
    order = order_of(provider, simulator, tmp_path)
    with started(order, way) as process:
        until_created(simulator, process)
        process.send_signal(number)
        if way == "loop":
            assert process.stderr is not None
            assert "second signal" in process.stderr.readline()
            process.send_signal(number)
        told, errors = process.communicate()
    if way == "thread":
        assert process.returncode == 0, errors
        assert told == "ended: it was shut down\n"
    else:
        assert process.returncode in (-number, 128 + number), errors
    assert batches(simulator) == 1
    check_resumed(order, simulator)
