"""Jobs that a provider refuses together, and when they go again in parts."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Container

    from ..state.run_state import ChunkState

    Key: TypeAlias = tuple[str, str]
    """A provider and a model."""

_MOST: Final = 500
"""Refusals of several jobs each: more than a person would wait for, or want to see."""
_NEXT_DRAWN: Final = {0: 1, 1: 3, 4: 12}
"""How many jobs go alone next, by how many of a chunk did: most often the first is taken."""
_ENOUGH_DRAWN: Final = 16
_ENOUGH_IN_DOUBT: Final = 4
"""How many are drawn of a chunk where so many of the model were refused alone already."""
_NAMED: Final = 2
"""Where the provider names who is at fault, it is believed for so many refusals."""


class Halving:
    """Has jobs that were refused together sent again in parts: one bad job fails no other.

    A batch is halved until the job that is refused is alone, which takes some 2 * log2(jobs)
    creates, and ends after 500 refusals of a model (those of a single job do not count).

    As long as nothing of a model was ever taken, the reason may lie in the model. That shows in
    jobs that are drawn by chance, and go alone: where one is taken, it lies in the jobs, and the
    halving begins; where none of 16 is, they fail together. Until then the parts go one at a time:
    what they tell must be known before the next.

    Args:
        send: has jobs submitted before all others, each list as a chunk of its own, in this order.
        changed: called when parts need not go one at a time any more.
        ended: has what some batch of has ended that was not refused, in this run or an earlier one.
    """

    def __init__(
        self,
        send: Callable[[list[list[str]]], None],
        changed: Callable[[], None],
        ended: Container[Key],
    ) -> None:
        self._send = send
        self._changed = changed
        self._ended = ended
        self._taken: set[Key] = set()
        self._alone: Counter[Key] = Counter()
        self._refusals: Counter[Key] = Counter()
        self._left: dict[str, tuple[int, int]] = {}
        """By the first job of what is left of a chunk, its refusals and how many were drawn."""
        self.doubted: set[Key] = set()
        """Of what something was refused, and nothing ever taken: one chunk goes at a time."""

    def note_taken(self, chunk: ChunkState) -> None:
        """Take note that the provider runs a chunk."""
        key = _key(chunk)
        self._taken.add(key)
        if key in self.doubted:
            self.doubted.remove(key)
            self._changed()

    def parts_of(
        self, chunk: ChunkState, job_ids: list[str], named: Container[str] = ()
    ) -> list[list[str]]:
        """Return the parts in which jobs go again that were refused together.

        Args:
            chunk: as which they were refused.
            job_ids: of its jobs, the named ones included.
            named: whom the provider names: they fail, and are in no part.

        Returns:
            No parts where they would be refused as well: all jobs fail.
        """
        key, rest = _key(chunk), [job_id for job_id in job_ids if job_id not in named]
        refusals, drawn = self._left.pop(job_ids[0], (0, 0))
        if len(job_ids) < 2:
            self._alone[key] += 1
            return []
        self._refusals[key] += 1
        if self._refusals[key] > _MOST or not rest:
            return []
        is_named = len(rest) < len(job_ids)
        if key in self._taken or key in self._ended:
            return [rest] if is_named else _halves(rest)
        self.doubted.add(key)
        enough = _ENOUGH_DRAWN if self._alone[key] < _ENOUGH_DRAWN else _ENOUGH_IN_DOUBT
        if drawn >= enough:
            return []
        number = 0 if is_named and refusals < _NAMED else _NEXT_DRAWN[drawn]
        alone, others = _draw(rest, number)
        if others:
            self._left[others[0]] = refusals + 1, drawn + number
        return [*alone, others] if others else alone

    def send(self, parts: list[list[str]]) -> None:
        """Have parts submitted whose jobs are pending again."""
        self._send(parts)


def _halves(job_ids: list[str]) -> list[list[str]]:
    middle = len(job_ids) // 2
    return [job_ids[:middle], job_ids[middle:]] if middle else [job_ids]


def _draw(job_ids: list[str], number: int) -> tuple[list[list[str]], list[str]]:
    """Return jobs that go alone, drawn by chance, and the others, in their order."""
    drawn = set(random.sample(range(len(job_ids)), min(number, len(job_ids))))
    others = [job_id for place, job_id in enumerate(job_ids) if place not in drawn]
    return [[job_ids[place]] for place in sorted(drawn)], others


def _key(chunk: ChunkState) -> Key:
    return chunk.plan.provider, chunk.plan.model
