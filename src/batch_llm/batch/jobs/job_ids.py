"""The ids of the jobs of a batch, each once."""

from __future__ import annotations

from collections import Counter


class JobIds:
    """Ids that are taken."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._made: Counter[str] = Counter()

    def take(self, job_id: str) -> bool:
        """Take an id; return whether it was free."""
        if job_id in self._taken:
            return False
        self._taken.add(job_id)
        return True

    def make(self, stem: str) -> str:
        """Take `stem` if it is free, else the first free one of "stem-2", "stem-3" and so on."""
        self._made[stem] += 1
        job_id = stem if self._made[stem] == 1 else f"{stem}-{self._made[stem]}"
        return job_id if self.take(job_id) else self.make(stem)

    def copy(self) -> JobIds:
        """Return ids of which the same are taken."""
        other = JobIds()
        other._taken = set(self._taken)
        other._made = Counter(self._made)
        return other
