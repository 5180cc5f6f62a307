"""Gemini, as a whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from ..exchange import bearer_token
from ..routes import Route, refusing
from .batch_maker import BatchMaker
from .batches import Batches
from .cache_store import CacheStore
from .caches import CachedContents
from .count import CountTokens
from .dialect import GeminiDialect, error_info, localized_message
from .embeddings import Embeddings
from .file_store import FileStore
from .files import Files
from .generate import GenerateContent
from .models import Models
from .prompt import PromptReader
from .reader import RequestReader
from .refusal import RefusedError
from .upload import Uploads

if TYPE_CHECKING:
    from ..call import Provider
    from ..exchange import Request, Response
    from ..routes import Handler
    from ..world import World

_VERSIONS: Final = frozenset({"v1", "v1beta", "v1alpha"})
_MODEL: Final = "/{version}/models/{model}"
_CACHES: Final = "/{version}/cachedContents"
_FILES: Final = "/{version}/files"
_BATCHES: Final = "/{version}/batches"
_NO_KEY: Final = (
    "Method doesn't allow unregistered callers (callers without established identity). Please use "
    "API Key or other form of API consumer identity to call this API."
)
_WRONG_KEY: Final = "API key not valid. Please pass a valid API key."


class _AccessToken(str):
    """A key that came as OAuth's bearer token: a wrong one is refused in other words."""

    __slots__ = ()


class GeminiFace:
    """Gemini's endpoints, below /gemini."""

    def __init__(self, world: World) -> None:
        self.name: Provider = "gemini"
        self.dialect = GeminiDialect()
        self._world = world
        self._models = Models(world)
        self._file_store = FileStore(world)
        prompts, caches = PromptReader(self._file_store), CacheStore(world)
        reader = RequestReader(prompts, caches)
        self._caches = CachedContents(world, self._models, prompts, caches)
        self._generate = GenerateContent(world, self.dialect, self._models, reader)
        self._count = CountTokens(self._models, reader)
        self._embed = Embeddings(world, self.dialect, self._models, prompts)
        self._files = Files(world, self._file_store)
        self._uploads = Uploads(world, self.dialect, self._file_store)
        self._batch_maker = BatchMaker(
            world,
            self.dialect,
            self._models,
            self._file_store,
            {"generateContent": self._generate, "embedContent": self._embed},
        )
        self._batches = Batches(world, self._batch_maker)

    def routes(self) -> list[Route]:
        """Return all endpoints."""
        routes = [
            *self._model_routes(),
            *self._cache_routes(),
            *self._file_routes(),
            *self._batch_routes(),
        ]
        return [replace(route, handler=self._versioned(route.handler)) for route in routes]

    def _model_routes(self) -> list[Route]:
        generate, embed, models = self._generate, self._embed, self._models
        return [
            Route(
                "POST",
                f"{_MODEL}:generateContent",
                "generateContent",
                generate.create,
                calls_model=True,
            ),
            Route(
                "POST",
                f"{_MODEL}:streamGenerateContent",
                "streamGenerateContent",
                generate.stream,
                calls_model=True,
            ),
            Route(
                "POST",
                f"{_MODEL}:batchEmbedContents",
                "batchEmbedContents",
                embed.create_many,
                calls_model=True,
            ),
            Route("POST", f"{_MODEL}:embedContent", "embedContent", embed.create, calls_model=True),
            Route("POST", f"{_MODEL}:countTokens", "countTokens", self._count.create),
            Route("GET", "/{version}/models", "models.list", models.page),
            Route("GET", _MODEL, "models.get", models.get),
            Route("GET", "/{version}/tunedModels", "tunedModels.list", models.page_of_tuned),
        ]

    def _cache_routes(self) -> list[Route]:
        caches, one = self._caches, f"{_CACHES}/{{id}}"
        return [
            Route("POST", _CACHES, "cachedContents.create", caches.create),
            Route("GET", _CACHES, "cachedContents.list", caches.page),
            Route("GET", one, "cachedContents.get", caches.get),
            Route("PATCH", one, "cachedContents.patch", caches.patch),
            Route("DELETE", one, "cachedContents.delete", caches.delete),
        ]

    def _file_routes(self) -> list[Route]:
        files, one = self._files, f"{_FILES}/{{id}}"
        return [
            Route("POST", f"/upload{_FILES}", "files.upload", self._uploads.upload),
            Route("GET", _FILES, "files.list", files.page),
            Route("GET", one, "files.get", files.get),
            Route("DELETE", one, "files.delete", files.delete),
            Route("GET", f"{one}:download", "files.download", files.download),
            Route("GET", f"/download{one}:download", "files.download", files.download),
        ]

    def _batch_routes(self) -> list[Route]:
        batches, one = self._batches, f"{_BATCHES}/{{id}}"
        return [
            Route("POST", f"{_MODEL}:batchGenerateContent", "batches.create", batches.create),
            Route(
                "POST",
                f"{_MODEL}:asyncBatchEmbedContent",
                "batches.create",
                batches.create_embeddings,
            ),
            Route("GET", _BATCHES, "batches.list", batches.page),
            Route("GET", one, "batches.get", batches.get),
            Route("POST", f"{one}:cancel", "batches.cancel", batches.cancel),
            Route("DELETE", one, "batches.delete", batches.delete),
        ]

    def _versioned(self, handler: Handler) -> Handler:
        """Return a handler that answers under the API's versions only."""

        async def answer(request: Request) -> Response:
            if request.params.get("version", "v1") not in _VERSIONS:
                return self.unknown_path(request)
            return await handler(request)

        return refusing(answer, RefusedError, self.dialect.refused)

    def key_of(self, request: Request) -> str:
        """Return the key of the header, of the address, or an access token."""
        key = request.headers.get("x-goog-api-key") or request.query.get("key")
        if key:
            return key
        if token := bearer_token(request):
            return _AccessToken(token)
        return self._uploads.key_of(request)

    def wrong_key(self, key: str) -> Response:
        """Return the error for a key that is missing or wrong: 403, 400; 401 for a token."""
        if isinstance(key, _AccessToken):
            method = "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent"
            return self.dialect.error(
                401, details=[error_info("ACCESS_TOKEN_TYPE_UNSUPPORTED", method=method)]
            )
        if not key:
            return self.dialect.error(403, _NO_KEY)
        details = [error_info("API_KEY_INVALID"), localized_message(_WRONG_KEY)]
        return self.dialect.error(400, _WRONG_KEY, details=details)

    def unknown_path(self, request: Request) -> Response:
        """Return the error for an address that is none."""
        message = f"Method not found: nothing is at {request.method} {request.path}."
        return self.dialect.error(404, message)

    def unknown_method(self, request: Request) -> Response:
        """Return the error for an address that knows no such method, which is Google's 404 too."""
        return self.unknown_path(request)

    def new_request_id(self) -> str:
        """Return "": Gemini names no requests; a response has an id of its own."""
        return ""

    def usual_headers(self, request: Request) -> dict[str, str]:
        """Return the headers that stand on every answer."""
        return {"server-timing": "gfet4t7; dur=1", "vary": "Origin, X-Origin, Referer"}

    async def aclose(self) -> None:
        """Stop what runs."""
        await self._batch_maker.aclose()
