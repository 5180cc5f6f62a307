"""Answers out of a table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ....exceptions import ConfigurationError
from .answers import close_answers
from .said import answer_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    from ..call import Answer, ModelCall
    from .answers import Answers


class TableAnswers:
    """Looks the prompt up: first the whole of it, then the longest key that stands within it.

    Args:
        table: from prompts, or parts of prompts, to texts, JSON values or `Answer` objects. The key
            "" stands within every prompt.
        otherwise: answers what is not in the table.
    """

    def __init__(self, table: Mapping[str, object], otherwise: Answers) -> None:
        self._table = dict(table)
        self._longest_first = sorted(self._table, key=len, reverse=True)
        self._otherwise = otherwise

    @classmethod
    def read(cls, path: Path, otherwise: Answers) -> Self:
        """Return the answers of a JSON file, which holds one object.

        Raises:
            ConfigurationError: if there is no such file, or it holds something else.
        """
        try:
            table = json.loads(path.read_bytes())
        except OSError as error:
            raise ConfigurationError(
                f"The table of answers {str(path)!r} cannot be read: {error.strerror}."
            ) from error
        except ValueError as error:
            raise ConfigurationError(
                f"The table of answers {str(path)!r} is not JSON: {error}."
            ) from error
        if not isinstance(table, dict):
            raise ConfigurationError(
                f"The table of answers {str(path)!r} is no JSON object of prompts and answers."
            )
        return cls(table, otherwise)

    async def answer(self, call: ModelCall) -> Answer:
        """Return what the table says, or what the next source does."""
        prompt = call.prompt
        if prompt in self._table:
            return answer_of(self._table[prompt], call)
        for key in self._longest_first:
            if key in prompt:
                return answer_of(self._table[key], call)
        return await self._otherwise.answer(call)

    async def aclose(self) -> None:
        """Let the next source go of what it holds open."""
        await close_answers(self._otherwise)
