"""Where answers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ..call import Answer

if TYPE_CHECKING:
    from ..call import ModelCall


class Answers(Protocol):
    """Says what a model answers. The endpoint counts tokens, and cuts at the limit."""

    async def answer(self, call: ModelCall) -> Answer:
        """Return the answer to `call`.

        An exception becomes the provider's error 500.
        """
        ...


class EchoAnswers:
    """Says back what the user said."""

    async def answer(self, call: ModelCall) -> Answer:
        """Return the last turn of the user."""
        return Answer(call.prompt)
