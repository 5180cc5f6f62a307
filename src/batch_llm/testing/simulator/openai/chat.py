"""POST /chat/completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ..call import ModelCall
from ..exchange import json_response
from ..faults import FaultKind
from ..serving import ending_word, respond
from ..tokens import count_turns

if TYPE_CHECKING:
    from ..call import Ending
    from ..exchange import Request, Response
    from ..serving import Outcome
    from ..world import World
    from .dialect import OpenAIDialect

_FINISH: Final[dict[Ending, str]] = {
    "stop": "stop",
    "length": "length",
    "stop_sequence": "stop",
    "refusal": "stop",
    "safety": "content_filter",
    "tool_call": "tool_calls",
}


class _Message(msgspec.Struct):
    role: str
    content: str


class _Body(msgspec.Struct):
    model: str
    messages: list[_Message]
    max_completion_tokens: int | None = None


_BODIES: Final = msgspec.json.Decoder(_Body)


class ChatCompletions:
    """Answers chat completions, live and as lines of batches."""

    def __init__(self, world: World, dialect: OpenAIDialect) -> None:
        self._world = world
        self._dialect = dialect

    async def create(self, request: Request) -> Response:
        """Answer one request."""
        try:
            body = _BODIES.decode(request.body)
        except msgspec.DecodeError as error:
            return self._dialect.error(400, str(error))
        turns = [(message.role, message.content) for message in body.messages]
        call = ModelCall(
            provider="openai",
            operation="chat.completions",
            model=body.model,
            key=request.key,
            messages=turns,
            input_tokens=count_turns(turns),
            max_output_tokens=body.max_completion_tokens,
            headers=request.headers,
            identity=self._world.chance.digest("openai chat", request.body),
        )
        return await respond(self._world, call, self._dialect, self._encode)

    def _encode(self, outcome: Outcome) -> Response:
        answer, usage = outcome.said, outcome.usage
        choices = [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer.text},
                "finish_reason": ending_word(_FINISH, answer),
            }
        ]
        return json_response(
            {
                "id": self._world.ids.letters("chatcmpl-"),
                "object": "chat.completion",
                "created": int(self._world.clock.now()),
                "model": outcome.call.model,
                "choices": [] if outcome.has(FaultKind.EMPTY) else choices,
                "usage": {
                    "prompt_tokens": usage.input_tokens,
                    "completion_tokens": usage.output_tokens,
                    "total_tokens": usage.input_tokens + usage.output_tokens,
                },
            }
        )
