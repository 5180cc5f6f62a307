"""POST /v1/messages, and the counting of its tokens."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from ..call import Sender
from ..exchange import json_response, stream_response
from ..serving import respond
from .message import encode_message
from .prompt_cache import PromptCache
from .reader import RequestReader
from .refusal import RefusedError
from .stream import message_events, usage_in_events

if TYPE_CHECKING:
    from ..exchange import Request, Response
    from ..serving import Outcome
    from ..world import World
    from .dialect import AnthropicDialect
    from .reader import Asked

_MOST_BYTES: Final = 32 * 1024 * 1024


class Messages:
    """Answers requests for messages, live and as lines of batches."""

    def __init__(self, world: World, dialect: AnthropicDialect) -> None:
        self._world = world
        self._dialect = dialect
        self._cache = PromptCache(world.clock)
        self.reader = RequestReader(world, self._cache)

    async def create(self, request: Request) -> Response:
        """Answer POST /v1/messages."""
        _check_size(request)
        asked = self.reader.read(request.body, Sender(request.key, request.headers))
        return await self.answer(asked)

    async def count_tokens(self, request: Request) -> Response:
        """Answer POST /v1/messages/count_tokens."""
        _check_size(request)
        return json_response({"input_tokens": self.reader.count(request.body)})

    async def answer(self, asked: Asked) -> Response:
        """Return the answer to a request that is in order."""
        encode = partial(self._encode, asked)
        response = await respond(self._world, asked.call, self._dialect, encode)
        if response.record is not None and response.record.executed:
            self._cache.commit(asked.cache)
        return response

    def _encode(self, asked: Asked, outcome: Outcome) -> Response:
        message = encode_message(asked, outcome, self._world.ids)
        if not asked.call.streamed:
            return json_response(message)
        events = message_events(message, outcome.said.text)
        response = stream_response(events, told=usage_in_events(outcome.usage, len(events)))
        response.piece_seconds = self._world.settings.piece_seconds
        return response


def _check_size(request: Request) -> None:
    if len(request.body) > _MOST_BYTES:
        raise RefusedError("Request exceeds the maximum size", 413)
