"""Batches: create, GET, list, cancel and DELETE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exchange import json_response
from ..shelf import Shelf
from .pages import PageRefusedError, cut_page
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..exchange import Request, Response
    from ..world import World
    from .batches_job import BatchJob, BatchKind
    from .batches_maker import BatchMaker
    from .dialect import GeminiDialect

USUAL_PAGE: Final = 50
MOST_ON_PAGE: Final = 1_000


class Batches:
    """Answers all about batches.

    Args:
        world: where it happens.
        dialect: how errors are said.
        maker: begins batches.
    """

    def __init__(self, world: World, dialect: GeminiDialect, maker: BatchMaker) -> None:
        self._world = world
        self._dialect = dialect
        self._maker = maker
        self._shelf: Shelf[BatchJob] = Shelf()

    async def create(self, request: Request) -> Response:
        """Answer POST /{version}/models/{model}:batchGenerateContent."""
        return await self._create(request, "generateContent")

    async def create_embeddings(self, request: Request) -> Response:
        """Answer POST /{version}/models/{model}:asyncBatchEmbedContent."""
        return await self._create(request, "embedContent")

    async def get(self, request: Request) -> Response:
        """Answer GET /{version}/batches/{id}."""
        job = self._shelf.get(request.key, request.params["id"])
        return self._dialect.error(404) if job is None else json_response(job.encoded())

    async def page(self, request: Request) -> Response:
        """Answer GET /{version}/batches: newest first, without the results of inline batches."""
        before = self._world.visible_before("gemini", "batches.list", request.key)
        jobs = [job for _, job in self._shelf.newest_first(request.key, before)]
        try:
            page, token = cut_page(jobs, request.query, usual=USUAL_PAGE, most=MOST_ON_PAGE)
        except PageRefusedError as refused:
            return self._dialect.error(400, str(refused))
        value: dict[str, object] = {}
        if page:
            value["operations"] = [job.encoded(with_inline_results=False) for job in page]
        if token is not None:
            value["nextPageToken"] = token
        return json_response(value)

    async def cancel(self, request: Request) -> Response:
        """Answer POST /{version}/batches/{id}:cancel; a batch that has ended stays as it is."""
        job = self._shelf.get(request.key, request.params["id"])
        if job is None:
            return self._dialect.error(404)
        if job.runner is not None:
            job.runner.cancel()
        return json_response({})

    async def delete(self, request: Request) -> Response:
        """Answer DELETE /{version}/batches/{id}: nobody sees it any more, but it is not stopped."""
        job = self._shelf.delete(request.key, request.params["id"])
        return self._dialect.error(404) if job is None else json_response({})

    async def _create(self, request: Request, kind: BatchKind) -> Response:
        try:
            job = await self._maker.make(request, kind)
        except RefusedError as refused:
            return self._dialect.refused(refused)
        self._shelf.put(request.key, job.batch.id, job.batch.created_at, job)
        return json_response(job.encoded())
