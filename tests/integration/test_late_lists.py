"""Batches that their provider lists only after they are believed not to be there."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm import OpenAICompatibleStrategy
from batch_llm.batch import Batch
from batch_llm.exceptions import InvalidRequestError, ServerError, SubmissionError
from batch_llm.providers import MockBatchClient, Retries
from batch_llm.providers.base import always
from batch_llm.providers.connection import submission_error
from batch_llm.providers.orphan import NotFound
from batch_llm.wire.remote_status import TOKEN_LIMIT_EXCEEDED, RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from batch_llm.batch import BatchRun
    from batch_llm.providers.chunk import Chunk, Intent
    from batch_llm.providers.orphan import Orphan
    from batch_llm.wire.remote_status import RemoteStatus

SILENCE = ServerError("The provider answered 503.", status_code=503)


class LateList(MockBatchClient):
    """Takes a batch without saying so, and lists it once there are two, or the second has ended."""

    def __init__(self, *, lists_at_the_end: bool = False, **settings: Any) -> None:
        super().__init__(delays=lambda _: 0.2, **settings)
        self.lists_at_the_end = lists_at_the_end
        self.has_ended = False
        self.cancelled: list[str] = []
        self.fail("create", ServerError("The provider answered 503.", status_code=503), after=True)

    async def find_orphan(
        self, intent: Intent, known_ids: Collection[str], *, handle: str | None = None
    ) -> Orphan:
        if len(self.batches) < 2 or (self.lists_at_the_end and not self.has_ended):
            return NotFound()
        return await super().find_orphan(intent, known_ids, handle=handle)

    async def poll(self, remote_id: str) -> RemoteStatus:
        status = await super().poll(remote_id)
        self.has_ended = self.has_ended or status.has_ended
        return status

    async def cancel(self, remote_id: str) -> RemoteStatus:
        self.cancelled.append(remote_id)
        return await super().cancel(remote_id)


def run_of(client: MockBatchClient, **settings: Any) -> BatchRun:
    return batch_of(client, **settings).run(wait=True)


def batch_of(client: MockBatchClient, **settings: Any) -> Batch:
    given = {"poll_interval_seconds": 0.01, "orphan_grace_seconds": 0.03, **settings}
    batch = Batch(clients={"mock": client}, **given).defaults(model="mock:m", max_tokens=9)
    for n in range(3):
        batch.add_job(f"job {n}", prompt=f"question {n}")
    return batch


def _refusal() -> SubmissionError:
    error = InvalidRequestError("A line is bad.", status_code=400)
    return submission_error(error)


@pytest.mark.parametrize("lists_at_the_end", [False, True])
def test_a_batch_that_is_listed_too_late_is_cancelled_and_named(
    lists_at_the_end: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client, state = LateList(lists_at_the_end=lists_at_the_end), tmp_path / "state.jsonl"
    run = run_of(client, state_file=state)
    first, second = client.batches
    assert run.status().succeeded == 3
    assert {result.batch_id for result in run.results().values()} == {second}
    assert client.cancelled == [first]
    if not lists_at_the_end:
        assert not client.batches[first].answers, "it was stopped before it ran"
    (said,) = (each for each in caplog.messages if "orphan_grace_seconds" in each)
    assert f"the provider has listed the batch {first} so late" in said
    assert f"the batch {first} so late" in state.read_text()


def test_a_create_that_nobody_saw_the_end_of_is_told_to_the_user(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = MockBatchClient()
    client.fail("create", ServerError("The provider answered 503.", status_code=503), after=True)
    assert run_of(client).status().succeeded == 3
    (said,) = caplog.messages
    assert said == (
        "mock, the batch of 3 jobs from 'job 0' on: The batch could not be created. The provider "
        "answered 503. Whether the provider has taken it is not known. It is looked for there, and "
        "sent again only where it is not found."
    )


def test_a_failing_poll_names_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    client = MockBatchClient(retries=Retries(attempts=1))
    client.fail("poll", ServerError("The provider answered 500.", status_code=500), times=6)
    assert run_of(client).status().succeeded == 3
    (remote_id,) = client.batches
    (said,) = caplog.messages
    assert said == (
        f"mock, batch {remote_id} (3 jobs): polling fails: The provider answered 500. It is tried "
        f"again."
    )


class Unheard(MockBatchClient):
    """Takes batches without saying so, as often as asked, and lists none before `lists`."""

    def __init__(self, lost: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.lists = False
        self.creates = 0
        self.refusals: list[Exception] = []
        self.cancelled: list[str] = []
        self.fail("create", SILENCE, after=True, times=lost)

    async def create(
        self,
        chunk: Chunk,
        handle: str | None,
        intent: Intent,
        may_send: Callable[[], bool] = always,
    ) -> str:
        self.creates += 1
        if self.creates > 1 and self.refusals:
            raise self.refusals.pop()
        return await super().create(chunk, handle, intent, may_send)

    async def find_orphan(
        self, intent: Intent, known_ids: Collection[str], *, handle: str | None = None
    ) -> Orphan:
        if not self.lists:
            return NotFound()
        return await super().find_orphan(intent, known_ids, handle=handle)

    async def cancel(self, remote_id: str) -> RemoteStatus:
        self.cancelled.append(remote_id)
        return await super().cancel(remote_id)


def test_what_is_never_answered_is_sent_three_times_and_then_held(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client, state = Unheard(99), tmp_path / "state.jsonl"
    status = run_of(client, state_file=state).status()
    assert (client.creates, status.pending) == (3, 3)
    assert status.stopped_because is not None
    assert "sent a batch 3 times without an answer that names it" in status.stopped_because
    assert "(2 more are named in the state file)" in status.stopped_because
    asked = [each for each in caplog.messages if "is not known" in each]
    assert [each.partition("not found.")[2] for each in asked] == [
        "",
        " 1 of its creates ended so before.",
        " 2 of its creates ended so before.",
    ]
    may_run = [
        each for each in caplog.messages if each.startswith("mock may run a batch of 3 jobs")
    ]
    assert len(set(may_run)) == 3, "each is named by its mark"


def test_a_later_run_adopts_what_is_listed_by_then(tmp_path: Path) -> None:
    client, state = Unheard(99), tmp_path / "state.jsonl"
    run_of(client, state_file=state)
    client.lists = True
    run = run_of(client, state_file=state)
    assert (client.creates, run.status().succeeded) == (3, 3)
    (taken,) = {result.batch_id for result in run.results().values()}
    assert {taken, *client.cancelled} == set(client.batches)


def test_what_is_listed_while_its_jobs_wait_is_adopted(tmp_path: Path) -> None:
    client = Unheard(2, delays=lambda _: 0.05)
    batch = batch_of(client, orphan_grace_seconds=0.4, state_file=tmp_path / "state.jsonl")
    run = batch.run()
    until = time.monotonic() + 20
    while "has not said whether" not in str(run.status()):
        assert time.monotonic() < until
        time.sleep(0.01)
    client.lists = True
    run.wait()
    assert (client.creates, run.status().succeeded) == (2, 3)


def test_a_double_is_cancelled_until_that_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    client = LateList(retries=Retries(attempts=1))
    client.fail("cancel", SILENCE, times=2)
    assert run_of(client, orphan_grace_seconds=0.05).status().succeeded == 3
    first, _ = client.batches
    assert client.batches[first].cancelled_at is not None
    trouble, told = (each for each in caplog.messages if f"the batch {first} so late" in each)
    assert "Cancelling it fails, and is tried again: The provider answered 503" in trouble
    assert "It is cancelled; what it has run may be billed" in told


def test_a_double_is_looked_for_after_its_jobs_were_cut_anew() -> None:
    client = Unheard(1, delays=lambda _: 0.1)
    client.refusals = [_refusal()]
    batch = batch_of(client)
    run = batch.run()
    until = time.monotonic() + 20
    while client.creates < 3:
        assert time.monotonic() < until
        time.sleep(0.01)
    client.lists = True
    run.wait()
    assert run.status().succeeded == 3
    assert client.cancelled == [next(iter(client.batches))]


def test_what_may_run_yet_is_named_when_a_run_is_cancelled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client, state = Unheard(1, delays=lambda _: 5.0), tmp_path / "state.jsonl"
    run = batch_of(client, state_file=state).run()
    until = time.monotonic() + 20
    while len(client.batches) < 2:
        assert time.monotonic() < until
        time.sleep(0.01)
    run.cancel()
    run.wait()
    (said,) = (each for each in caplog.messages if "may run" in each)
    nonce = next(iter(client.batches.values())).nonce
    assert "a batch of 3 jobs from 'job 0' on whose create was never answered" in said
    assert f"its mark is {nonce}" in said
    assert said in state.read_text()


def test_a_double_that_cannot_be_cancelled_is_named_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = LateList(retries=Retries(attempts=1))
    client.fail("cancel", SILENCE, times=10_000)
    assert run_of(client).status().succeeded == 3
    assert not any("It is cancelled" in each for each in caplog.messages)
    assert f"mock may run the batch {next(iter(client.batches))} (3 jobs" in caplog.messages[-1]


def test_what_is_listed_by_the_deadline_is_adopted_and_not_called_live() -> None:
    client = Unheard(2)
    # Nobody looks in between: it is the deadline that does.
    batch = batch_of(client, orphan_grace_seconds=0.4, poll_interval_seconds=30)
    nobody = OpenAICompatibleStrategy("m", base_url="http://127.0.0.1:9/v1", api_key="any")
    run = batch.live_lane(strategies={"mock:m": nobody}).run(deadline=1.3)
    until = time.monotonic() + 20
    while "has not said whether" not in str(run.status()):
        assert time.monotonic() < until
        time.sleep(0.01)
    client.lists = True
    run.wait()
    assert (client.creates, run.status().succeeded) == (2, 3)
    assert {result.lane for result in run.results().values()} == {"batch"}


class HangingList(Unheard):
    """Its list of batches hangs from the second look on."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(1, **settings)
        self.looks = 0

    async def find_orphan(
        self, intent: Intent, known_ids: Collection[str], *, handle: str | None = None
    ) -> Orphan:
        self.looks += 1
        if self.creates > 1:
            await asyncio.Event().wait()
        return await super().find_orphan(intent, known_ids, handle=handle)


@pytest.mark.parametrize("ends", ["shutdown", "time limit"])
def test_who_leaves_waits_for_no_list_that_hangs(
    ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch_llm.batch.chunks.doubles._LAST_LOOK_SECONDS", 10_000.0)
    client = HangingList(delays=lambda _: 0.05)
    batch = batch_of(client, poll_interval_seconds=0.01)
    run = batch.run(time_limit_seconds=1.0) if ends == "time limit" else batch.run()
    until = time.monotonic() + 20
    while run.status().succeeded < 3:
        assert time.monotonic() < until
        time.sleep(0.01)
    if ends == "shutdown":
        run.shutdown(wait_for_active=False)
    run.wait()
    assert client.looks > 1
    assert run.status().succeeded == 3


class SlowToCancel(LateList):
    """While it cancels the late batch, it refuses the present one, and says nothing of the next."""

    refuses = False

    async def cancel(self, remote_id: str) -> RemoteStatus:
        if not self.cancelled:
            self.fail("create", SILENCE, times=1)
            self.refuses = True
            self.cancelled.append(remote_id)
            await asyncio.sleep(1.0)
            return await MockBatchClient.cancel(self, remote_id)
        return await super().cancel(remote_id)

    async def poll(self, remote_id: str) -> RemoteStatus:
        status = await super().poll(remote_id)
        if not self.refuses or status.has_ended:
            return status
        self.refuses = False
        error = RemoteError("too many tokens", TOKEN_LIMIT_EXCEEDED)
        return replace(status, state="ended", ended_as="failed", error=error)


def test_a_batch_that_is_being_cancelled_is_adopted_by_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("batch_llm.batch.chunks.plan._FIRST_WAIT_SECONDS", 0.05)
    client = SlowToCancel()
    run = run_of(client)
    assert run.status().succeeded == 3
    (late,) = client.cancelled
    assert late not in {result.batch_id for result in run.results().values()}
