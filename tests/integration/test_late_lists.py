"""Batches that their provider lists only after they are believed not to be there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.batch import Batch
from batch_llm.exceptions import ServerError
from batch_llm.providers import MockBatchClient, Retries
from batch_llm.providers.orphan import NotFound

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from batch_llm.batch import BatchRun
    from batch_llm.providers.chunk import Intent
    from batch_llm.providers.orphan import Orphan
    from batch_llm.wire.remote_status import RemoteStatus


class LateList(MockBatchClient):
    """Takes a batch without saying so, and lists it once there are two, or the second has ended."""

    def __init__(self, *, lists_at_the_end: bool = False) -> None:
        super().__init__(delays=lambda _: 0.2)
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
    given = {"poll_interval_seconds": 0.01, "orphan_grace_seconds": 0.03, **settings}
    batch = Batch(clients={"mock": client}, **given).defaults(model="mock:m", max_tokens=9)
    for n in range(3):
        batch.add_job(f"job {n}", prompt=f"question {n}")
    return batch.run(wait=True)


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
