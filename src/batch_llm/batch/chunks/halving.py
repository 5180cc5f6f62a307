"""Jobs that a provider refuses together, and when they go again in parts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..state.run_state import ChunkState

_MOST_IN_A_ROW: Final = 20
"""More than the halvings from the largest batch (100,000 jobs) down to one job of it."""
_MOST: Final = 500


class Halving:
    """Has jobs that were refused together sent again in parts: one bad job fails no other.

    A batch is halved until the job that is refused is alone, which takes some 2 * log2(jobs)
    creates. Where nothing is taken in between, the reason lies elsewhere, and it ends soon: after
    20 refusals in a row of one model, whatever batch they are of. It also ends after 500 of them.

    Args:
        send: has jobs submitted, each list as a chunk of its own.
    """

    def __init__(self, send: Callable[[list[list[str]]], None]) -> None:
        self._send = send
        self._in_a_row: Counter[tuple[str, str]] = Counter()
        self._all: Counter[tuple[str, str]] = Counter()

    def is_worth_it(self, chunk: ChunkState) -> bool:
        """Take note of a refusal that parts of the chunk may not meet; return whether to try."""
        key = _key(chunk)
        self._in_a_row[key] += 1
        self._all[key] += 1
        return self._in_a_row[key] <= _MOST_IN_A_ROW and self._all[key] <= _MOST

    def note_taken(self, chunk: ChunkState) -> None:
        """Take note that the provider runs a chunk."""
        self._in_a_row[_key(chunk)] = 0

    def send_halves(self, job_ids: list[str]) -> None:
        """Have jobs sent again that were refused together, all or none of them at fault."""
        middle = len(job_ids) // 2
        self._send([part for part in (job_ids[:middle], job_ids[middle:]) if part])

    def send_rest(self, job_ids: list[str]) -> None:
        """Have jobs sent again that were refused for the fault of others, by name."""
        if job_ids:
            self._send([job_ids])


def _key(chunk: ChunkState) -> tuple[str, str]:
    return chunk.plan.provider, chunk.plan.model
