"""When jobs that have no answer go through the live lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..state.events import DeadlineSet

if TYPE_CHECKING:
    from ...lanes import LiveLane
    from ..state.journal import Journal


@dataclass(frozen=True, slots=True)
class Deadline:
    """When jobs without an answer go live, and what answers them then.

    Attributes:
        seconds: how far off it is when the run begins.
        lane: answers them.
    """

    seconds: float
    lane: LiveLane


def deadline_at(journal: Journal, deadline: Deadline, now: float) -> float:
    """Return when it is, in unix seconds; it is written down the first time.

    A run that goes on keeps the one that it had. It is set anew where it is given otherwise, and
    where every job has its answer that there was then.

    Args:
        journal: of the run.
        deadline: as it is given.
        now: the time, in unix seconds.
    """
    known = journal.state.deadline
    if known is None or known.seconds != deadline.seconds or not journal.state.is_deadline_open:
        known = DeadlineSet(now + deadline.seconds, deadline.seconds)
        journal.write(known)
    return known.at
