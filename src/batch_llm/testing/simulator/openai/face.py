"""OpenAI, as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exchange import bearer_token
from ..routes import Route, refusing
from .batches import Batches
from .chat import ChatCompletions
from .dialect import ORGANIZATION, OpenAIDialect
from .embeddings import Embeddings
from .file_store import FileStore
from .files import Files
from .models import Models
from .prompt_cache import PromptCache
from .refusal import RefusedError
from .responses import Responses

if TYPE_CHECKING:
    from ..call import Provider
    from ..exchange import Request, Response
    from ..routes import Handler
    from ..world import World
    from .endpoint import ModelEndpoint

_API_VERSION: Final = "2020-10-01"
# OpenAI's own endpoints that are not here, though another one's pattern fits their addresses.
_NOT_HERE: Final = frozenset({"/responses/compact", "/responses/input_tokens"})


class OpenAIFace:
    """OpenAI's endpoints, below /openai/v1."""

    def __init__(self, world: World) -> None:
        self.name: Provider = "openai"
        self.dialect = OpenAIDialect()
        self._world = world
        prompt_cache = PromptCache(world.clock)
        store = FileStore(world)
        self._chat = ChatCompletions(world, self.dialect, prompt_cache, store)
        self._responses = Responses(world, self.dialect, prompt_cache, store)
        self._embeddings = Embeddings(world, self.dialect)
        self._models = Models(world)
        self._files = Files(world, store)
        in_batches: dict[str, ModelEndpoint] = {
            "/v1/chat/completions": self._chat,
            "/v1/responses": self._responses,
            "/v1/embeddings": self._embeddings,
        }
        self._batches = Batches(world, self.dialect, store, in_batches)

    def routes(self) -> list[Route]:
        """Return all endpoints."""
        models = self._models
        return [
            _model_route("/chat/completions", "chat.completions", self._chat),
            _model_route("/responses", "responses", self._responses),
            _model_route("/embeddings", "embeddings", self._embeddings),
            self._route("GET", "/models", "models.list", models.page),
            self._route("GET", "/models/{model}", "models.retrieve", models.retrieve),
            *self._response_routes(),
            *self._file_routes(),
            *self._batch_routes(),
        ]

    def _response_routes(self) -> list[Route]:
        responses = self._responses
        one, items = "/responses/{id}", "/responses/{id}/input_items"
        return [
            self._route("GET", one, "responses.retrieve", responses.retrieve),
            self._route("DELETE", one, "responses.delete", responses.delete),
            self._route("POST", one + "/cancel", "responses.cancel", responses.cancel),
            self._route("GET", items, "responses.input_items", responses.input_items),
        ]

    def _file_routes(self) -> list[Route]:
        files = self._files
        return [
            self._route("POST", "/files", "files.create", files.create),
            self._route("GET", "/files", "files.list", files.page),
            self._route("GET", "/files/{id}", "files.retrieve", files.retrieve),
            self._route("DELETE", "/files/{id}", "files.delete", files.delete),
            self._route("GET", "/files/{id}/content", "files.content", files.content),
        ]

    def _batch_routes(self) -> list[Route]:
        batches = self._batches
        return [
            self._route("POST", "/batches", "batches.create", batches.create),
            self._route("GET", "/batches", "batches.list", batches.page),
            self._route("GET", "/batches/{id}", "batches.retrieve", batches.retrieve),
            self._route("POST", "/batches/{id}/cancel", "batches.cancel", batches.cancel),
        ]

    def _route(self, method: str, pattern: str, operation: str, handler: Handler) -> Route:
        answered = refusing(handler, RefusedError, self.dialect.refused)
        return Route(method, pattern, operation, answered)

    def key_of(self, request: Request) -> str:
        """Return the bearer token."""
        return bearer_token(request)

    def wrong_key(self, key: str) -> Response:
        """Return the error for a key that is missing or wrong."""
        return self.dialect.wrong_key(key)

    def unknown_path(self, request: Request) -> Response:
        """Return the error for an address that is none."""
        message = f"Invalid URL ({request.method} /v1{request.path})"
        return self.dialect.error(404, message)

    def unknown_method(self, request: Request) -> Response:
        """Return the error for an address that knows no such method."""
        if request.path in _NOT_HERE:
            return self.unknown_path(request)
        message = (
            f"Not allowed to {request.method} on /v1{request.path}. (HINT: Perhaps you meant to "
            "use a different HTTP method?)"
        )
        return self.dialect.error(405, message, code="method_not_supported")

    def new_request_id(self) -> str:
        """Return a name for a request."""
        return self._world.ids.hexadecimal("req_", 32)

    def usual_headers(self, request: Request) -> dict[str, str]:
        """Return the headers that stand on every answer."""
        return {
            "x-request-id": request.id,
            "openai-organization": ORGANIZATION,
            "openai-version": _API_VERSION,
            "openai-processing-ms": "0",
        }

    async def aclose(self) -> None:
        """Stop what runs."""
        await self._batches.aclose()


def _model_route(path: str, operation: str, endpoint: ModelEndpoint) -> Route:
    return Route("POST", path, operation, endpoint.create, calls_model=True)
