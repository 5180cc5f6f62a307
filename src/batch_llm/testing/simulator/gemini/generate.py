"""POST models/{model}:generateContent and :streamGenerateContent, live and in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ..exchange import Response, json_response
from ..serving import respond
from .answer import answer_in_pieces, whole_answer
from .refusal import RefusedError
from .request import GenerateContentRequest, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..exchange import Request
    from ..serving import Outcome
    from ..world import World
    from .dialect import GeminiDialect
    from .models import Model, Models
    from .reading import Asked, RequestReader

_LIVE: Final = "generateContent"
_STREAMED: Final = "streamGenerateContent"
_ENCODER: Final = msgspec.json.Encoder()


class GenerateContent:
    """Answers `generateContent`.

    Args:
        world: where it happens.
        dialect: how errors are said.
        models: which there are.
        reader: reads requests.
    """

    def __init__(
        self, world: World, dialect: GeminiDialect, models: Models, reader: RequestReader
    ) -> None:
        self._world = world
        self._dialect = dialect
        self._models = models
        self._reader = reader

    async def create(self, request: Request) -> Response:
        """Answer one request, in one."""
        try:
            asked = self._asked(request, _LIVE)
        except RefusedError as refused:
            return self._dialect.refused(refused)
        return await self._respond(asked)

    async def stream(self, request: Request) -> Response:
        """Answer one request in pieces: events with `alt=sse`, else the parts of a JSON array."""
        as_events = request.query.get("alt") == "sse"
        try:
            asked = self._asked(request, _STREAMED)
        except RefusedError as refused:
            return _in_stream(self._dialect.refused(refused), as_events)
        asked.call.streamed = True

        def encode(outcome: Outcome) -> Response:
            return self._encode_pieces(asked, outcome, as_events)

        response = await respond(self._world, asked.call, self._dialect, encode)
        return _in_stream(response, as_events)

    async def answer(
        self,
        model: str,
        request: bytes,
        *,
        key: str,
        headers: Mapping[str, str] | None = None,
        custom_id: str | None = None,
    ) -> Response:
        """Answer one line of a batch.

        Args:
            model: the batch's.
            request: of the line, in JSON.
            key: the API key that made the batch.
            headers: none for a line, but for tests of a single one.
            custom_id: the line's key; None or "" where it has none.
        """
        try:
            asked = self.read(model, request, key)
        except RefusedError as refused:
            return self._dialect.refused(refused)
        asked.call.lane = "batch"
        asked.call.custom_id = custom_id
        asked.call.headers = headers or {}
        return await self._respond(asked)

    def read(
        self, model: str, body: bytes, key: str, operation: str = _LIVE, version: str = "v1beta"
    ) -> Asked:
        """Return what a body asks, without an answer to it.

        Raises:
            RefusedError: for a request that is refused.
        """
        found = self.model(model, operation, version)
        asked = self._reader.read(decode(body, GenerateContentRequest), found, key)
        asked.call.operation = operation
        subject = b"\0".join((found.id.encode(), body))
        asked.call.identity = self._world.chance.digest(f"gemini {operation}", subject)
        return asked

    def model(self, name: str, action: str, version: str = "v1beta") -> Model:
        """Return the model of this name, which must make words.

        Raises:
            RefusedError: where there is none.
        """
        model = self._models.find(name)
        if model is None or model.embeds:
            raise self._models.refusal(name, action, version)
        return model

    def _asked(self, request: Request, operation: str) -> Asked:
        params = request.params
        asked = self.read(params["model"], request.body, request.key, operation, params["version"])
        asked.call.headers = request.headers
        return asked

    async def _respond(self, asked: Asked) -> Response:
        def encode(outcome: Outcome) -> Response:
            return json_response(whole_answer(asked, outcome, self._response_id()))

        return await respond(self._world, asked.call, self._dialect, encode)

    def _encode_pieces(self, asked: Asked, outcome: Outcome, as_events: bool) -> Response:
        chunks = answer_in_pieces(asked, outcome, self._response_id())
        encoded = [_ENCODER.encode(chunk) for chunk in chunks]
        if as_events:
            pieces = [b"data: " + chunk + b"\r\n\r\n" for chunk in encoded]
        else:
            last = len(encoded) - 1
            pieces = [
                (b"[" if index == 0 else b",\r\n") + chunk + (b"]" if index == last else b"")
                for index, chunk in enumerate(encoded)
            ]
        return Response(
            body=b"".join(pieces),
            content_type="text/event-stream" if as_events else "application/json",
            pieces=pieces,
            piece_seconds=self._world.settings.piece_seconds,
        )

    def _response_id(self) -> str:
        return self._world.ids.letters("", 22)


def _in_stream(response: Response, as_events: bool) -> Response:
    """Return an error as a stream has it: in an array, where the stream is one."""
    if response.status >= 400 and not as_events:
        response.body = b"[" + response.body + b"]"
    return response
