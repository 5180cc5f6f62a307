"""Answers that are kept together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ...wire.batch_item import BatchAnswer

MOST: Final = 500
"""How many answers are kept at a time."""
_MOST_BYTES: Final = 4 * 1024**2


class AnswerGroup:
    """Gathers answers until there are enough to be kept at a time.

    Args:
        most: how many are enough.
        most_bytes: or how many bytes.
    """

    def __init__(self, most: int = MOST, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._answers: list[BatchAnswer] = []
        self._bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time to keep them."""
        return len(self._answers) >= self._most or self._bytes >= self._most_bytes

    def add(self, answer: BatchAnswer) -> None:
        """Add one."""
        self._answers.append(answer)
        self._bytes += len(answer.raw)

    def taken(self) -> list[BatchAnswer]:
        """Return them, and have none any more."""
        answers, self._answers, self._bytes = self._answers, [], 0
        return answers
