"""Answers that were given before, out of a JSONL file."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from ....exceptions import ConfigurationError
from .answers import close_answers
from .recording import read_recording
from .said import answer_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import Self

    from ..call import Answer, ModelCall
    from .answers import Answers
    from .recording import Recorded, Wanted

_KEPT_OR_NOT: Final = tuple(product((True, False), repeat=3))
"""Which of custom id, model and prompt are looked up by: all of them first, none of them last."""


class RecordedAnswers:
    """Gives recorded answers again.

    A record answers a call that has all of the custom id, model and prompt which it names; of
    several records, the one that names most. Records that name the same answer in turn, and the
    last of them for ever.

    Args:
        records: in the order in which they answer.
        otherwise: answers what was not recorded.
    """

    def __init__(self, records: Iterable[Recorded], otherwise: Answers) -> None:
        self._answers: dict[Wanted, list[object]] = {}
        for record in records:
            self._answers.setdefault(record.wanted, []).append(record.answer)
        self._given = dict.fromkeys(self._answers, 0)
        self._otherwise = otherwise

    @classmethod
    def read(cls, path: Path, otherwise: Answers) -> Self:
        """Return the answers of a JSONL file; `read_recording` says which lines it may have.

        Raises:
            ConfigurationError: if the file cannot be read.
            InputError: for a broken line, naming it.
        """
        try:
            with path.open("rb") as lines:
                return cls(read_recording(lines, str(path)), otherwise)
        except OSError as error:
            raise ConfigurationError(
                f"The recording {str(path)!r} cannot be read: {error.strerror}."
            ) from error

    async def answer(self, call: ModelCall) -> Answer:
        """Return what was answered before, or what the next source says."""
        for wanted in _wanted_by(call):
            if (answers := self._answers.get(wanted)) is not None:
                given = self._given[wanted]
                self._given[wanted] = given + 1
                return answer_of(answers[min(given, len(answers) - 1)], call)
        return await self._otherwise.answer(call)

    async def aclose(self) -> None:
        """Let the next source go of what it holds open."""
        await close_answers(self._otherwise)


def _wanted_by(call: ModelCall) -> Iterator[Wanted]:
    prompt = call.prompt
    for by_id, by_model, by_prompt in _KEPT_OR_NOT:
        yield (
            call.custom_id if by_id else None,
            call.model if by_model else None,
            prompt if by_prompt else None,
        )
