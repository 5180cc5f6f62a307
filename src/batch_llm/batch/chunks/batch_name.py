"""What a remote batch is called in a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..state.run_state import ChunkState


def batch_name(chunk: ChunkState, job_ids: Sequence[str]) -> str:
    """Return its provider, and its id there or, before it has one, its first job.

    Args:
        chunk: its jobs.
        job_ids: theirs, as they were submitted.
    """
    jobs = "1 job" if chunk.jobs == 1 else f"{chunk.jobs:,} jobs"
    if chunk.remote_id is not None:
        return f"{chunk.plan.provider}, batch {chunk.remote_id} ({jobs})"
    return f"{chunk.plan.provider}, the batch of {jobs} from {job_ids[0]!r} on"
