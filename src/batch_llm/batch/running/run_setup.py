"""What a run is made of before its state is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...base import Job, JobResult
    from ...providers import BatchClient
    from ..late.deadline import Deadline
    from ..params import BatchParams
    from .scratch_state import ScratchState


@dataclass(frozen=True, slots=True)
class RunSetup:
    """What is to be run, and how.

    Attributes:
        jobs: to run; the state may hold more.
        params: how they are run.
        path: of the state, absolute.
        results_dir: the folder that results are written to, absolute; None for none.
        scratch: the state, where nobody has named a place for it.
        refused: results of rows of which no job could be made.
        clients: for providers whose clients are not to be opened by default.
        time_limit_seconds: after which it ends; None for no limit.
        deadline: when jobs without an answer go through the live lane; None for never.
    """

    jobs: Sequence[Job]
    params: BatchParams
    path: Path
    results_dir: Path | None
    scratch: ScratchState | None
    refused: tuple[JobResult, ...]
    clients: Mapping[str, BatchClient]
    time_limit_seconds: float | None
    deadline: Deadline | None
