"""Remote batches that are refused for the fault of one job among others."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.simulated_batches import batch_of, told_apart

from batch_llm.batch import Batch
from batch_llm.batch.state.journal import Journal
from batch_llm.exceptions import (
    AuthenticationError,
    InvalidRequestError,
    ProviderError,
    StateError,
)
from batch_llm.providers import MockBatchClient, openai
from batch_llm.providers.base import always
from batch_llm.providers.connection import submission_error
from batch_llm.testing.simulator import Simulator
from batch_llm.wire.openai_batch import encode_lines
from batch_llm.wire.remote_status import RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from batch_llm.batch import BatchRun
    from batch_llm.providers.chunk import Chunk, Intent

REFUSAL = InvalidRequestError("The provider answered 400: bad", status_code=400)


class Picky(MockBatchClient):
    """Refuses each batch that a bad job is in, when it is created or once it is checked."""

    def __init__(
        self, *bad: str, error: ProviderError = REFUSAL, checks_late: bool = False
    ) -> None:
        super().__init__()
        self.bad, self.error, self.checks_late = set(bad), error, checks_late
        self.creates: list[list[str]] = []

    async def create(
        self,
        chunk: Chunk,
        handle: str | None,
        intent: Intent,
        may_send: Callable[[], bool] = always,
    ) -> str:
        job_ids = list(intent.job_ids)
        self.creates.append(job_ids)
        is_bad = not self.bad.isdisjoint(job_ids)
        if is_bad and not self.checks_late:
            raise submission_error(self.error) from self.error
        self.batch_error = self.told(job_ids) if is_bad else None
        return await super().create(chunk, handle, intent, may_send)

    def told(self, job_ids: list[str]) -> RemoteError:
        return RemoteError("The file is wrong.", "invalid_file", is_refusal=True)

    @property
    def executed(self) -> list[str]:
        return [job_id for batch in self.batches.values() for job_id in batch.answers]


class NamingLines(Picky):
    """Names the bad jobs, up to two at a time."""

    def told(self, job_ids: list[str]) -> RemoteError:
        bad = [place for place, job_id in enumerate(job_ids) if job_id in self.bad][:2]
        lines = {place: f"What {job_ids[place]} asks is wrong." for place in bad}
        return RemoteError(f"Line {bad[0] + 1}: Wrong.", None, is_refusal=True, lines=lines)


def run_of(client: MockBatchClient, jobs: int, **settings: Any) -> BatchRun:
    given = {"poll_interval_seconds": 0.001, "orphan_grace_seconds": 0.01, **settings}
    batch = Batch(clients={"mock": client}, **given).defaults(model="mock:m", max_tokens=9)
    for n in range(jobs):
        batch.add_job(f"job {n}", prompt=f"question {n}")
    return batch.run(wait=True)


def check_others_succeeded(run: BatchRun, client: Picky, jobs: int) -> None:
    every = {f"job {n}" for n in range(jobs)}
    assert told_apart(run) == {"failed": client.bad, "succeeded": every - client.bad}
    results = run.results()
    assert {results[job_id].error_category for job_id in client.bad} == {"submission_refused"}
    assert sorted(client.executed) == sorted(every - client.bad)
    assert run.status().reserved_usd == 0


@pytest.mark.parametrize("max_concurrent", [1, 10])
@pytest.mark.parametrize("checks_late", [False, True], ids=["created", "checked"])
@pytest.mark.parametrize("bad", ["job 0", "job 37", "job 63"])
def test_a_job_that_is_refused_fails_no_other(
    bad: str, checks_late: bool, max_concurrent: int
) -> None:
    client = Picky(bad, checks_late=checks_late)
    run = run_of(client, 64, max_concurrent=max_concurrent)
    check_others_succeeded(run, client, 64)
    assert "together" not in str(run.results()[bad].error)
    assert len(client.creates) <= 2 * 6 + 3


@pytest.mark.parametrize("checks_late", [False, True], ids=["created", "checked"])
def test_several_jobs_that_are_refused_fail_no_other(checks_late: bool) -> None:
    client = Picky("job 3", "job 40", "job 41", "job 99", checks_late=checks_late)
    check_others_succeeded(run_of(client, 100), client, 100)
    assert len(client.creates) < 50


@pytest.mark.parametrize("max_concurrent", [1, 10])
@pytest.mark.parametrize("checks_late", [False, True], ids=["created", "checked"])
@pytest.mark.parametrize(
    "bad",
    [
        range(0, 200, 7),
        range(15),
        range(105),
        range(95, 200),
        random.Random(1).sample(range(200), 30),
    ],
    ids=["each seventh", "the first", "the first half", "the last half", "by chance"],
)
def test_many_jobs_that_are_refused_fail_no_other(
    bad: Iterable[int], checks_late: bool, max_concurrent: int
) -> None:
    client = Picky(*(f"job {n}" for n in bad), checks_late=checks_late)
    run = run_of(client, 200, max_concurrent=max_concurrent)
    check_others_succeeded(run, client, 200)


@pytest.mark.parametrize("max_concurrent", [1, 10])
def test_the_jobs_of_one_batch_fail_none_of_another(max_concurrent: int) -> None:
    client = Picky(*(f"job {n}" for n in range(102)))
    run = run_of(client, 500, items_per_batch=100, max_concurrent=max_concurrent)
    check_others_succeeded(run, client, 500)


@pytest.mark.parametrize("max_concurrent", [1, 10])
def test_sixty_of_thousands_of_jobs_fail_no_other(max_concurrent: int) -> None:
    bad = random.Random(2).sample(range(3_000), 60)
    client = Picky(*(f"job {n}" for n in bad))
    check_others_succeeded(run_of(client, 3_000, max_concurrent=max_concurrent), client, 3_000)


@pytest.mark.parametrize("max_concurrent", [1, 10])
def test_many_jobs_that_the_provider_names_fail_no_other(max_concurrent: int) -> None:
    client = NamingLines(*(f"job {n}" for n in range(0, 1_000, 20)), checks_late=True)
    check_others_succeeded(run_of(client, 1_000, max_concurrent=max_concurrent), client, 1_000)


def test_halving_ends_after_hundreds_of_refusals() -> None:
    client = Picky(*(f"job {n}" for n in range(0, 3_000, 2)))
    run = run_of(client, 3_000)
    assert run.status().is_complete
    assert set(told_apart(run)["failed"]) > client.bad
    assert 500 < len(client.creates) <= 3 * 501


def test_jobs_that_the_provider_names_fail_alone_and_the_others_go_on_together() -> None:
    client = NamingLines("job 3", "job 40", "job 99", checks_late=True)
    run = run_of(client, 100)
    check_others_succeeded(run, client, 100)
    assert run.results()["job 40"].error == "What job 40 asks is wrong."
    assert [len(job_ids) for job_ids in client.creates] == [100, 98, 97]


@pytest.mark.parametrize("kind", [Picky, NamingLines])
@pytest.mark.parametrize("checks_late", [False, True], ids=["created", "checked"])
def test_where_all_is_refused_no_thousand_batches_are_created(
    kind: type[Picky], checks_late: bool
) -> None:
    client = kind(*(f"job {n}" for n in range(1_000)), checks_late=checks_late)
    run = run_of(client, 1_000, items_per_batch=200)
    assert run.status().failed == 1_000
    assert len(client.creates) <= 5 * 22
    reasons = [str(result.error) for result in run.results().values()]
    assert any("(said of " in reason for reason in reasons)
    assert run.status().reserved_usd == 0


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError("404: no such model", status_code=404),
        InvalidRequestError("405", status_code=405),
        InvalidRequestError("400: no such model", status_code=400, code="model_not_found"),
    ],
    ids=str,
)
def test_what_is_wrong_with_all_jobs_is_asked_once(error: ProviderError) -> None:
    client = Picky("job 5", error=error)
    run = run_of(client, 20)
    assert run.status().failed == 20
    assert len(client.creates) == 1


def test_a_batch_that_fails_for_want_of_credit_waits_for_it(tmp_path: Path) -> None:
    class Poor(Picky):
        def told(self, job_ids: list[str]) -> RemoteError:
            code = "billing_hard_limit_reached"
            return RemoteError("Billing hard limit has been reached.", code, is_refusal=True)

    client, state = Poor("job 1", checks_late=True), tmp_path / "state.jsonl"
    with pytest.raises(AuthenticationError, match="no credit left, and its jobs wait"):
        run_of(client, 4, state_file=state)
    client.bad.clear()
    assert run_of(client, 4, state_file=state).status().succeeded == 4


@pytest.mark.parametrize("kind", [Picky, NamingLines])
@pytest.mark.parametrize("checks_late", [False, True], ids=["created", "checked"])
def test_a_run_that_is_killed_between_any_two_events_goes_on(
    kind: type[Picky], checks_late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, left = Journal._write, [0]

    def write_until_killed(journal: Journal, events: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise StateError("killed", journal.path, "killed")
        write(journal, events)

    monkeypatch.setattr(Journal, "_write", write_until_killed)
    for writes in range(2, 500):
        client, state = kind("job 2", checks_late=checks_late), tmp_path / f"{writes}.jsonl"
        left[0] = writes
        try:
            run = run_of(client, 5, state_file=state)
        except StateError:
            left[0] = 1_000_000
            run = run_of(client, 5, state_file=state)
            check_others_succeeded(run, client, 5)
        else:
            check_others_succeeded(run, client, 5)
            return
    pytest.fail("it never came to its end")


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=12, speed=10_000) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator) -> Iterator[Simulator]:
    running.reset()
    yield running
    assert running.broken == 0, "the simulator met a defect of its own; see its log"


def test_openai_names_the_line_that_is_wrong(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def encode_badly(*given: Any, **options: Any) -> Iterator[bytes]:
        for line in encode_lines(*given, **options):
            told = json.loads(line)
            if told["custom_id"] == "job 7":
                told["method"] = "GET"
            yield json.dumps(told).encode() + b"\n"

    monkeypatch.setattr(openai, "encode_lines", encode_badly)
    run = batch_of("openai", simulator).run(wait=True)
    others = {f"job {n}" for n in range(10) if n != 7}
    assert told_apart(run) == {"failed": {"job 7"}, "succeeded": others}
    assert len(simulator.books.select(executed=True)) == 9
    assert not simulator.books.repeated("prompt")
    assert run.results()["job 7"].error == "Invalid method: 'GET'. Only 'POST' is supported."
    assert len(simulator.books.creates("batch")) == 2
