"""How long the results of a batch of Anthropic's are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.testing.simulator import SimulatorSettings
from batch_llm.testing.simulator.anthropic.batch_job import BatchJob
from batch_llm.testing.simulator.batches import BatchRunner, RemoteBatch
from batch_llm.testing.simulator.world import World

if TYPE_CHECKING:
    from batch_llm.testing.simulator.anthropic.batch_input import BatchLine
    from batch_llm.testing.simulator.batches import DoneLine

CREATED_AT = 1_800_000_000.0
KEPT_SECONDS = 29 * 24 * 3_600
"""Source: the SDK's documentation, "results are available for 29 days"; from the creation on."""


async def _no_line(line: BatchLine) -> DoneLine:
    raise NotImplementedError


@pytest.fixture
def job() -> BatchJob:
    batch = RemoteBatch(
        id="msgbatch_1",
        provider="anthropic",
        key="k",
        model="claude-sonnet-5",
        created_at=CREATED_AT,
        expires_at=CREATED_AT + 24 * 3_600,
        subject=b"",
        state="completed",
    )
    return BatchJob(batch, BatchRunner(World(SimulatorSettings()), batch, [], _no_line))


@pytest.mark.parametrize(
    ("after_seconds", "archived"),
    [
        (0.0, False),
        (KEPT_SECONDS - 1.0, False),
        (KEPT_SECONDS - 0.001, False),
        (float(KEPT_SECONDS), True),
        (KEPT_SECONDS + 1.0, True),
    ],
)
def test_results_are_kept_for_29_days(job: BatchJob, after_seconds: float, archived: bool) -> None:
    now = CREATED_AT + after_seconds
    assert job.is_archived(now) == archived
    told: dict[str, Any] = job.encoded(now, "http://host/anthropic")
    address = "http://host/anthropic/v1/messages/batches/msgbatch_1/results"
    assert told["results_url"] == (None if archived else address)
    assert told["archived_at"] == ("2027-02-13T08:00:00.000000Z" if archived else None)
