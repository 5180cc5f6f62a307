"""POST, GET and DELETE /v1/messages/batches."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from ..batches import BatchRunner, RemoteBatch
from ..exchange import Response, json_response
from ..shelf import Shelf
from .batch_input import read_lines
from .batch_job import BatchJob
from .batch_lines import BatchLines
from .pages import PageRequest
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..batches import BatchState, DoneLine
    from ..exchange import Request
    from ..world import World
    from .batch_input import BatchLine
    from .dialect import AnthropicDialect
    from .messages import Messages

_LIFE_SECONDS: Final = 24 * 3_600


class Batches:
    """Takes, runs, lists, shows, cancels and deletes batches, and gives their results.

    Args:
        world: where it happens.
        dialect: how errors are said.
        messages: answers the single requests.
    """

    def __init__(self, world: World, dialect: AnthropicDialect, messages: Messages) -> None:
        self._world = world
        self._lines = BatchLines(world, dialect, messages)
        self._shelf: Shelf[BatchJob] = Shelf()

    async def create(self, request: Request) -> Response:
        """Answer POST /v1/messages/batches."""
        lines = read_lines(request.body)
        identity = self._world.chance.digest("anthropic batch", request.body)
        batch = self._new_batch(request, lines, identity)
        job = BatchJob(batch, self._new_runner(batch, lines))
        self._shelf.put(request.key, batch.id, batch.created_at, job)
        self._world.books.note_create("anthropic", "batch", batch.id, identity)
        job.runner.start()
        return self._shown(job, request)

    async def retrieve(self, request: Request) -> Response:
        """Answer GET /v1/messages/batches/{message_batch_id}."""
        return self._shown(self._job(request), request)

    async def page(self, request: Request) -> Response:
        """Answer GET /v1/messages/batches."""
        page = PageRequest.of(request.query)
        before = self._world.visible_before("anthropic", "batches.list", request)
        now = self._world.clock.now()
        # What a cursor names was seen already: it stays where the list lags behind.
        seen = [
            (name, job.encoded(now, request.origin))
            for name, job in self._shelf.newest_first(request.key, math.inf)
            if job.batch.created_at <= before or name in (page.after, page.before)
        ]
        return page.cut(seen)

    async def cancel(self, request: Request) -> Response:
        """Answer POST /v1/messages/batches/{message_batch_id}/cancel."""
        job = self._job(request)
        if job.batch.has_ended:
            raise RefusedError(
                f"Batch {job.batch.id} cannot be canceled because it has already ended."
            )
        job.runner.cancel()
        return self._shown(job, request)

    async def delete(self, request: Request) -> Response:
        """Answer DELETE /v1/messages/batches/{message_batch_id}."""
        batch = self._job(request).batch
        if not batch.has_ended:
            raise RefusedError(
                f"Batch {batch.id} cannot be deleted while it is still processing; cancel it "
                f"first, and wait until it has ended."
            )
        self._shelf.delete(request.key, batch.id)
        return json_response({"id": batch.id, "type": "message_batch_deleted"})

    async def results(self, request: Request) -> Response:
        """Answer GET /v1/messages/batches/{message_batch_id}/results."""
        job = self._job(request)
        name = job.batch.id
        if not job.batch.has_ended:
            raise RefusedError(f"Batch {name} has no results yet: it is still processing.", 404)
        if job.is_archived(self._world.clock.now()):
            raise RefusedError(
                f"The results of batch {name} are gone: they are kept for 29 days.", 404
            )
        return Response(200, job.results(), content_type="application/x-jsonl")

    async def aclose(self) -> None:
        """Stop the batches that run."""
        for job in self._shelf:
            await job.runner.aclose()

    def _job(self, request: Request) -> BatchJob:
        name = request.params["message_batch_id"]
        job = self._shelf.get(request.key, name)
        if job is None:
            raise RefusedError(f"Batch not found: {name}", 404)
        return job

    def _shown(self, job: BatchJob, request: Request) -> Response:
        return json_response(job.encoded(self._world.clock.now(), request.origin))

    def _new_batch(
        self, request: Request, lines: Sequence[BatchLine], identity: bytes
    ) -> RemoteBatch:
        world, now = self._world, self._world.clock.now()
        first = self._lines.first_call(request.key, lines[0])
        subject = world.occurrences.subject(identity)
        return RemoteBatch(
            id=world.ids.letters("msgbatch_01", 22),
            provider="anthropic",
            key=request.key,
            model=first.model,
            created_at=now,
            expires_at=now + _LIFE_SECONDS,
            subject=subject,
            custom_ids=[line.custom_id for line in lines],
            faults=world.faults.for_batch(first, request.headers, subject),
        )

    def _new_runner(self, batch: RemoteBatch, lines: list[BatchLine]) -> BatchRunner[BatchLine]:
        async def execute(line: BatchLine) -> DoneLine:
            return await self._lines.execute(batch, line)

        def finish(batch: RemoteBatch, _: BatchState) -> None:
            self._lines.finish(batch)
            lines.clear()  # they hold the whole body of the create

        return BatchRunner(self._world, batch, lines, execute, finish)
