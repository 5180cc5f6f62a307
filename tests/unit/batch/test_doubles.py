"""What is looked for of creates that were lost, and what is left alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from tests.batch_runs import job, planned

from batch_llm.batch.chunks.doubles import Doubles
from batch_llm.batch.params import BatchParams
from batch_llm.batch.state.events import NEVER_TAKEN, Created, Refused, Released
from batch_llm.batch.state.journal import open_journal
from batch_llm.providers.orphan import Found
from batch_llm.wire.remote_status import RemoteStatus

if TYPE_CHECKING:
    from pathlib import Path


class Finder:
    """Knows batches by their jobs alone, as a provider of a user's own may."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []

    async def find_orphan(self, *_: object, **__: object) -> Found:
        return Found("of the same jobs")

    async def cancel(self, remote_id: str) -> RemoteStatus:
        self.cancelled.append(remote_id)
        return RemoteStatus(
            id=remote_id, state="ended", ended_as="cancelled", provider_state="cancelled"
        )


@pytest.mark.parametrize("is_sent", [False, True])
async def test_what_is_being_sent_of_the_same_jobs_is_no_double(
    is_sent: bool, tmp_path: Path
) -> None:
    finder = Finder()
    book = cast("Any", SimpleNamespace(client_of=lambda *_: finder))
    with open_journal(tmp_path / "state.jsonl", durability="process") as journal:
        journal.add_jobs([job(0), job(1)])
        job_ids = list(journal.state.job_ids)
        for event in (planned(0, *job_ids), Refused(0, NEVER_TAKEN), Released(0)):
            journal.write(event)
        journal.write(planned(1, *job_ids))
        if is_sent:
            journal.write(Created(1, "the second"))
        doubles = Doubles(journal, book, BatchParams(), lambda *_: False)
        await doubles.look()
        assert finder.cancelled == (["of the same jobs"] if is_sent else [])
        assert bool(doubles.tell_of_the_rest()) != is_sent
