"""POST models/{model}:generateContent and :streamGenerateContent, live and in batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..call import Sender
from ..encoding import encode_json
from ..exchange import Response, json_response
from ..serving import respond
from .answer import answer_in_pieces, usage_in_pieces, whole_answer
from .refusal import RefusedError
from .request import GenerateContentRequest, decode

if TYPE_CHECKING:
    from ..call import ModelCall
    from ..exchange import Request
    from ..serving import Outcome
    from ..world import World
    from .dialect import GeminiDialect
    from .models import Models
    from .reader import Asked, RequestReader

_LIVE: Final = "generateContent"
_STREAMED: Final = "streamGenerateContent"


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
        return await self._respond(self._asked(request, _LIVE))

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

    async def answer(self, model: str, request: bytes, sender: Sender) -> Response:
        """Answer one line of a batch.

        Args:
            model: the batch's.
            request: of the line, in JSON.
            sender: whose line it is.
        """
        try:
            asked = self._read(model, request, sender)
        except RefusedError as refused:
            return self._dialect.refused(refused)
        return await self._respond(asked)

    def first_call(self, model: str, request: bytes, sender: Sender) -> ModelCall:
        """Return what a line asks of the model, which is not run; arguments are as of `answer`.

        Raises:
            RefusedError: for a line that is refused.
        """
        return self._read(model, request, sender).call

    def _read(
        self,
        name: str,
        body: bytes,
        sender: Sender,
        operation: str = _LIVE,
        version: str = "v1beta",
    ) -> Asked:
        model = self._models.named(name, operation, version, embeds=False)
        asked = self._reader.read(decode(body, GenerateContentRequest), model, sender)
        # Not for `countTokens`, which reads the same: it tells how much too long a prompt is.
        model.check_input(asked.call.input_tokens)
        asked.call.operation = operation
        subject = b"\0".join((model.id.encode(), body))
        asked.call.identity = self._world.chance.digest(f"gemini {operation}", subject)
        return asked

    def _asked(self, request: Request, operation: str) -> Asked:
        params = request.params
        sender = Sender(request.key, request.headers)
        return self._read(params["model"], request.body, sender, operation, params["version"])

    async def _respond(self, asked: Asked) -> Response:
        def encode(outcome: Outcome) -> Response:
            return json_response(whole_answer(asked, outcome, self._response_id()))

        return await respond(self._world, asked.call, self._dialect, encode)

    def _encode_pieces(self, asked: Asked, outcome: Outcome, as_events: bool) -> Response:
        chunks = answer_in_pieces(asked, outcome, self._response_id())
        encoded = [encode_json(chunk) for chunk in chunks]
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
            told=usage_in_pieces(outcome.usage, len(pieces)),
            piece_seconds=self._world.settings.piece_seconds,
        )

    def _response_id(self) -> str:
        return self._world.ids.letters("", 22)


def _in_stream(response: Response, as_events: bool) -> Response:
    """Return an error as a stream has it: in an array, where the stream is one."""
    if response.status >= 400 and not as_events:
        response.body = b"[" + response.body + b"]"
    return response
