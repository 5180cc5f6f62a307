"""The whole simulated world behind one address."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from ...exceptions import ConfigurationError
from .anthropic import AnthropicFace
from .control import Control
from .exchange import json_response
from .faults import Fault
from .gateway import Gateway
from .gemini import GeminiFace
from .openai import OpenAIFace
from .possible import can_meet
from .world import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .answers import AnswersSource
    from .call import Provider
    from .clock import Clock
    from .exchange import Request, Response
    from .provider import ProviderFace
    from .settings import SimulatorSettings

PREFIXES: Final[dict[Provider, str]] = {
    "openai": "/openai/v1",
    "anthropic": "/anthropic",
    "gemini": "/gemini",
}
"""Where each provider is; what follows is the provider's own path."""
CONTROL_PREFIX: Final = "/_sim"


class Front:
    """Takes each request to the provider of its path, and closes the books on its answer.

    Args:
        settings: how the world starts.
        answers: what models say; None takes what the settings name.
        reset: begins a new world, where a client asks for it; None where nobody can.
    """

    def __init__(
        self,
        settings: SimulatorSettings,
        answers: AnswersSource | None = None,
        reset: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.world = World(settings, answers)
        self._faces: tuple[ProviderFace, ...] = (
            OpenAIFace(self.world),
            AnthropicFace(self.world),
            GeminiFace(self.world),
        )
        self.gateways: dict[Provider, Gateway] = {
            face.name: Gateway(self.world, face) for face in self._faces
        }
        self.operations = frozenset(
            route.operation for gateway in self.gateways.values() for route in gateway.routes
        )
        for fault in settings.faults:
            self._check_operation(fault)
        self._dated = (0, "")
        self.control = Control(self, reset)

    @property
    def clock(self) -> Clock:
        """Simulated time."""
        return self.world.clock

    def add_fault(self, fault: Fault) -> int:
        """Put a fault into force; return its number.

        Raises:
            ConfigurationError: if it names an operation that there is not, or one, or a provider,
                to which this can never happen.
        """
        self._check_operation(fault)
        return self.world.faults.add(fault)

    def _check_operation(self, fault: Fault) -> None:
        if fault.operation is not None and fault.operation not in self.operations:
            raise ConfigurationError(
                f"There is no operation {fault.operation!r}. "
                f"The operations are: {', '.join(sorted(self.operations))}."
            )
        if not self._operations_of(fault):
            elsewhere = self._operations_of(fault.model_copy(update={"operation": None}))
            anywhere = self._operations_of(Fault(kind=fault.kind))
            raise ConfigurationError(
                f"This fault can never happen: {_named(fault)}. "
                f"It can happen to: {', '.join(sorted(elsewhere or anywhere))}."
            )

    def _operations_of(self, fault: Fault) -> set[str]:
        """Return the operations that can meet a fault, with the provider where it must be that."""
        met = {
            (name, route.operation)
            for name, gateway in self.gateways.items()
            for route in gateway.routes
            if can_meet(fault, route, name)
        }
        providers = {name for name, _ in met}
        is_of_one = len(providers) == 1
        return {f"{operation} of {name}" if is_of_one else operation for name, operation in met}

    @property
    def broken(self) -> int:
        """Requests that met a defect of the simulator."""
        return sum(gateway.broken for gateway in self.gateways.values())

    async def answer(self, request: Request) -> Response:
        """Return the response to a request, whose path is the whole path."""
        path = request.path
        for name, prefix in PREFIXES.items():
            if path == prefix or path.startswith(prefix + "/"):
                request.path = path[len(prefix) :] or "/"
                request.origin += prefix
                return await self._answer_for(name, request)
        if path.startswith(CONTROL_PREFIX):
            request.path = path[len(CONTROL_PREFIX) :]
            return await self.control.answer(request)
        message = f"Nothing is at {path}. Providers are under {', '.join(PREFIXES.values())}."
        return json_response({"error": {"message": message}}, status=404)

    async def _answer_for(self, provider: Provider, request: Request) -> Response:
        route, response = await self.gateways[provider].answer(request)
        response.route = (provider, route)
        response.headers.setdefault("Date", self._date())
        return response

    def _date(self) -> str:
        """Return the simulated moment as HTTP writes it, which is the same for a whole second."""
        second = int(self.clock.now())
        if second != self._dated[0]:
            self._dated = second, formatdate(second, usegmt=True)
        return self._dated[1]

    def settle(self, response: Response, status: int, whole: bool) -> None:
        """Write down what was sent of a response."""
        books = self.world.books
        if response.route is not None:
            books.note_request(*response.route, status)
        if (record := response.record) is not None:
            fate = record.fate_after(status, whole=whole)
            books.close(record, fate, status, response.usage_told())

    async def aclose(self) -> None:
        """Stop what runs, such as batches."""
        for face in self._faces:
            await face.aclose()
        await self.world.aclose()


def _named(fault: Fault) -> str:
    """Return what a fault is and what it names, in words."""
    parts = [repr(fault.kind.value)]
    parts += [f"operation {fault.operation!r}"] if fault.operation is not None else []
    parts += [f"provider {fault.provider!r}"] if fault.provider is not None else []
    further = ("model", "lane", "custom_id", "prompt_contains")
    parts += [name for name in further if getattr(fault, name) is not None]
    return ", ".join(parts)
