"""A world that listens on a socket, and can begin anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .front import Front
from .server import HTTPServer

if TYPE_CHECKING:
    from .answers import AnswersSource
    from .clock import Clock
    from .exchange import Request, Response
    from .settings import SimulatorSettings


class RunningSimulator:
    """A simulator that listens; all of it in one event loop.

    Args:
        settings: how each world starts.
        answers: what models say, in each world.
        host: address to listen on.
        port: 0 takes a free one.

    Attributes:
        front: the world, and the providers before it.
        server: the socket.
    """

    def __init__(
        self, settings: SimulatorSettings, answers: AnswersSource | None, host: str, port: int
    ) -> None:
        self._settings = settings
        self._answers = answers
        self._generation = 0
        self.front = self._new_front()
        self.server = HTTPServer(self, host, port)

    @property
    def clock(self) -> Clock:
        """Simulated time."""
        return self.front.clock

    async def answer(self, request: Request) -> Response:
        """Return the response to a request."""
        generation = self._generation
        response = await self.front.answer(request)
        response.generation = generation
        return response

    def settle(self, response: Response, status: int, whole: bool) -> None:
        """Write down what was sent of a response."""
        # What was asked of an older world has no place in the books of this one.
        if response.generation == self._generation:
            self.front.settle(response, status, whole)

    async def start(self) -> None:
        """Begin to listen."""
        await self.server.start()

    async def reset(self) -> None:
        """Begin a new world on the same address."""
        old, self.front = self.front, self._new_front()
        self._generation += 1
        await old.aclose()
        # Calls that are under way end now: the clock that they wait for is nobody's any more.
        old.clock.let_go()
        await self.server.end_outage()

    async def aclose(self) -> None:
        """Stop listening, and what runs."""
        await self.server.aclose()
        await self.front.aclose()

    def _new_front(self) -> Front:
        return Front(self._settings, self._answers, self.reset)
