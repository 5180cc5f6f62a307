"""Batches with a deadline, through the simulator: what no batch has answered goes live, once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from tests.batch_lane import PROVIDERS, Provider

from batch_llm import Batch, OpenAICompatibleStrategy, ProcessorConfig, RetryConfig
from batch_llm.batch.state.events import LiveCall, LiveCallSettled
from batch_llm.batch.state.journal import open_journal
from batch_llm.exceptions import ServerError
from batch_llm.providers import MockBatchClient
from batch_llm.testing.simulator import BatchTimes, Fault, FaultKind, Latency, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from batch_llm import BatchRun

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

JOBS = 10
SOON = 0.2
LATER = 3.0
TIMES = BatchTimes(
    validating_seconds=1,
    running=Latency(kind="fixed", seconds=1000),
    finalizing_seconds=1,
    cancelling_seconds=0.05,
)
CONFIG = ProcessorConfig(max_workers=4, retry=RetryConfig(initial_wait=0.01))


class Invoice(BaseModel):
    number: int
    customer: str


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    # At this speed a batch takes a quarter of an hour, unless a test moves the clock.
    with Simulator(seed=3, speed=1, batch_times=TIMES, latency=Latency(seconds=0.01)) as simulator:
        yield simulator


@pytest.fixture
def simulator(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    return simulator


@pytest.fixture(params=PROVIDERS, ids=lambda provider: provider.name)
def provider(request: pytest.FixtureRequest) -> Provider:
    found: Provider = request.param
    return found


def batch_of(provider: Provider, jobs: int = JOBS, **settings: Any) -> Batch:
    given = {"poll_interval_seconds": 0.02, "orphan_grace_seconds": 0.05, **settings}
    batch = Batch(**given).defaults(model=provider.model, max_tokens=50)
    for n in range(jobs):
        batch.add_job(f"job {n}", prompt=f"question {n}")
    return batch.live_lane(config=CONFIG)


def executed(simulator: Simulator, lane: str) -> set[str]:
    return {r.prompt for r in simulator.books.records if r.executed and r.lane == lane}


def check_answers(run: BatchRun, simulator: Simulator, jobs: int = JOBS) -> None:
    """See that each job was answered once, by the lane that it names."""
    results = run.results()
    assert {each.job_id: each.response for each in results.values()} == {
        f"job {n}": f"question {n}" for n in range(jobs)
    }
    assert not simulator.books.repeated("prompt"), "a request was executed twice"
    for lane in ("batch", "live"):
        told = {each.response for each in results.values() if each.lane == lane}
        assert told == executed(simulator, lane)
    status = run.status()
    assert status.is_complete
    assert status.live == 0
    billed = simulator.books.totals().usd
    assert status.cost_usd == pytest.approx(billed, abs=1e-12)
    assert sum(each.cost_usd or 0 for each in results.values()) == pytest.approx(billed, abs=1e-12)
    assert status.reserved_usd == pytest.approx(0, abs=1e-12)


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < give_up, "it never came"
        time.sleep(0.005)


def is_created(run: BatchRun) -> bool:
    return any(each["state"] == "created" for each in run.status().batches)


# -- nothing, half of it, and all of it answered in time


def test_what_no_batch_has_answered_goes_live(provider: Provider, simulator: Simulator) -> None:
    run = batch_of(provider, items_per_batch=4, max_concurrent=2).run(wait=True, deadline=SOON)
    check_answers(run, simulator)
    assert {each.lane for each in run.results().values()} == {"live"}


@pytest.mark.parametrize("when", [SOON, LATER], ids=["recalled", "long before"])
def test_jobs_of_a_batch_that_is_gone_go_live(simulator: Simulator, when: Any) -> None:
    simulator.add_fault(Fault(kind=FaultKind.STATUS, status=404, operation="batches.retrieve"))
    run = batch_of(PROVIDERS[0]).run(wait=True, deadline=when)
    assert {each.lane for each in run.results().values()} == {"live"}
    assert run.status().succeeded == JOBS
    assert run.status().reserved_usd > 0, "the batch may be billed yet"


def run_until_half_is_done(batch: Batch, simulator: Simulator) -> BatchRun:
    run = batch.run(deadline=LATER)
    until(lambda: is_created(run))
    while len(executed(simulator, "batch")) < JOBS // 2:
        simulator.advance(50)
    run.wait()
    return run


@pytest.mark.parametrize("provider", PROVIDERS[:2], ids=lambda provider: provider.name)
def test_what_a_cancelled_batch_has_done_is_kept(provider: Provider, simulator: Simulator) -> None:
    run = run_until_half_is_done(batch_of(provider), simulator)
    check_answers(run, simulator)
    lanes = Counter(each.lane for each in run.results().values())
    assert lanes == {"batch": JOBS // 2, "live": JOBS // 2}


def test_what_a_cancelled_batch_may_be_billed_for_stays_held(simulator: Simulator) -> None:
    """Google gives no results of a cancelled batch, and no bill."""
    run = run_until_half_is_done(batch_of(PROVIDERS[2]).add_cost_limit(usd=1), simulator)
    status, billed = run.status(), simulator.books.totals().usd
    assert status.succeeded == JOBS
    assert len(executed(simulator, "live")) == JOBS
    assert status.cost_usd < billed <= status.cost_usd + status.reserved_usd


def test_what_is_answered_in_time_stays_with_the_batch(
    provider: Provider, simulator: Simulator
) -> None:
    run = batch_of(provider).run(deadline="6h")
    until(lambda: is_created(run))
    while not run.wait(0.01):
        simulator.advance(1500)
    check_answers(run, simulator)
    assert executed(simulator, "live") == set()


@pytest.mark.parametrize("provider", PROVIDERS[:2], ids=lambda provider: provider.name)
def test_what_has_expired_goes_live_once_nothing_else_is_under_way(
    provider: Provider, simulator: Simulator
) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_EXPIRED, share=0.5))
    run = batch_of(provider).run(deadline="6h")
    until(lambda: is_created(run))
    while not run.wait(0.01):
        simulator.advance(100_000)
    check_answers(run, simulator)
    assert len(executed(simulator, "live")) == JOBS // 2


@pytest.mark.parametrize("content", ["It snowed.", None], ids=["changed", "gone"])
def test_a_file_that_changed_since_it_was_added_is_not_sent_live(
    content: str | None, simulator: Simulator, tmp_path: Path
) -> None:
    file = tmp_path / "text.txt"
    file.write_text("It rained.")
    batch = batch_of(PROVIDERS[0], 1).add_job("file", file=file, prompt="Sum it up.")
    run = batch.run(deadline=LATER)
    until(lambda: is_created(run))
    file.unlink() if content is None else file.write_text(content)
    assert run.wait(60)
    results = run.results()
    assert results["job 0"].lane == "live"
    told = results["file"]
    assert (told.outcome, told.error_category, told.cost_usd) == ("failed", "input_error", 0.0)
    assert "'file'" in str(told.error)
    assert "text.txt" in str(told.error)
    assert executed(simulator, "live") == {"question 0"}
    assert run.status().is_complete


def test_what_a_provider_has_refused_for_now_goes_live(
    provider: Provider, simulator: Simulator
) -> None:
    busy = Fault(kind=FaultKind.STATUS, status=429, operation="batches.create")
    simulator.add_fault(busy)
    run = batch_of(provider, items_per_batch=5).run(wait=True, deadline=SOON)
    check_answers(run, simulator)
    assert {each["state"] for each in run.status().batches} == {"released"}
    assert simulator.books.creates("batch") == []


# -- who does not go


def test_a_failed_job_does_not_go_live(provider: Provider, simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind=FaultKind.STATUS, lane="batch", prompt_contains="question 1"))
    run = batch_of(provider).run(deadline="6h")
    until(lambda: is_created(run))
    while not run.wait(0.01):
        simulator.advance(1500)
    failed = run.results()["job 1"]
    assert (failed.outcome, failed.lane) == ("failed", "batch")
    assert executed(simulator, "live") == set()


def test_a_batch_that_is_not_cancelled_is_waited_for(simulator: Simulator) -> None:
    cancel = "batches.cancel"
    simulator.add_fault(Fault(kind=FaultKind.STATUS, status=400, operation=cancel))
    run = batch_of(PROVIDERS[0], items_per_batch=5, max_concurrent=1).run(deadline=SOON)
    until(lambda: any("cancelling fails" in b["why_waiting"] for b in run.status().batches))
    # The jobs that were never submitted need not wait for it.
    until(lambda: run.status().succeeded == 5)
    assert executed(simulator, "batch") == set()
    simulator.clear_faults()
    assert run.wait()
    check_answers(run, simulator)


# -- money


def test_the_limit_holds_for_both_lanes_together(provider: Provider, simulator: Simulator) -> None:
    most = batch_of(provider).run(dry_run=True).most_usd
    assert most is not None
    limit = most * 0.9  # the batch of nine fits, and of live calls at twice the price some
    run = batch_of(provider).add_cost_limit(usd=limit).run(wait=True, deadline=SOON)
    status, billed = run.status(), simulator.books.totals().usd
    assert 0 < billed <= limit
    assert status.cost_usd + status.reserved_usd <= limit
    assert status.cost_usd == pytest.approx(billed, abs=1e-12)
    assert status.succeeded == len(executed(simulator, "live"))


def test_a_limit_that_is_reached_leaves_jobs_for_a_higher_one(
    provider: Provider, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.set_answers(lambda call: "yes " * 200)  # as long as it may be

    def batch(limit: float) -> Batch:
        return batch_of(provider, state_file=tmp_path / "state.jsonl").add_cost_limit(usd=limit)

    most = batch(1).run(dry_run=True).most_usd
    assert most is not None
    limit = most * 0.4  # at twice the price, and answers as long as was reserved for them
    status = batch(limit).run(wait=True, deadline=SOON).status()
    assert 0 < status.succeeded < JOBS
    assert status.pending == JOBS - status.succeeded
    assert "does not pay" in (status.stopped_because or "")
    assert 0 < simulator.books.totals().usd <= limit
    later = batch(1).run(wait=True, deadline=SOON).status()
    assert later.is_complete
    assert not simulator.books.repeated("prompt")
    assert later.cost_usd == pytest.approx(simulator.books.totals().usd, abs=1e-12)
    simulator.set_answers("auto")


def test_a_limit_without_room_leaves_jobs_as_they_were(simulator: Simulator) -> None:
    provider = PROVIDERS[0]
    run = batch_of(provider).add_cost_limit(usd=1e-7).run(wait=True, deadline=SOON)
    status = run.status()
    assert (status.pending, status.completed) == (JOBS, 0)
    assert "does not pay for its live call" in (status.stopped_because or "")
    assert simulator.books.totals().usd == 0


def test_a_call_whose_answer_is_lost_keeps_its_reservation(
    simulator: Simulator, tmp_path: Path
) -> None:
    provider = PROVIDERS[0]
    simulator.add_fault(Fault(kind=FaultKind.DROPPED, lane="live", times=1))
    batch = batch_of(provider, 1, state_file=tmp_path / "state.jsonl").add_cost_limit(usd=1)
    run = batch.run(wait=True, deadline=SOON)
    status, billed = run.status(), simulator.books.totals().usd
    assert status.succeeded == 1
    assert billed > status.cost_usd > 0  # the first answer never came
    assert status.cost_usd + status.reserved_usd >= billed


def test_no_call_is_made_under_a_limit_after_jobs_of_unknown_cost(
    simulator: Simulator, tmp_path: Path
) -> None:
    provider, state = PROVIDERS[0], tmp_path / "state.jsonl"
    unheard = Batch(state_file=state, poll_interval_seconds=0.02).live_lane(config=CONFIG)
    unheard.add_job("unheard", prompt="hello", model="gpt-99-nobody", max_tokens=20)
    status = unheard.run(wait=True, deadline=SOON).status()
    assert (status.succeeded, status.unpriced) == (1, 1)
    assert "1 job of unknown cost" in str(status)
    called = executed(simulator, "live")
    run = batch_of(provider, state_file=state).add_cost_limit(usd=1).run(wait=True, deadline=SOON)
    assert (run.status().succeeded, run.status().pending) == (1, JOBS)
    assert "what 1 job of this run cost is not known" in (run.status().stopped_because or "")
    assert executed(simulator, "live") == called


def test_no_call_is_made_under_a_limit_after_an_overrun(
    simulator: Simulator, tmp_path: Path
) -> None:
    state = tmp_path / "state.jsonl"
    with open_journal(state, durability="process") as journal:
        journal.write(LiveCall(0, 0.25), LiveCallSettled(0, 0.75))
    batch = batch_of(PROVIDERS[0], state_file=state).add_cost_limit(usd=10)
    status = batch.run(wait=True, deadline=SOON).status()
    assert (status.succeeded, status.pending, status.overruns) == (0, JOBS, 1)
    assert "a live call cost 0.750 USD, more than the 0.250 USD" in (status.stopped_because or "")
    assert simulator.books.totals().usd == 0


# -- its end, and on after it


def test_jobs_that_failed_are_sent_again_as_a_batch_after_the_deadline(
    simulator: Simulator,
) -> None:
    """Live, they would cost twice as much, and nobody asked for that."""
    client = MockBatchClient({"job 1": ServerError("It failed.", status_code=500)})

    def at_simulator(model: str) -> OpenAICompatibleStrategy:
        return OpenAICompatibleStrategy(model, base_url=simulator.openai_base_url)

    batch = batch_of(PROVIDERS[0], 2, clients={"openai": client})
    run = batch.live_lane(strategies={"openai": at_simulator}).run(deadline=1.0, wait=True)
    assert run.status().failed == 1
    time.sleep(1.0)
    client.set_answer("job 1", "better")
    run.retry_failed().wait()
    assert {name: each.response for name, each in run.results().items()} == {
        "job 0": "question 0",
        "job 1": "better",
    }
    assert len(client.batches) == 2
    assert not executed(simulator, "live")


def test_a_file_that_is_gone_by_then_fails_its_job_alone(
    simulator: Simulator, tmp_path: Path
) -> None:
    batch = batch_of(PROVIDERS[0], 0).add_cost_limit(usd=1)
    for name in ("kept", "gone"):
        (tmp_path / f"{name}.txt").write_text(f"text {name}")
        batch.add_job(name, file=tmp_path / f"{name}.txt", prompt="Summarize it.")
    (tmp_path / "gone.txt").unlink()
    results = batch.run(wait=True, deadline=SOON).results()
    assert (results["kept"].outcome, results["kept"].lane) == ("succeeded", "live")
    assert results["gone"].outcome == "failed"
    assert "No such file" in (results["gone"].error or "")


def test_answers_of_both_lanes_look_alike(
    provider: Provider, simulator: Simulator, tmp_path: Path
) -> None:
    batch = batch_of(provider, 0, results_dir=tmp_path / "out")
    batch.add_job("invoice", prompt="An invoice", response_model=Invoice)
    (tmp_path / "text.txt").write_text("A text.")
    batch.add_job("file", file=tmp_path / "text.txt", prompt="Summarize it.", system="Be brief.")
    run = batch.run(wait=True, deadline=SOON)
    results = run.results()
    assert isinstance(results["invoice"].parsed_response, Invoice)
    assert "A text." in executed(simulator, "live").pop() or results["file"].response
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"invoice.json", "file.json"}
    run.export("csv", tmp_path / "all.csv")
    assert (tmp_path / "all.csv").read_text().count(",live,") == 2


async def test_results_of_both_lanes_stream(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_EXPIRED, share=0.5))
    simulator.set_speed(1_000_000)
    run = batch_of(PROVIDERS[1]).run(deadline="6h")
    streamed = [(each.job_id, each.outcome) async for each in run.stream()]
    assert sorted(streamed) == sorted((f"job {n}", "succeeded") for n in range(JOBS))


PROGRAM = """
import sys
from batch_llm import Batch, ProcessorConfig
state, model = sys.argv[1:]
batch = Batch(state_file=state, poll_interval_seconds=0.02, orphan_grace_seconds=0.05)
batch.defaults(model=model, max_tokens=50).add_cost_limit(usd=1)
for n in range(10):
    batch.add_job(f"job {n}", prompt=f"question {n}")
batch.live_lane(config=ProcessorConfig(max_workers=2))
run = batch.run(wait=True, deadline=0.2)
print(run.status().succeeded, run.status().stopped_because, flush=True)
"""


def start(provider: Provider, state: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", PROGRAM, str(state), provider.model]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ)


def test_a_process_killed_in_the_live_phase_goes_on(
    provider: Provider, simulator: Simulator, tmp_path: Path
) -> None:
    state = tmp_path / "state.jsonl"
    simulator.set_latency(0.1)
    with start(provider, state) as process:
        until(lambda: state.exists() and state.read_bytes().count(b'"kind":"result"') >= 4)
        process.kill()
    with start(provider, state) as process:
        out, _ = process.communicate()
    assert out == b"10 None\n"
    # Two calls were under way, and are made again; whatever had been kept is not.
    assert len(simulator.books.repeated("prompt")) <= 2
    assert executed(simulator, "live") == {f"question {n}" for n in range(JOBS)}
    with open_journal(state) as journal:
        spent, held = journal.state.spent_usd, journal.state.reserved_usd
    assert spent <= simulator.books.totals().usd <= spent + held


def test_an_interrupt_lets_calls_end_and_starts_no_other(
    simulator: Simulator, tmp_path: Path
) -> None:
    provider, state = PROVIDERS[1], tmp_path / "state.jsonl"
    simulator.set_latency(0.2)
    with start(provider, state) as process:
        until(lambda: state.exists() and b'"lane":"live"' in state.read_bytes())
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
    succeeded, _, why = out.decode().strip().partition(" ")
    assert why == "it was interrupted"
    assert 0 < int(succeeded) < JOBS
    assert simulator.books.totals().executed == int(succeeded)
    with start(provider, state) as process:
        out, _ = process.communicate()
    assert out == b"10 None\n"
    assert not simulator.books.repeated("prompt")


def test_a_state_that_went_live_goes_on_from_wherever_it_ends(
    simulator: Simulator, tmp_path: Path
) -> None:
    provider, state = PROVIDERS[1], tmp_path / "state.jsonl"

    def run() -> BatchRun:
        batch = batch_of(provider, state_file=state, items_per_batch=4, max_concurrent=2)
        return batch.add_cost_limit(usd=1).run(wait=True, deadline=SOON)

    check_answers(run(), simulator)
    lines = state.read_bytes().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if b'"went_live"' in line)
    for size in range(first + 1, len(lines) + 1, 3):
        state.write_bytes(b"".join(lines[:size]) + b'{"kind":"live_c')
        known = set(results_in(lines[:size]))
        before = len(simulator.books.records)
        assert run().status().succeeded == JOBS
        called = Counter(each.prompt for each in simulator.books.records[before:])
        assert called.keys() == {f"question {n}" for n in range(JOBS) if f"job {n}" not in known}
        assert set(called.values()) <= {1}
        with open_journal(state) as journal:
            cut_off = sum(b'"live_call"' in line for line in lines[:size])
            cut_off -= sum(b'"live_call_settled"' in line for line in lines[:size])
            assert len(journal.state.open_calls) == cut_off


def results_in(lines: list[bytes]) -> list[str]:
    events = [json.loads(line) for line in lines]
    return [
        event["job_id"]
        for event in events
        if event["kind"] == "result" and event["outcome"] == "succeeded"
    ]


def test_a_time_limit_in_the_live_phase_lets_calls_end(
    simulator: Simulator, tmp_path: Path
) -> None:
    simulator.set_latency(0.3)
    batch = batch_of(PROVIDERS[0], state_file=tmp_path / "state.jsonl").add_cost_limit(usd=1)
    run = batch.run(wait=True, deadline=0.05, time_limit_seconds=0.8)
    status = run.status()
    assert "time limit" in (status.stopped_because or "")
    assert status.succeeded == simulator.books.totals().executed
    assert status.reserved_usd == 0
    simulator.set_latency(0.01)
    check_answers(batch.run(wait=True, deadline=0.05), simulator)


def test_failed_jobs_are_retried_live_after_the_deadline(simulator: Simulator) -> None:
    refusal = Fault(kind=FaultKind.STATUS, status=400, lane="live", prompt_contains="question 1")
    simulator.add_fault(refusal)
    run = batch_of(PROVIDERS[0]).run(wait=True, deadline=SOON)
    failed = run.results()["job 1"]
    assert (failed.outcome, failed.lane, run.status().failed) == ("failed", "live", 1)
    simulator.clear_faults()
    assert run.retry_failed().wait()
    check_answers(run, simulator)
