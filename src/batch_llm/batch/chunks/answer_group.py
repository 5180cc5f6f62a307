"""Answers that are kept together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ...wire.batch_item import BatchAnswer

_MOST: Final = 500
_MOST_BYTES: Final = 4 * 1024**2


class AnswerGroup:
    """Gathers answers until there are enough to be kept at a time: 500 of them, or 4 MiB."""

    def __init__(self) -> None:
        self._answers: list[BatchAnswer] = []
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to keep them."""
        return len(self._answers) >= _MOST or self._bytes >= _MOST_BYTES

    def add(self, answer: BatchAnswer) -> None:
        """Add one."""
        self._answers.append(answer)
        self._bytes += len(answer.raw)

    def taken(self) -> list[BatchAnswer]:
        """Return them, and have none any more."""
        answers, self._answers, self._bytes = self._answers, [], 0
        return answers
