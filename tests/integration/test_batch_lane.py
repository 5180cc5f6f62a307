"""Batches through the simulator: to their ends, and on after a crash at any step."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from tests.batch_lane import KEY, Provider, open_client
from tests.batch_lane import PROVIDERS as BUILT_IN
from tests.batch_lane import batch_of as empty_batch
from tests.integration.killed_batch import AT_ONCE
from tests.memory_world import MemoryWorld

from batch_llm.batch import Batch, BatchRun
from batch_llm.batch.results.result_files import ResultFiles
from batch_llm.batch.running import session as session_module
from batch_llm.batch.state.journal import Journal, open_journal
from batch_llm.exceptions import (
    AuthenticationError,
    ConfigurationError,
    JobError,
    ServerError,
    StateMismatchError,
)
from batch_llm.providers import (
    BatchClient,
    MockBatchClient,
    OpenAIBatchClient,
)
from batch_llm.testing.simulator import Fault, FaultKind, Limit, Simulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from batch_llm.batch import RunStatus
    from batch_llm.wire.remote_status import RemoteStatus

PROVIDERS = [*BUILT_IN, Provider("mock", "mock:gpt-4o-mini")]


class Invoice(BaseModel):
    number: int
    customer: str


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=3, speed=10_000) as simulator:
        yield simulator


class PricedMock(MockBatchClient):
    """Costs what OpenAI does."""

    provider = "openai"


@pytest.fixture
def simulator(simulator: Simulator, request: pytest.FixtureRequest) -> Any:
    """The simulator, or what stands in its place for the mock."""
    if "provider" in request.fixturenames and request.getfixturevalue("provider").name == "mock":
        return MemoryWorld()
    return simulator


@pytest.fixture(params=PROVIDERS, ids=lambda provider: provider.name)
def provider(request: pytest.FixtureRequest) -> Provider:
    found: Provider = request.param
    return found


def client_of(
    provider: Provider, simulator: Simulator | MemoryWorld, key: str = KEY
) -> BatchClient:
    if isinstance(simulator, MemoryWorld):
        # Batches are in the client's memory: a program that starts again has to find them there.
        return simulator.clients[0] if simulator.clients else simulator.open(AT_ONCE, PricedMock)
    return open_client(provider.name, simulator, api_key=key)


def batch_of(provider: Provider, client: BatchClient, jobs: int = 10, **settings: Any) -> Batch:
    batch = empty_batch(provider, client, **settings)
    for n in range(jobs):
        batch.add_job(f"Zeile {n} / é", prompt=f"question {n}")
    return batch


def check_books(simulator: Simulator, jobs: int) -> None:
    assert not simulator.books.repeated("prompt"), "a request was executed twice"
    executed = [record for record in simulator.books.records if record.executed]
    assert len(executed) == jobs


# -- to their ends


def test_every_job_ends_with_its_own_answer(provider: Provider, simulator: Simulator) -> None:
    run = batch_of(provider, client_of(provider, simulator), 50, items_per_batch=20).run(wait=True)
    results = run.results()
    assert {job_id: result.response for job_id, result in results.items()} == {
        f"Zeile {n} / é": f"question {n}" for n in range(50)
    }
    status = run.status()
    assert status.is_complete
    assert status["succeeded"] == 50
    assert len(status.batches) == 3
    assert status.cost_usd == pytest.approx(sum(each.cost_usd or 0 for each in results.values()))
    assert status.cost_usd > 0
    assert status.reserved_usd == 0
    check_books(simulator, 50)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("batch_missing_lines", "failed"), ("batch_expired", "expired"), ("batch_failed", "failed")],
)
def test_no_job_vanishes(provider: Provider, simulator: Simulator, kind: str, outcome: str) -> None:
    simulator.set_speed(1_000_000)  # what expires takes days
    simulator.add_fault(Fault(kind=FaultKind(kind)))
    run = batch_of(provider, client_of(provider, simulator), 50).run(wait=True)
    results = run.results()
    assert len(results) == 50
    others = [result for result in results.values() if not result.is_success]
    assert others
    assert {result.outcome for result in others} == {outcome}
    assert all(result.error for result in others)


def test_answers_fit_their_model_or_say_why(provider: Provider, simulator: Simulator) -> None:
    client = client_of(provider, simulator)
    batch = batch_of(provider, client, 0).defaults(response_model=Invoice)
    batch.add_job("right", prompt="An invoice")
    simulator.add_fault(Fault(kind=FaultKind.LENGTH, prompt_contains="cut"))
    batch.add_job("cut", prompt="cut off")
    results = batch.run(wait=True).results()
    assert isinstance(results["right"].parsed_response, Invoice)
    assert results["cut"].is_truncated
    assert results["cut"].outcome == "failed"
    assert set(results["cut"].parsed_response) == {"error"}
    assert results["cut"].response
    assert results["cut"].cost_usd


def test_results_are_the_same_after_a_restart(
    provider: Provider, simulator: Simulator, tmp_path: Path
) -> None:
    def batch() -> Batch:
        client = client_of(provider, simulator)
        made = batch_of(provider, client, 3, state_file=tmp_path / "state.jsonl")
        return made.add_job("invoice", prompt="An invoice", response_model=Invoice)

    first = batch().run(wait=True).results()
    assert batch().run(wait=True).results() == first
    check_books(simulator, 4)


def test_an_answer_cites_its_document(simulator: Simulator, tmp_path: Path) -> None:
    provider, file = PROVIDERS[1], tmp_path / "cat.txt"
    file.write_text("The cat sat. It was red.")
    batch = batch_of(provider, client_of(provider, simulator), 0)
    batch.add_job("cat", file=file, prompt="What colour was it?", enable_citations=True)
    cited = batch.run(wait=True).results()["cat"].citations
    assert cited
    assert cited[0].kind == "char"
    assert cited[0].cited_text in "The cat sat. It was red."


# -- after a crash


class CrashError(Exception):
    """The process is gone."""


class CrashingClient:
    """Ends the process at a step, as far as the run can tell."""

    def __init__(self, client: BatchClient, step: str) -> None:
        self._client = client
        self._step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def upload(self, *args: Any) -> str | None:
        self._crash("intent")
        handle = await self._client.upload(*args)
        self._crash("upload")
        return handle

    async def create(self, *args: Any) -> str:
        self._crash("upload written")
        remote_id = await self._client.create(*args)
        self._crash("create")
        return remote_id

    async def poll(self, remote_id: str) -> Any:
        self._crash("id written")
        status = await self._client.poll(remote_id)
        self._crash("polling")
        return status

    async def collect(self, *args: Any, **options: Any) -> AsyncIterator[Any]:
        number = 0
        async for answer in self._client.collect(*args, **options):
            if number == 5:
                self._crash("half collected")
            number += 1
            yield answer

    async def delete_files(self, *args: Any) -> None:
        self._crash("collected")
        await self._client.delete_files(*args)

    def _crash(self, step: str) -> None:
        if step == self._step:
            raise CrashError(step)


STEPS = [
    "intent", "upload", "upload written", "create", "id written", "polling", "half collected",
    "collected",
]  # fmt: skip


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_executes_nothing_twice(
    provider: Provider, simulator: Simulator, tmp_path: Path, step: str
) -> None:  # fmt: skip
    client, state = client_of(provider, simulator), tmp_path / "state.jsonl"
    crashing: Any = CrashingClient(client, step)
    with pytest.raises(CrashError):
        batch_of(provider, crashing, state_file=state).run(wait=True)
    run = batch_of(provider, client, state_file=state).run(wait=True)
    assert {result.response for result in run.results().values()} == {
        f"question {n}" for n in range(10)
    }
    assert run.status().is_complete
    check_books(simulator, 10)


def test_what_was_surely_not_sent_goes_again_unsearched(tmp_path: Path) -> None:
    class Defective(MockBatchClient):
        """Fails before it sends anything, once."""

        defects = [TypeError("a defect")]

        async def upload(self, *args: Any) -> str | None:
            if self.defects:
                raise self.defects.pop()
            return await super().upload(*args)

    provider, client, state = PROVIDERS[3], Defective(), tmp_path / "state.jsonl"
    with pytest.raises(TypeError, match="a defect"):
        batch_of(provider, client, state_file=state).run(wait=True)
    client.fail("find_orphan", ServerError("503", status_code=503), times=None)
    later = batch_of(provider, client, state_file=state).run(wait=True)
    assert later.status().succeeded == 10
    assert len(client.batches) == 1


def test_a_create_whose_answer_is_lost_is_found(provider: Provider, simulator: Simulator) -> None:
    create = "batches.create"
    simulator.add_fault(Fault(kind=FaultKind.DROPPED, operation=create, calls=(1,)))
    run = batch_of(provider, client_of(provider, simulator)).run(wait=True)
    assert run.status().succeeded == 10
    check_books(simulator, 10)


def test_a_limit_holds_for_remote_batches_one_after_the_other(simulator: Simulator) -> None:
    provider = PROVIDERS[0]
    client = client_of(provider, simulator)
    most = batch_of(provider, client).run(dry_run=True).most_usd
    assert most is not None
    limited = batch_of(provider, client, items_per_batch=1, max_concurrent=1)
    run = limited.add_cost_limit(usd=most * 0.35).run(wait=True)
    status = run.status()
    assert status.succeeded > 0
    assert status.cost_usd + status.reserved_usd <= most * 0.35


def test_a_limit_stops_what_does_not_fit(simulator: Simulator) -> None:
    provider = PROVIDERS[0]
    batch = batch_of(provider, client_of(provider, simulator))
    run = batch.add_cost_limit(usd=1e-9).run(wait=True)
    status = run.status()
    assert status.pending == 10
    assert status.completed == 0
    assert "is left of" in (status.stopped_because or "")
    assert run.is_complete
    assert not simulator.books.records


def test_a_part_that_fits_a_limit_goes(simulator: Simulator) -> None:
    provider = PROVIDERS[0]
    client = client_of(provider, simulator)
    most = batch_of(provider, client).run(dry_run=True).most_usd
    assert most is not None
    run = batch_of(provider, client).add_cost_limit(usd=most * 0.55).run(wait=True)
    # What is not spent of a reservation lets further jobs go.
    assert run.status().succeeded >= 5
    assert run.status().cost_usd <= most * 0.55


def test_what_does_not_fit_waits_for_what_is_under_way_and_goes_whole(
    simulator: Simulator,
) -> None:
    provider = PROVIDERS[0]
    client = client_of(provider, simulator)
    most = batch_of(provider, client).run(dry_run=True).most_usd
    assert most is not None
    limited = batch_of(provider, client, items_per_batch=5).add_cost_limit(usd=most * 0.8)
    status = limited.run(wait=True).status()
    assert [batch["jobs"] for batch in status.batches] == [5, 5]
    assert status.succeeded == 10


@pytest.mark.parametrize("items_per_batch", [None, 1])
def test_a_dear_job_holds_up_none_after_it(
    simulator: Simulator, items_per_batch: int | None
) -> None:
    provider = PROVIDERS[0]
    client = client_of(provider, simulator)
    batch = batch_of(provider, client, 0, items_per_batch=items_per_batch, max_concurrent=2)
    batch.add_job("dear", prompt="question of weight", max_tokens=16_000)
    for n in range(6):
        batch.add_job(f"cheap {n}", prompt=f"question {n}", max_tokens=100)
    run = batch.add_cost_limit(usd=0.004).run(wait=True)
    assert set(run.results()) == {f"cheap {n}" for n in range(6)}
    assert run.status().pending == 1
    assert "is left of" in (run.status().stopped_because or "")


class PairingClient:
    """Lets no batch end before a second one was created."""

    def __init__(self, client: BatchClient) -> None:
        self._client = client
        self._created = 0
        self._are_two = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def create(self, *args: Any) -> str:
        self._created += 1
        if self._created == 2:
            self._are_two.set()
        return await self._client.create(*args)

    async def poll(self, remote_id: str) -> Any:
        await asyncio.wait_for(self._are_two.wait(), 20)
        return await self._client.poll(remote_id)


def test_a_job_that_nothing_makes_room_for_leaves_room_for_others(simulator: Simulator) -> None:
    provider = PROVIDERS[0]
    pairing: Any = PairingClient(client_of(provider, simulator))
    batch = batch_of(provider, pairing, 0, items_per_batch=1, max_concurrent=2)
    batch.add_job("dear", prompt="question of weight", max_tokens=16_000)
    for n in range(2):
        batch.add_job(f"cheap {n}", prompt=f"question {n}", max_tokens=100)
    run = batch.add_cost_limit(usd=0.004).run(wait=True)
    assert set(run.results()) == {"cheap 0", "cheap 1"}


class CountingClient:
    """Counts the jobs that were encoded for their size by the time that results are fetched."""

    def __init__(self, client: BatchClient) -> None:
        self._client = client
        self._encoded = 0
        self.at_each_collect: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def encode(self, *args: Any) -> bytes:
        self._encoded += 1
        return self._client.encode(*args)

    async def collect(self, *args: Any, **options: Any) -> AsyncIterator[Any]:
        self.at_each_collect.append(self._encoded)
        async for answer in self._client.collect(*args, **options):
            yield answer


def test_jobs_are_encoded_when_there_is_room_to_submit_them(simulator: Simulator) -> None:
    provider = PROVIDERS[0]
    counting: Any = CountingClient(client_of(provider, simulator))
    run = batch_of(provider, counting, 20, items_per_batch=2, max_concurrent=1).run(wait=True)
    assert run.status().succeeded == 20
    # Its own two, two that wait for it to end, and the one that showed that these are full.
    assert counting.at_each_collect[0] <= 2 + 2 + 1
    check_books(simulator, 20)


def test_no_more_tokens_are_enqueued_than_the_account_may_have(
    simulator: Simulator, tmp_path: Path
) -> None:
    simulator.set_limits([Limit(provider="openai", enqueued_tokens=400)])
    provider, state, waiting = PROVIDERS[0], tmp_path / "state.jsonl", set[str]()
    client = client_of(provider, simulator)
    settings = {"state_file": state, "max_enqueued_tokens": {"gpt-4o-mini": 400}}
    batch = batch_of(provider, client, 40, **settings)
    run = BatchRun(batch.jobs, batch.params, clients={"openai": client})
    run.set_on_progress(lambda status: waiting.update(status.waiting), 0.001).wait()
    assert run.status().succeeded == 40
    assert len(run.status().batches) > 1
    assert any("400 may be" in reason for reason in waiting)
    assert '"refused"' not in state.read_text()
    check_books(simulator, 40)


def test_a_job_over_the_limit_of_tokens_goes_alone(simulator: Simulator) -> None:
    provider = PROVIDERS[0]
    batch = batch_of(provider, client_of(provider, simulator), 3, max_enqueued_tokens=1)
    status = batch.run(wait=True).status()
    assert (status.succeeded, len(status.batches)) == (3, 3)


# -- its face


async def test_results_stream_within_a_running_loop(simulator: Simulator) -> None:
    provider = PROVIDERS[1]
    batch = batch_of(provider, client_of(provider, simulator), items_per_batch=4)
    streamed = [result.job_id async for result in batch.run().stream()]
    assert sorted(streamed) == sorted(f"Zeile {n} / é" for n in range(10))


async def test_a_run_waits_within_a_running_loop(simulator: Simulator) -> None:
    provider = PROVIDERS[0]
    run = batch_of(provider, client_of(provider, simulator)).run(wait=True)
    assert run.status().succeeded == 10
    again = await batch_of(provider, client_of(provider, simulator)).arun()
    assert again.status().succeeded == 10


def needs_the_loop(loop: asyncio.AbstractEventLoop, original: Any) -> Any:
    """Return `original`, which goes on only once the loop has had a turn."""

    def called(*args: Any) -> Any:
        turned = threading.Event()
        loop.call_soon_threadsafe(turned.set)
        assert turned.wait(20), "the event loop is held up"
        return original(*args)

    return called


async def test_others_on_the_loop_have_their_turn_while_files_are_read_and_written(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    provider, loop, calls = PROVIDERS[0], asyncio.get_running_loop(), list[str]()
    for module, name in [
        (session_module, "open_journal"),
        (ResultFiles, "write"),
        (Journal, "keep_results"),
        (Journal, "results"),
    ]:
        slow = needs_the_loop(loop, getattr(module, name))
        monkeypatch.setattr(
            module, name, lambda *a, slow=slow, name=name: calls.append(name) or slow(*a)
        )
    settings = {"results_dir": tmp_path / "out", "state_file": tmp_path / "state.jsonl"}
    run = await batch_of(provider, client_of(provider, simulator), **settings).arun()
    assert len([result async for result in run.stream()]) == 10
    assert set(calls) == {"open_journal", "write", "keep_results", "results"}


async def test_a_run_that_is_given_up_while_it_opens_leaves_its_state_free(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    provider, state = PROVIDERS[0], tmp_path / "state.jsonl"
    began, goes_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(path: Path) -> Journal:
        loop.call_soon_threadsafe(began.set)
        assert goes_on.wait(20)
        return open_journal(path)

    monkeypatch.setattr(session_module, "open_journal", slow)
    batch = batch_of(provider, client_of(provider, simulator), state_file=state)
    running = asyncio.create_task(batch.arun())
    await began.wait()
    running.cancel()
    goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    open_journal(state).close()
    assert not simulator.books.records


def test_a_client_that_cannot_be_made_lets_nothing_go(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    crashing: Any = CrashingClient(client_of(PROVIDERS[0], simulator), "intent")
    batch = batch_of(PROVIDERS[0], crashing, 5, items_per_batch=1)
    batch.add_job("other", prompt="question", model="claude-haiku-4-5")
    with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY"):
        batch.run(wait=True)


async def test_a_run_works_off_the_main_thread(simulator: Simulator) -> None:
    provider = PROVIDERS[2]
    batch = batch_of(provider, client_of(provider, simulator))
    run = await asyncio.to_thread(batch.run, True)
    assert run.status().succeeded == 10


def test_failed_jobs_alone_run_again(simulator: Simulator) -> None:
    provider = PROVIDERS[0]
    simulator.add_fault(Fault(kind=FaultKind.BATCH_FAILED, times=1))
    run = batch_of(provider, client_of(provider, simulator), items_per_batch=5).run(wait=True)
    assert run.status().failed == 5
    assert run.retry_failed().wait()
    assert run.status().succeeded == 10
    check_books(simulator, 10)


def test_a_changed_job_does_not_run_again_and_its_state_stays(
    simulator: Simulator, tmp_path: Path
) -> None:
    file, state = tmp_path / "a.txt", tmp_path / "state.jsonl"
    file.write_text("the first text")
    simulator.add_fault(Fault(kind=FaultKind.BATCH_FAILED, times=1))
    batch = batch_of(PROVIDERS[0], client_of(PROVIDERS[0], simulator), 0, state_file=state)
    run = batch.add_job("a", file=file, prompt="Sum up").run(wait=True)
    before = state.read_bytes()
    file.write_text("another text")
    with pytest.raises(StateMismatchError, match="'a'"):
        run.retry_failed()
    assert state.read_bytes() == before
    file.write_text("the first text")
    assert run.retry_failed().wait()
    assert run.status().succeeded == 1


def test_jobs_that_were_not_submitted_outlive_a_cancel(
    simulator: Simulator, tmp_path: Path
) -> None:
    simulator.set_speed(1.0)
    settings = {"state_file": tmp_path / "state", "items_per_batch": 1, "max_concurrent": 1}
    client = client_of(PROVIDERS[0], simulator)
    run = batch_of(PROVIDERS[0], client, 3, **settings).run()
    while not any(each["state"] == "created" for each in run.status().batches):
        assert not run.is_complete
    run.cancel(wait=False)
    simulator.set_speed(10_000)
    assert run.wait()
    assert run.status().pending == 2
    later = batch_of(PROVIDERS[0], client, 0, **settings).run(wait=True)
    assert later.status().pending == 0
    assert later.status().succeeded >= 2


def test_a_run_that_is_shut_down_goes_on_later(
    provider: Provider, simulator: Simulator, tmp_path: Path
) -> None:
    client, state = client_of(provider, simulator), tmp_path / "state.jsonl"
    run = batch_of(provider, client, state_file=state).run()
    run.shutdown(wait_for_active=False)
    assert run.is_complete
    later = batch_of(provider, client, state_file=state).run(wait=True)
    assert later.status().succeeded == 10
    check_books(simulator, 10)


def test_a_cancelled_run_keeps_what_was_done(provider: Provider, simulator: Simulator) -> None:
    run = batch_of(provider, client_of(provider, simulator)).run()
    while not any(each["state"] == "created" for each in run.status().batches):
        if run.is_complete:
            break
    run.cancel()
    assert run.status().is_complete
    assert len(run.results()) == 10


def test_a_state_of_no_name_stays_while_batches_are_out(
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    simulator.set_speed(1.0)  # no batch ends
    run = batch_of(PROVIDERS[0], client_of(PROVIDERS[0], simulator)).run()
    while not any(each["state"] == "created" for each in run.status().batches):
        assert not run.is_complete
    run.shutdown(wait_for_active=False)
    (state,) = tmp_path.glob("batch-llm-*/*.jsonl")
    assert f"Batch(state_file={str(state)!r})" in caplog.text
    del run
    gc.collect()
    simulator.set_speed(10_000)
    later = batch_of(PROVIDERS[0], client_of(PROVIDERS[0], simulator), 0, state_file=state)
    assert later.run(wait=True).status().succeeded == 10
    check_books(simulator, 10)


def test_a_state_of_no_name_goes_once_all_is_collected(
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = batch_of(PROVIDERS[0], client_of(PROVIDERS[0], simulator)).run(wait=True)
    assert len(list(tmp_path.glob("batch-llm-*/*.jsonl"))) == 1
    del run
    gc.collect()
    assert not list(tmp_path.iterdir())
    assert "state_file" not in caplog.text


_LEFT = """
import sys
from batch_llm.batch import Batch
from batch_llm.providers import OpenAIBatchClient

client = OpenAIBatchClient(base_url=sys.argv[1], api_key="a-key")
run = Batch(clients={"openai": client}).defaults(model="gpt-4o-mini").add_job(prompt="a").run()
while not any(each["state"] == "created" for each in run.status().batches):
    pass
"""


def test_a_program_that_ends_too_early_says_where_its_state_is(
    simulator: Simulator, tmp_path: Path
) -> None:
    simulator.set_speed(1.0)
    ended = subprocess.run(
        [sys.executable, "-c", _LEFT, simulator.openai_base_url],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    simulator.set_speed(10_000)
    assert ended.returncode == 0, ended.stderr
    (state,) = tmp_path.glob("batch-llm-*/*.jsonl")
    assert str(state) in ended.stderr


SLOW: dict[str, Any] = {"delays": lambda *_: 3600.0, "cancel_seconds": 0.0, "retries": AT_ONCE}


class WithoutCancel(MockBatchClient):
    """Cannot be told to cancel as long as `fails` says so, and counts how often it was told."""

    fails = True
    told = 0

    async def cancel(self, remote_id: str) -> RemoteStatus:
        self.told += 1
        if self.fails:
            raise ServerError("No cancelling today.", status_code=500)
        return await super().cancel(remote_id)


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def is_created(run: BatchRun) -> bool:
    return any(each["state"] == "created" for each in run.status().batches)


def test_a_cancel_that_fails_is_tried_until_it_is_told() -> None:
    client = WithoutCancel(**SLOW)
    run = batch_of(PROVIDERS[3], client).run()
    until(lambda: is_created(run))
    with pytest.raises(ServerError, match="No cancelling today"):
        run.cancel(wait=False)
    until(lambda: client.told > 2)
    assert "cancelling fails: " in run.status().batches[0]["why_waiting"]
    client.fails = False
    assert run.wait(20)
    assert run.status().cancelled == 10


def test_a_cancel_that_could_not_be_told_is_told_by_the_next_run(tmp_path: Path) -> None:
    client, state = WithoutCancel(**SLOW), tmp_path / "state.jsonl"
    run = batch_of(PROVIDERS[3], client, state_file=state).run()
    until(lambda: is_created(run))
    with pytest.raises(ServerError):
        run.cancel(wait=False)
    run.shutdown(wait_for_active=False)
    client.fails = False
    later = batch_of(PROVIDERS[3], client, state_file=state).run()
    assert later.wait(20)
    assert later.status().cancelled == 10


class CreatingSlowly(WithoutCancel):
    """Takes a batch at once, and tells its id late."""

    def __init__(self, *given: Any, **settings: Any) -> None:
        super().__init__(*given, **settings)
        self.is_creating, self.goes_on = threading.Event(), threading.Event()

    async def create(self, *given: Any) -> str:
        remote_id = await super().create(*given)
        self.is_creating.set()
        await asyncio.to_thread(self.goes_on.wait, 20)
        return remote_id


def test_a_cancel_while_a_create_is_on_its_way_is_tried_until_it_is_told() -> None:
    client = CreatingSlowly(**SLOW)
    run = batch_of(PROVIDERS[3], client).run()
    assert client.is_creating.wait(20)
    run.cancel(wait=False)
    client.goes_on.set()
    until(lambda: client.told > 1)
    client.fails = False
    assert run.wait(20)
    assert run.status().cancelled == 10


def test_each_result_is_a_file(simulator: Simulator, tmp_path: Path) -> None:
    provider, folder = PROVIDERS[0], tmp_path / "out"
    folder.mkdir()
    (folder / "mine.txt").write_text("stays")
    client = client_of(provider, simulator)
    run = batch_of(provider, client, 3, results_dir=folder).run(wait=True)
    written = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert {each["job_id"] for each in written} == set(run.results())
    assert (folder / "mine.txt").read_text() == "stays"


def test_a_file_of_a_result_that_cannot_be_written_is_told_of_once_all_is_collected(
    simulator: Simulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    provider, folder = PROVIDERS[0], tmp_path / "out"
    (folder / "a.json").mkdir(parents=True)
    client = client_of(provider, simulator)
    settings = {"state_file": tmp_path / "state.jsonl", "results_dir": folder}

    def batch() -> Batch:
        made = batch_of(provider, client, 0, items_per_batch=1, max_concurrent=1, **settings)
        for name in ("a", "b", "c"):
            made.add_job(name, prompt=name)
        return made

    says = r"results_dir: '.*a\.json' could not be written .* sends nothing twice"
    for _ in range(2):  # the second finds it missing yet, and has nothing to send
        run = batch().run()
        with pytest.raises(ConfigurationError, match=says):
            run.wait(30)
        assert run.status().succeeded == 3
        assert {name: each.response for name, each in run.results().items()} == {
            "a": "a",
            "b": "b",
            "c": "c",
        }
        assert {path.name for path in folder.iterdir()} == {"a.json", "b.json", "c.json"}
    assert caplog.text.count("a.json cannot be written") == 2
    (folder / "a.json").rmdir()
    batch().run(wait=True)
    assert json.loads((folder / "a.json").read_text())["response"] == "a"
    check_books(simulator, 3)


def test_without_a_state_file_results_whose_files_cannot_be_written_are_kept(
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    provider, folder = PROVIDERS[0], tmp_path / "out"
    batch = batch_of(provider, client_of(provider, simulator), 0, results_dir=folder)
    batch.add_job("a", prompt="a").add_job("b", prompt="b")
    (folder / "a.json").mkdir(parents=True)
    (folder / "b.json").mkdir()
    with pytest.raises(ConfigurationError, match="nor 1 more beside it"):
        batch.run(wait=True)
    gc.collect()
    (state,) = tmp_path.glob("batch-llm-*/*.jsonl")
    assert f"Batch(state_file={str(state)!r}, results_dir=" in caplog.text
    for name in ("a", "b"):
        (folder / f"{name}.json").rmdir()
    Batch(state_file=state, results_dir=folder).run(wait=True)
    assert {path.name for path in folder.iterdir()} == {"a.json", "b.json"}


def test_progress_has_attributes_and_keys(simulator: Simulator) -> None:
    provider, seen = PROVIDERS[0], list[tuple[int, int]]()
    batch = batch_of(provider, client_of(provider, simulator))
    batch.on_progress(lambda stats: seen.append((stats.completed, stats["total"])))
    batch.run(wait=True)
    assert seen[-1] == (10, 10)


def test_changed_jobs_are_refused_by_name(simulator: Simulator, tmp_path: Path) -> None:
    provider, state = PROVIDERS[0], tmp_path / "state.jsonl"
    client = client_of(provider, simulator)
    batch_of(provider, client, 2, state_file=state).run(wait=True)
    changed = batch_of(provider, client, 0, state_file=state).add_job("Zeile 1 / é", prompt="other")
    with pytest.raises(StateMismatchError, match="Zeile 1"):
        changed.run()


@pytest.mark.parametrize("items_per_batch", [1, 3], ids=["not planned", "goes again"])
def test_a_file_that_changed_is_not_sent_and_holds_up_no_other(
    provider: Provider, simulator: Simulator, tmp_path: Path, items_per_batch: int
) -> None:
    client, state, file = client_of(provider, simulator), tmp_path / "state", tmp_path / "a.txt"
    settings = {"state_file": state, "items_per_batch": items_per_batch, "max_concurrent": 1}
    crashing: Any = CrashingClient(client, "intent")
    file.write_text("the first text")
    with pytest.raises(CrashError):
        batch_of(provider, crashing, 2, **settings).add_job("a", file=file, prompt="Sum up").run(
            wait=True
        )
    file.write_text("another text")
    results = batch_of(provider, client, 0, **settings).run(wait=True).results()
    assert not results["a"].is_success
    assert "'a'" in str(results["a"].error)
    assert "has changed" in str(results["a"].error)
    assert results["a"].cost_usd == 0
    assert [results[f"Zeile {n} / é"].is_success for n in range(2)] == [True, True]
    check_books(simulator, 2)


def test_a_file_that_changes_between_draft_and_upload_is_not_sent(
    simulator: Simulator, tmp_path: Path
) -> None:
    provider, file = PROVIDERS[0], tmp_path / "a.txt"
    file.write_text("the first text")

    class Changing(OpenAIBatchClient):
        async def upload(self, *args: Any) -> str | None:
            file.write_text("another text")
            return await super().upload(*args)

    client = Changing(base_url=simulator.openai_base_url, api_key=KEY, retries=AT_ONCE)
    batch = batch_of(provider, client, 2).add_job("a", file=file, prompt="Sum up")
    run = batch.run()
    assert run.wait(30), "the others wait for nothing"
    results = run.results()
    assert "has changed" in str(results["a"].error)
    assert results["a"].error_category == "input_error"
    assert sum(result.is_success for result in results.values()) == 2
    check_books(simulator, 2)


def test_a_model_of_no_provider_is_refused_at_once() -> None:
    with pytest.raises(JobError, match="openai:NAME") as refused:
        Batch().add_job("a", prompt="hello", model="unheard-of")
    assert (refused.value.job_id, refused.value.field) == ("a", "model")
    with pytest.raises(ConfigurationError, match="openai:NAME"):
        Batch().add_job(prompt="hello", model="nobodys:model").run()


def test_the_key_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY"):
        Batch().add_job(prompt="hello", model="claude-of-tomorrow").run(wait=True)


# -- programs of users


@pytest.fixture
def environment(simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("OPENAI_BASE_URL", simulator.openai_base_url)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", simulator.anthropic_base_url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setattr("batch_llm.batch.batch._POLL_SECONDS", 0.01)
    monkeypatch.chdir(tmp_path)
    return tmp_path


DOCUMENTS = Path(__file__).parents[2] / "examples" / "data" / "documents"

# As users write them, word for word but for the names of models.
SIMPLE = """
batch = (Batch(state_file="./", results_dir="./output", max_concurrent=10)
    .defaults(model="claude-haiku-4-5")
    .add_cost_limit(usd=15))

for file in files:
    batch.add_job(file=file, prompt="Summarize")

run = batch.run(wait=True)
print(run.status())
"""
ADVANCED = """
batch = (Batch(state_file="./", results_dir="./output", max_concurrent=10)
    .add_cost_limit(usd=5)
    .defaults(model="claude-haiku-4-5", temperature=0.7, max_tokens=500)
    .on_progress(lambda stats: print(f"Progress: {stats.completed}/{stats.total}"))
    .add_job(file="invoice.pdf", prompt="Extract data", response_model=Invoice)
    .add_job(messages=[{"role": "user", "content": "Hello"}], model="gpt-4o-mini"))

run = batch.run()
while not run.is_complete:
    run.status(print=True)
    time.sleep(5)

results = run.results()
"""


def test_the_simple_program(environment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [shutil.copy(path, environment) for path in sorted(DOCUMENTS.iterdir())]
    assert {Path(file).suffix for file in files} == {".pdf", ".txt"}
    names: dict[str, Any] = {"Batch": Batch, "files": files}
    exec(SIMPLE, names)
    assert "3/3 jobs ended (3 succeeded), 0 in flight, 0 pending, 0.00" in capsys.readouterr().out
    results = names["run"].results()
    assert names["run"].status()["succeeded"] == 3
    assert all("Summarize" in result.response for result in results.values())
    written = [json.loads(path.read_text()) for path in (environment / "output").iterdir()]
    assert {each["job_id"]: each["response"] for each in written} == {
        job_id: result.response for job_id, result in results.items()
    }
    assert (environment / "batch_state.jsonl").exists()


def test_the_advanced_program(
    environment: Path, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(DOCUMENTS / "invoice.pdf", environment)
    simulator.set_speed(1.0)
    naps = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        simulator.set_speed(10_000)  # the batches end only after the first look
        threading.Event().wait(0.01)

    clock = SimpleNamespace(sleep=sleep)
    names: dict[str, Any] = {"Batch": Batch, "Invoice": Invoice, "time": clock}
    exec(ADVANCED, names)
    answers = {result.response: result.parsed_response for result in names["results"].values()}
    assert answers.pop("Hello") is None
    assert [type(answer) for answer in answers.values()] == [Invoice]
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("0/2 jobs ended, ")
    assert sum("/2 jobs ended" in line for line in printed) == len(naps)
    assert set(naps) == {5}
    assert "Progress: 2/2" in printed
    billed = {record.model for record in simulator.books.records if record.executed}
    assert billed == {"claude-haiku-4-5", "gpt-4o-mini"}
    assert names["run"].status().cost_usd == pytest.approx(simulator.books.totals().usd)


# -- signals

PROGRAM = """
import sys
from batch_llm.batch import Batch, BatchRun
batch = Batch(state_file=sys.argv[1], items_per_batch=2, max_concurrent=1)
batch.defaults(model="claude-haiku-4-5")
for n in range(10):
    batch.add_job(f"Zeile {n} / é", prompt=f"question {n}")
def told(status):
    if any(each["state"] == "created" for each in status.batches):
        print("created", flush=True)
run = batch.run()
run.set_on_progress(told, 0.05)
run.wait()
print("ended:", run.status().stopped_because, flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_two_signals_leave_at_once_and_lose_nothing(
    environment: Path, simulator: Simulator, number: signal.Signals
) -> None:
    state = environment / "state.jsonl"
    command = [sys.executable, "-c", PROGRAM, str(state)]
    simulator.set_speed(1.0)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"created\n"
        process.send_signal(number)
        assert b"second signal" in process.stderr.readline()
        process.send_signal(number)
        process.communicate()
    assert process.returncode in (-signal.SIGINT, 128 + number)
    simulator.set_speed(10_000)
    provider = PROVIDERS[1]
    settings = {"state_file": state, "items_per_batch": 2}
    run = batch_of(provider, client_of(provider, simulator), **settings).run(wait=True)
    assert run.status().succeeded == 10
    check_books(simulator, 10)


def test_mixed_outcomes_are_told_apart(provider: Provider, simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind=FaultKind.STATUS, lane="batch", prompt_contains="question 1"))
    simulator.add_fault(Fault(kind=FaultKind.LENGTH, lane="batch", prompt_contains="question 2"))
    simulator.add_fault(Fault(kind=FaultKind.BATCH_SHUFFLED))
    run = batch_of(provider, client_of(provider, simulator), 50).run(wait=True)
    results = run.results()
    failed = {job_id for job_id, result in results.items() if result.outcome == "failed"}
    cut = {job_id for job_id, result in results.items() if result.is_truncated}
    assert failed == {f"Zeile {n} / é" for n in (1, *range(10, 20))}
    assert cut == {f"Zeile {n} / é" for n in (2, *range(20, 30))}
    assert all(results[job_id].error for job_id in failed)
    assert results["Zeile 33 / é"].response == "question 33"


def test_a_failing_poll_fails_no_batch(provider: Provider, simulator: Simulator) -> None:
    retrieve = "batches.get" if provider.name == "gemini" else "batches.retrieve"
    simulator.add_fault(Fault(kind=FaultKind.STATUS, status=400, operation=retrieve, times=3))
    run = batch_of(provider, client_of(provider, simulator)).run(wait=True)
    assert run.status().succeeded == 10
    check_books(simulator, 10)


def test_a_create_that_is_bad_for_good_fails_its_jobs(
    provider: Provider, simulator: Simulator
) -> None:
    simulator.add_fault(Fault(kind=FaultKind.STATUS, status=400, operation="batches.create"))
    run = batch_of(provider, client_of(provider, simulator)).run(wait=True)
    results = run.results()
    assert {result.error_category for result in results.values()} == {"submission_refused"}
    assert run.status().cost_usd == 0
    assert run.status().reserved_usd == 0


def test_a_refused_key_ends_the_run_and_its_jobs_wait_for_a_better_one(
    provider: Provider, simulator: Simulator, tmp_path: Path
) -> None:
    client, state = client_of(provider, simulator), tmp_path / "state.jsonl"
    simulator.add_fault(
        Fault(kind=FaultKind.STATUS, status=401, operation="batches.create", times=1)
    )
    with pytest.raises(AuthenticationError, match="refuses the key"):
        batch_of(provider, client, state_file=state).run(wait=True)
    later = batch_of(provider, client_of(provider, simulator), state_file=state).run(wait=True)
    assert later.status().succeeded == 10
    check_books(simulator, 10)


@pytest.mark.parametrize("provider", PROVIDERS[:3], ids=lambda provider: provider.name)
def test_a_wrong_key_fails_no_job(provider: Provider, simulator: Simulator, tmp_path: Path) -> None:
    state, wrong = tmp_path / "state.jsonl", client_of(provider, simulator, key="wrong-1")
    with pytest.raises(AuthenticationError, match="refuses the key"):
        batch_of(provider, wrong, state_file=state).run(wait=True)
    later = batch_of(provider, client_of(provider, simulator), state_file=state).run(wait=True)
    assert later.status().succeeded == 10
    check_books(simulator, 10)


def test_a_time_limit_ends_the_run_and_a_later_one_goes_on(
    provider: Provider, simulator: Simulator, tmp_path: Path
) -> None:
    client, state = client_of(provider, simulator), tmp_path / "state.jsonl"
    simulator.set_speed(1.0)
    run = batch_of(provider, client, state_file=state).run(wait=True, time_limit_seconds=0.2)
    assert "time limit" in (run.status().stopped_because or "")
    simulator.set_speed(10_000)
    later = batch_of(provider, client, state_file=state).run(wait=True)
    assert later.status().succeeded == 10
    check_books(simulator, 10)


def test_a_killed_process_loses_nothing(environment: Path, simulator: Simulator) -> None:
    state = environment / "state.jsonl"
    command = [sys.executable, "-c", PROGRAM, str(state)]
    simulator.set_speed(1.0)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"created\n"
        process.kill()
    simulator.set_speed(10_000)
    client = client_of(PROVIDERS[1], simulator)
    run = batch_of(PROVIDERS[1], client, state_file=state, items_per_batch=2).run(wait=True)
    assert run.status().succeeded == 10
    check_books(simulator, 10)


def test_what_is_refused_for_tokens_goes_again(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("batch_llm.batch.chunks.plan._FIRST_WAIT_SECONDS", 0.05)
    simulator.set_limits([Limit(provider="openai", enqueued_tokens=50)])
    provider, state = PROVIDERS[0], tmp_path / "state.jsonl"
    client = client_of(provider, simulator)
    batch = batch_of(provider, client, items_per_batch=5, state_file=state)
    simulator.set_speed(100)  # the first is under way until the second was refused
    refused = threading.Event()
    run = BatchRun(batch.jobs, batch.params, clients={"openai": client})
    run.set_on_progress(lambda status: status.waiting and refused.set(), 0.001).start()
    assert refused.wait(30)
    simulator.set_speed(10_000)
    assert run.wait()
    assert run.status().succeeded == 10
    assert "enqueued" in state.read_text()
    check_books(simulator, 10)


@pytest.mark.parametrize("order", ["shutdown", "cancel", "wait"])
def test_a_callback_may_stop_its_run(order: str, simulator: Simulator) -> None:
    simulator.set_speed(1.0)  # no batch ends by itself
    run = batch_of(PROVIDERS[0], client_of(PROVIDERS[0], simulator))._as_run(None, None, None)
    faults = list[Exception]()

    def stop(status: RunStatus) -> None:
        if status.batches and status.batches[0]["state"] == "created":
            try:
                getattr(run, order)()
            except ConfigurationError as error:
                faults.append(error)
                run.shutdown(wait_for_active=False)
            simulator.set_speed(10_000)

    run.set_on_progress(stop, 0.01).start()
    assert run.wait(30)
    assert bool(faults) is (order == "wait")


async def test_a_run_may_be_stopped_on_its_own_loop(simulator: Simulator) -> None:
    simulator.set_speed(1.0)
    run = batch_of(PROVIDERS[0], client_of(PROVIDERS[0], simulator))._as_run(None, None, None)
    running = asyncio.create_task(run.arun())
    while "not started" in repr(run) or not any(
        each["state"] == "created" for each in run.status().batches
    ):
        await asyncio.sleep(0.01)
    run.shutdown(wait_for_active=False)
    await asyncio.wait_for(running, 30)
    assert run.status().stopped_because == "it was shut down"


def test_results_are_read_while_failed_jobs_are_tried_again(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_FAILED, times=1))
    run = batch_of(PROVIDERS[0], client_of(PROVIDERS[0], simulator)).run(wait=True)
    assert run.status().failed == 10
    reads, is_over = list[int](), threading.Event()

    def read() -> None:
        while not is_over.is_set():
            reads.append(len(run.results()))

    reader = threading.Thread(target=read)
    reader.start()
    run.retry_failed().wait()
    is_over.set()
    reader.join()
    assert len(run.results()) == 10
    assert reads


@pytest.mark.parametrize("reuse_state", [True, False])
def test_a_cancel_reaches_batches_that_a_run_has_left(
    reuse_state: bool, simulator: Simulator, tmp_path: Path
) -> None:
    simulator.set_speed(1.0)
    settings = {"state_file": tmp_path / "state.jsonl", "reuse_state": reuse_state}
    run = batch_of(PROVIDERS[0], client_of(PROVIDERS[0], simulator), **settings).run()
    until(lambda: is_created(run))
    run.shutdown(wait_for_active=False)
    run.cancel(wait=False)
    simulator.set_speed(10_000)
    assert run.wait(30)
    assert run.status().cancelled == 10


@pytest.mark.parametrize("limit", ["soon", -1, float("nan")])
def test_a_time_limit_that_is_none_is_refused(limit: Any) -> None:
    batch = batch_of(PROVIDERS[3], MockBatchClient())
    with pytest.raises(ConfigurationError, match="time_limit_seconds"):
        batch.run(time_limit_seconds=limit)
