"""Runs in which one chunk meets what nobody has foreseen."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from batch_llm.batch import Batch
from batch_llm.batch.state.journal import open_journal
from batch_llm.exceptions import StateError
from batch_llm.providers import MockBatchClient

if TYPE_CHECKING:
    from pathlib import Path

    from batch_llm.providers.chunk import Chunk, Intent
    from batch_llm.wire.batch_item import BatchRequestLine
    from batch_llm.wire.custom_ids import CustomIds
    from batch_llm.wire.remote_status import RemoteStatus


class Defective(MockBatchClient):
    """Fails at one of its steps as no client should, once another has its batch."""

    def __init__(self, step: str, error: Exception, other: MockBatchClient) -> None:
        super().__init__()
        self.step, self.error, self.other = step, error, other

    def encode(self, line: BatchRequestLine, custom_ids: CustomIds, endpoint: str) -> bytes:
        self._meet("encode")
        return super().encode(line, custom_ids, endpoint)

    async def upload(self, chunk: Chunk, intent: Intent) -> str | None:
        await asyncio.to_thread(self._meet, "upload")
        return await super().upload(chunk, intent)

    async def poll(self, remote_id: str) -> RemoteStatus:
        await asyncio.to_thread(self._meet, "poll")
        return await super().poll(remote_id)

    def _meet(self, step: str) -> None:
        if step == self.step:
            while not self.other.batches:
                time.sleep(0.001)
            raise self.error


def batch_of(state: Path, slow: MockBatchClient, defective: MockBatchClient) -> Batch:
    """Return a batch whose first two chunks are the slow client's."""
    clients = {"slow": slow, "defective": defective}
    batch = Batch(
        state, clients=clients, items_per_batch=1, max_concurrent=5, poll_interval_seconds=0.01
    )
    for n in range(2):
        batch.add_job(f"slow {n}", model="slow:m", prompt="?", max_tokens=9)
    for n in range(4):
        batch.add_job(f"defective {n}", model="defective:m", prompt="?", max_tokens=9)
    return batch


@pytest.mark.parametrize("step", ["encode", "upload", "poll"])
def test_a_defect_ends_the_run_once_the_others_have_ended(step: str, tmp_path: Path) -> None:
    slow = MockBatchClient(delays=lambda _: 0.5)
    defective, state = Defective(step, TypeError("a defect"), slow), tmp_path / "state.jsonl"
    with pytest.raises(TypeError, match="a defect"):
        batch_of(state, slow, defective).run(wait=True)
    with open_journal(state) as journal:
        assert "slow 0" in journal.state.ended_ids("succeeded")
    assert len(defective.batches) < 4, "nothing more was submitted"
    defective.step = ""
    later = batch_of(state, slow, defective).run(wait=True)
    assert later.status().succeeded == 6
    assert len(defective.batches) == 4


def test_a_state_that_cannot_be_written_ends_the_run_at_once(tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    error = StateError("The disk is full.", state, "full")
    slow, start = MockBatchClient(delays=lambda _: 3_600.0), time.monotonic()
    with pytest.raises(StateError, match="full"):
        batch_of(state, slow, Defective("poll", error, slow)).run(wait=True)
    assert time.monotonic() - start < 60
