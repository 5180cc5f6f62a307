"""Answers of the kind that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .echo import EchoAnswers
from .said import forced_tool
from .schema import SchemaAnswers
from .told import schema_in_words

if TYPE_CHECKING:
    from ..call import Answer, ModelCall


class AutoAnswers:
    """Makes up JSON where a schema or a tool is asked for, and else says back what the user said.

    A schema at the end of the system prompt, as `AnthropicStrategy` and pydantic-ai write it where
    a provider does not take it otherwise, is asked for too.

    Args:
        seed: of what is made up.
    """

    def __init__(self, seed: int | str = 0) -> None:
        self._echo = EchoAnswers()
        self._made_up = SchemaAnswers(seed)

    async def answer(self, call: ModelCall) -> Answer:
        """Return JSON, a call of a tool, or an echo."""
        if call.schema is None and forced_tool(call) is None and schema_in_words(call) is None:
            return await self._echo.answer(call)
        return await self._made_up.answer(call)
