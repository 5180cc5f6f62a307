"""OpenAI, as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..routes import Route
from .chat import ChatCompletions
from .dialect import OpenAIDialect

if TYPE_CHECKING:
    from ..call import Provider
    from ..exchange import Request, Response
    from ..world import World


class OpenAIFace:
    """OpenAI's endpoints, below /openai/v1."""

    def __init__(self, world: World) -> None:
        self.name: Provider = "openai"
        self.dialect = OpenAIDialect()
        self._world = world
        self._chat = ChatCompletions(world, self.dialect)

    def routes(self) -> list[Route]:
        """Return all endpoints."""
        return [
            Route(
                "POST",
                "/chat/completions",
                "chat.completions",
                self._chat.create,
                calls_model=True,
            ),
        ]

    def key_of(self, request: Request) -> str:
        """Return the bearer token."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        return key.strip() if scheme.lower() == "bearer" else ""

    def wrong_key(self, key: str) -> Response:
        """Return the error for a key that is missing or wrong."""
        return self.dialect.error(401, code="invalid_api_key")

    def unknown_path(self, request: Request) -> Response:
        """Return the error for an address that is none."""
        message = f"Invalid URL ({request.method} /v1{request.path})"
        return self.dialect.error(404, message)

    def unknown_method(self, request: Request) -> Response:
        """Return the error for an address that knows no such method."""
        return self.dialect.error(405, f"Not allowed to {request.method} on /v1{request.path}.")

    def new_request_id(self) -> str:
        """Return a name for a request."""
        return self._world.ids.hexadecimal("req_", 32)

    def usual_headers(self, request: Request) -> dict[str, str]:
        """Return the headers that stand on every answer."""
        return {"x-request-id": request.id}

    async def aclose(self) -> None:
        """Stop what runs."""
