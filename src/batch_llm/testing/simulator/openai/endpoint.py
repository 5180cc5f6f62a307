"""What all endpoints that call a model have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..call import Sender
from ..serving import respond
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..answers import Answers
    from ..call import ModelCall
    from ..exchange import Request, Response
    from ..serving import Outcome
    from ..world import World
    from .dialect import OpenAIDialect


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was read.

    Attributes:
        call: what is asked of the model.
        encode: makes the response, once the model has answered.
        answers: what says the answer; None is the world's.
        encode_failed: makes a response of status 200 that reports an error; None is the dialect's.
    """

    call: ModelCall
    encode: Callable[[Outcome], Response]
    answers: Answers | None = None
    encode_failed: Callable[[Outcome], Response] | None = None


class ModelEndpoint(ABC):
    """Answers one kind of request, live and as lines of batches.

    Args:
        world: where it happens.
        dialect: how errors are said.
    """

    def __init__(self, world: World, dialect: OpenAIDialect) -> None:
        self._world = world
        self._dialect = dialect

    async def create(self, request: Request) -> Response:
        """Answer a live request."""
        content_type = request.headers.get("Content-Type", "application/json")
        if not content_type.lower().startswith("application/json"):
            return self._dialect.wrong_content_type(content_type)
        clock = self._world.clock
        start = clock.now()
        response = await self.answer(request.body, Sender(request.key, request.headers))
        taken = int((clock.now() - start) * 1_000)
        response.headers["openai-processing-ms"] = str(taken)
        if response.pieces is not None:
            response.piece_seconds = self._world.settings.piece_seconds
        return response

    async def answer(self, body: bytes, sender: Sender) -> Response:
        """Answer one body, in JSON; a line of a batch is answered whole in any case."""
        try:
            asked = self.read(body, sender)
        except RefusedError as refused:
            return self._dialect.refused(refused)
        dialect = self._dialect.failing_with(asked.encode_failed)
        return await respond(self._world, asked.call, dialect, asked.encode, asked.answers)

    def first_call(self, body: bytes, sender: Sender) -> ModelCall:
        """Return what a body asks of a model, which is not run: its model, tokens and prompt.

        Raises:
            RefusedError: for a body that the endpoint refuses.
        """
        return self.read(body, sender).call

    @abstractmethod
    def read(self, body: bytes, sender: Sender) -> Asked:
        """Read one body; the arguments are those of `answer`.

        Raises:
            RefusedError: for a body that the endpoint refuses.
        """
