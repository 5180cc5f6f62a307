"""Jobs that the results of a batch name more than once."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...base import JobResult
    from ...wire.batch_item import BatchAnswer


class Repeats:
    """Knows what was said of which job in one reading of the results.

    Attributes:
        others: ids of jobs of which different things are said.
    """

    def __init__(self) -> None:
        self._said: dict[str, bytes] = {}
        self.others: list[str] = []

    def has(self, answer: BatchAnswer) -> bool:
        """Whether the very same was said before; learn it if not."""
        digest = blake2b(answer.raw, digest_size=16).digest()
        known = self._said.setdefault(answer.custom_id, digest)
        if known is digest:
            return False
        if known == digest and answer.raw:
            return True
        if answer.custom_id not in self.others:
            self.others.append(answer.custom_id)
        return False


def best_of_each(results: Iterable[JobResult]) -> list[JobResult]:
    """Return one result a job: of several the first that succeeded, or else the first."""
    best: dict[str, JobResult] = {}
    for result in results:
        known = best.setdefault(result.job_id, result)
        if result.is_success and not known.is_success:
            best[result.job_id] = result
    return list(best.values())
