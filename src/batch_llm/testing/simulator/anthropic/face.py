"""Anthropic, as a whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..exchange import bearer_token
from ..routes import Route, refusing
from .batches import Batches
from .dialect import AnthropicDialect
from .messages import Messages
from .models import Models
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..call import Provider
    from ..exchange import Request, Response
    from ..routes import Handler
    from ..world import World

_USUAL_VERSIONS: Final = frozenset({"2023-06-01", "2026-10-21"})
_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


class AnthropicFace:
    """Anthropic's endpoints, below /anthropic."""

    def __init__(self, world: World) -> None:
        self.name: Provider = "anthropic"
        self.dialect = AnthropicDialect(world)
        self._messages = Messages(world, self.dialect)
        self._batches = Batches(world, self.dialect, self._messages)
        self._models = Models(world)
        self._organization = self.dialect.organization_id

    def routes(self) -> list[Route]:
        """Return all endpoints."""
        messages, batches, models = self._messages, self._batches, self._models
        all_batches, one_batch = "/v1/messages/batches", "/v1/messages/batches/{message_batch_id}"
        return [
            Route(
                "POST",
                "/v1/messages",
                "messages",
                self._checked(messages.create),
                calls_model=True,
            ),
            self._route("POST", "/v1/messages/count_tokens", "count_tokens", messages.count_tokens),
            self._route("POST", all_batches, "batches.create", batches.create),
            self._route("GET", all_batches, "batches.list", batches.page),
            self._route("GET", one_batch, "batches.retrieve", batches.retrieve),
            self._route("DELETE", one_batch, "batches.delete", batches.delete),
            self._route("POST", f"{one_batch}/cancel", "batches.cancel", batches.cancel),
            self._route("GET", f"{one_batch}/results", "batches.results", batches.results),
            self._route("GET", "/v1/models", "models.list", models.page),
            self._route("GET", "/v1/models/{model_id}", "models.retrieve", models.retrieve),
        ]

    def _route(self, method: str, pattern: str, operation: str, handler: Handler) -> Route:
        return Route(method, pattern, operation, self._checked(handler))

    def _checked(self, handler: Handler) -> Handler:
        """Return a handler that answers in the API's versions only."""

        async def answer(request: Request) -> Response:
            _check_version(request)
            return await handler(request)

        return refusing(answer, RefusedError, self.dialect.refused)

    def key_of(self, request: Request) -> str:
        """Return the key of the header `x-api-key`, or the bearer token."""
        key = request.headers.get("x-api-key")
        return bearer_token(request) if key is None else key.strip()

    def wrong_key(self, key: str) -> Response:
        """Return the error for a key that is missing or wrong."""
        return self.dialect.error(401, None if key else "x-api-key header is required")

    def unknown_path(self, request: Request) -> Response:
        """Return the error for an address that is none."""
        return self.dialect.error(404)

    def unknown_method(self, request: Request) -> Response:
        """Return the error for an address that knows no such method."""
        return self.dialect.error(405)

    def new_request_id(self) -> str:
        """Return a name for a request."""
        return self.dialect.new_request_id()

    def usual_headers(self, request: Request) -> dict[str, str]:
        """Return the headers that stand on every answer."""
        return {"request-id": request.id, "anthropic-organization-id": self._organization}

    async def aclose(self) -> None:
        """Stop what runs."""
        await self._batches.aclose()


def _check_version(request: Request) -> None:
    version = request.headers.get("anthropic-version")
    if version is None:
        raise RefusedError("anthropic-version: header is required")
    if version not in _USUAL_VERSIONS and _VERSION.fullmatch(version) is None:
        raise RefusedError(f'anthropic-version: "{version}" is not a valid version')
