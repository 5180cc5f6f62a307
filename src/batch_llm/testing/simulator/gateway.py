"""A request's way to what answers it: address, key, fault, endpoint."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ...exceptions import ConfigurationError
from .exchange import Response
from .faults import BEFORE, OF_TRANSPORT, FaultKind
from .routes import Router, UnknownMethodError, UnknownPathError

if TYPE_CHECKING:
    from .exchange import Request
    from .faults import Fault
    from .provider import ProviderFace
    from .routes import Route
    from .world import World

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
        return route.name, await self._handled(route, request)

    async def _handled(self, route: Route, request: Request) -> Response:
        dialect = self._provider.dialect
        try:
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
        subject = f"{route.name}\0{request.path}".encode() + request.body[:4096]
        occurrence = world.occurrences.next(world.chance.digest("request", subject))
        return world.faults.for_request(
            self._provider.name,
            route.operation,
            request.key,
            request.headers,
            subject + str(occurrence).encode(),
        )
