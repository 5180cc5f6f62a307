"""Answers of the small model that runs in this process."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

from ....base import LLMRequest, Message, RetryState
from ....exceptions import OutputTruncatedError
from ....llm_strategies import LocalModelStrategy
from ..call import Answer
from .said import answer_of, forced_tool, json_answer

if TYPE_CHECKING:
    from ....base import RequestStrategy
    from ..call import ModelCall


class LocalAnswers:
    """Asks a local model, with the call's messages, schema, limit and stop texts.

    The tokens of an answer are the model's own count; those of the input stay the simulator's. A
    forced tool is asked for by the schema of its arguments. The model is loaded with the first
    call.

    Args:
        strategy: what runs the model; None takes `LocalModelStrategy()`, the small one. Anything
            else that answers an `LLMRequest` will do, which makes the simulator a proxy.

    Raises:
        MissingExtraError: if llama.cpp is not installed.
    """

    def __init__(self, strategy: RequestStrategy[Any] | None = None) -> None:
        self._strategy = strategy or LocalModelStrategy()
        self._loading = asyncio.Lock()
        self._is_loaded = False

    async def answer(self, call: ModelCall) -> Answer:
        """Return what the model says.

        JSON that is cut at the limit is not kept: of it only the tokens are answered.
        """
        await self._load()
        request, state = _request_of(call), RetryState()
        try:
            output, usage = await self._strategy.execute(request, 1, math.inf, state)
        except OutputTruncatedError as error:
            tokens = error.usage.get("output_tokens", 0) if error.usage else 0
            return Answer("", "length", output_tokens=tokens)
        is_json = request.output_schema is not None
        answer = json_answer(output, call) if is_json else answer_of(output, call)
        answer.output_tokens = usage.get("output_tokens")
        if state.get("finish_reason") == "length":
            answer.ending = "length"
        return answer

    async def aclose(self) -> None:
        """Free the model; a later call loads it anew."""
        async with self._loading:
            if self._is_loaded:
                self._is_loaded = False
                await self._strategy.aclose()

    async def _load(self) -> None:
        async with self._loading:
            if not self._is_loaded:
                await self._strategy.prepare()
                self._is_loaded = True


def _request_of(call: ModelCall) -> LLMRequest:
    tool = forced_tool(call)
    return LLMRequest(
        [_message(role, text) for role, text in call.messages] or call.prompt,
        system=call.system or None,
        output_schema=call.schema if tool is None else tool.schema,
        max_output_tokens=call.max_output_tokens,
        stop=call.stop,
    )


def _message(role: str, text: str) -> Message:
    return Message("assistant" if role in ("assistant", "model") else "user", text)
