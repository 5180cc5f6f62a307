"""Batches: create, GET, list, cancel and DELETE."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from ..exchange import json_response
from ..shelf import Shelf
from .batch_job import BatchJob
from .pages import PageRequest
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..exchange import Request, Response
    from ..world import World
    from .batch_job import BatchKind
    from .batch_maker import BatchMaker

USUAL_PAGE: Final = 50
MOST_ON_PAGE: Final = 1_000


class Batches:
    """Answers all about batches.

    Args:
        world: where it happens.
        maker: begins batches.
    """

    def __init__(self, world: World, maker: BatchMaker) -> None:
        self._world = world
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
        return json_response(self._job(request).encoded())

    async def page(self, request: Request) -> Response:
        """Answer GET /{version}/batches: newest first, without the results of inline batches."""
        before = self._world.visible_before("gemini", "batches.list", request)
        jobs = [job for _, job in self._shelf.newest_first(request.key, before)]
        page = PageRequest.of(request.query, most=MOST_ON_PAGE, usual=USUAL_PAGE)
        return page.cut("operations", jobs, partial(BatchJob.encoded, with_inline_results=False))

    async def cancel(self, request: Request) -> Response:
        """Answer POST /{version}/batches/{id}:cancel; a batch that has ended stays as it is."""
        runner = self._job(request).runner
        if runner is not None:
            runner.cancel()
        return json_response({})

    async def delete(self, request: Request) -> Response:
        """Answer DELETE /{version}/batches/{id}: nobody sees it any more, but it is not stopped."""
        batch = self._job(request).batch
        batch.deleted = True
        self._shelf.delete(request.key, batch.id)
        return json_response({})

    async def _create(self, request: Request, kind: BatchKind) -> Response:
        job = await self._maker.make(request, kind)
        self._shelf.put(request.key, job.batch.id, job.batch.created_at, job)
        return json_response(job.encoded())

    def _job(self, request: Request) -> BatchJob:
        job = self._shelf.get(request.key, request.params["id"])
        if job is None:
            raise RefusedError("Requested entity was not found.", status=404)
        return job
