"""Anthropic, as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .dialect import AnthropicDialect

if TYPE_CHECKING:
    from ..call import Provider
    from ..exchange import Request, Response
    from ..routes import Route
    from ..world import World


class AnthropicFace:
    """Anthropic's endpoints, below /anthropic."""

    def __init__(self, world: World) -> None:
        self.name: Provider = "anthropic"
        self.dialect = AnthropicDialect()
        self._world = world

    def routes(self) -> list[Route]:
        """Return all endpoints."""
        return []

    def key_of(self, request: Request) -> str:
        """Return the key."""
        return request.headers.get("x-api-key", "")

    def wrong_key(self, key: str) -> Response:
        """Return the error for a key that is missing or wrong."""
        return self.dialect.error(401)

    def unknown_path(self, request: Request) -> Response:
        """Return the error for an address that is none."""
        return self.dialect.error(404)

    def unknown_method(self, request: Request) -> Response:
        """Return the error for an address that knows no such method."""
        return self.dialect.error(405)

    def new_request_id(self) -> str:
        """Return a name for a request."""
        return self._world.ids.letters("req_", 24)

    def usual_headers(self, request: Request) -> dict[str, str]:
        """Return the headers that stand on every answer."""
        return {"request-id": request.id}

    async def aclose(self) -> None:
        """Stop what runs."""
