"""Answers that repeat the question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..call import Answer

if TYPE_CHECKING:
    from ..call import ModelCall


class EchoAnswers:
    """Says back what the user said."""

    async def answer(self, call: ModelCall) -> Answer:
        """Return the last turn of the user."""
        return Answer(call.prompt)
