"""A request's way to what answers it: address, key, fault, endpoint."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from ...exceptions import ConfigurationError
from .exchange import Response
from .faults import BEFORE, OF_TRANSPORT, FaultKind, fault_in
from .possible import can_happen
from .routes import Router, UnknownMethodError, UnknownPathError

if TYPE_CHECKING:
    from .call import Provider
    from .exchange import Request
    from .faults import Fault
    from .provider import ProviderFace
    from .routes import Route
    from .world import World

# Of a body, to tell equal requests from others.
_COMPARED_BYTES: Final = 4_096

logger = logging.getLogger("batch_llm.simulator")


class Gateway:
    """Stands before one provider's endpoints.

    Args:
        world: where it happens.
        provider: whose endpoints they are.

    Attributes:
        broken: requests that met a defect of the simulator itself; always 0, or it has a defect.
    """

    def __init__(self, world: World, provider: ProviderFace) -> None:
        self._world = world
        self._provider = provider
        self._router = Router(provider.routes())
        self.broken = 0

    @property
    def routes(self) -> tuple[Route, ...]:
        """All endpoints."""
        return self._router.routes

    async def answer(self, request: Request) -> tuple[str, Response]:
        """Return the endpoint's name, "" for none, and what goes back."""
        provider = self._provider
        request.id = provider.new_request_id()
        name, response = await self._routed(request)
        for header, value in provider.usual_headers(request).items():
            response.headers.setdefault(header, value)
        return name, response

    async def _routed(self, request: Request) -> tuple[str, Response]:
        provider = self._provider
        try:
            route, request.params = self._router.find(request.method, request.path)
        except UnknownPathError:
            return "", provider.unknown_path(request)
        except UnknownMethodError:
            return "", provider.unknown_method(request)
        if route.needs_key:
            request.key = provider.key_of(request)
            if not self._world.is_key(request.key):
                return route.name, provider.wrong_key(request.key)
        if request.unreadable is not None:
            return route.name, provider.dialect.error(400, request.unreadable)
        return route.name, await self._handled(route, request)

    async def _handled(self, route: Route, request: Request) -> Response:
        dialect = self._provider.dialect
        try:
            _check_asked_fault(route, request, self._provider.name)
            if route.calls_model:
                return await route.handler(request)
            return await self._handled_with_faults(route, request)
        except ConfigurationError as error:  # a fault that the client asked for in a wrong way
            return dialect.error(400, str(error))
        except Exception:  # a defect of ours must not look like an answer, nor end the server
            self.broken += 1
            logger.exception("The simulator's %s failed", route.name)
            return dialect.error(500, "The simulator has a defect; its log tells more.")

    async def _handled_with_faults(self, route: Route, request: Request) -> Response:
        fault = self._fault(route, request)
        if fault is None:
            return await route.handler(request)
        if fault.kind is FaultKind.STATUS:
            return self._provider.dialect.error(
                fault.status,
                error_type=fault.error_type,
                retry_after_seconds=fault.retry_after_seconds,
            )
        if fault.kind in BEFORE:
            return Response(fault=fault)
        response = await route.handler(request)
        if fault.kind in OF_TRANSPORT:
            response.fault = fault
        return response

    def _fault(self, route: Route, request: Request) -> Fault | None:
        world = self._world
        subject = f"{route.name}\0{request.path}".encode() + _start_of_body(request)
        return world.faults.for_request(
            self._provider.name,
            route.operation,
            request.key,
            request.headers,
            world.occurrences.subject(world.chance.digest("request", subject)),
        )


def _start_of_body(request: Request) -> bytes:
    """Return the first 4 KiB of a body, without the boundary of a form, which is a random text."""
    body, boundary = request.body, _boundary(request)
    if not boundary:
        return body[:_COMPARED_BYTES]
    taken = b""
    start = 0
    while start < len(body) and len(taken) < _COMPARED_BYTES:
        end = start + _COMPARED_BYTES
        found = body.find(boundary, start, end + len(boundary))
        taken += body[start : end if found < 0 else found]
        start = end if found < 0 else found + len(boundary)
    return taken[:_COMPARED_BYTES]


def _boundary(request: Request) -> bytes:
    kind, _, rest = request.headers.get("Content-Type", "").partition("boundary=")
    if not kind.lower().startswith("multipart/"):
        return b""
    return rest.partition(";")[0].strip(' "').encode("utf-8", "surrogateescape")


def _check_asked_fault(route: Route, request: Request, provider: Provider) -> None:
    """Refuse a request that asks for a fault which cannot happen to it.

    Raises:
        ConfigurationError: for such a fault, or a text that is none.
    """
    asked = fault_in(request.headers)
    if asked is not None and not can_happen(asked.kind, route, provider):
        raise ConfigurationError(f"The fault {asked.kind.value!r} cannot happen to {route.name}.")
