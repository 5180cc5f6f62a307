"""Jobs that ended, and are to be tried once more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .events import Resubmitted

if TYPE_CHECKING:
    from .events import Outcome
    from .journal import Journal


def resubmit(journal: Journal, outcome: Outcome) -> int:
    """Let the jobs that ended so be pending again; return how many there are.

    Their results stay until there are others: not all of them may be sent.

    Raises:
        StateError: if the state cannot be written.
    """
    job_ids = list(journal.state.ended_ids(outcome))
    attempt = journal.state.attempt
    journal.write(*(Resubmitted(job_id, attempt(job_id) + 1) for job_id in job_ids))
    return len(job_ids)
