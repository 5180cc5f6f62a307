"""POST and GET /batches."""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, Final

from ..batches import BatchRunner, RemoteBatch
from ..call import ModelCall
from ..exchange import json_response
from ..shelf import Shelf
from .batch_input import InputLine, InputProblem, model_of_first_line, read_input
from .batch_job import BatchJob
from .batch_lines import BatchLines, sender_of
from .batch_order import read_order
from .catalogue import facts_of
from .dialect import ORGANIZATION
from .model_rules import is_model
from .pages import PageRequest
from .refusal import RefusedError
from .upload import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..batches import BatchState
    from ..exchange import Request, Response
    from ..faults import Fault
    from ..world import World
    from .batch_order import BatchOrder
    from .dialect import OpenAIDialect
    from .endpoint import ModelEndpoint
    from .file_store import FileStore, StoredFile

_WINDOW_SECONDS: Final = 24 * 3_600
# Between so many lines whose tokens are counted, other requests get their turn.
_LINES_AT_A_STRETCH: Final = 20


class Batches:
    """Takes, runs, lists, shows and cancels batches.

    Args:
        world: where it happens.
        dialect: how errors are said.
        files: where input files come from, and result files go.
        endpoints: what answers the lines, by the endpoint as lines name it.
    """

    def __init__(
        self,
        world: World,
        dialect: OpenAIDialect,
        files: FileStore,
        endpoints: Mapping[str, ModelEndpoint],
    ) -> None:
        self._world = world
        self._dialect = dialect
        self._files = files
        self._endpoints = endpoints
        self._jobs: Shelf[BatchJob] = Shelf()
        self._runners: dict[str, BatchRunner[InputLine]] = {}

    async def create(self, request: Request) -> Response:
        """Take a batch, and start it; its lines are checked later."""
        order = read_order(request.body)
        if order.endpoint not in self._endpoints:
            message = f"The simulator runs no batches for {order.endpoint}."
            raise RefusedError(message, param="endpoint", code="invalid_value")
        job = await self._accept(request, order)
        return json_response(job.encoded())

    async def retrieve(self, request: Request) -> Response:
        """Return one batch."""
        return json_response(self._job(request).encoded())

    async def page(self, request: Request) -> Response:
        """Return a page of the batches of this key, newest first."""
        before = self._world.visible_before("openai", "batches.list", request)
        page = PageRequest.of(request.query, most=100, usual=20)
        # What the cursor names was seen already: it stays where the list lags behind.
        seen = [
            (name, job)
            for name, job in self._jobs.newest_first(request.key, math.inf)
            if job.remote.created_at <= before or name == page.after
        ]
        return page.cut(seen, BatchJob.encoded, _no_batch)

    async def cancel(self, request: Request) -> Response:
        """Ask a batch to stop; one that is cancelled already stays so."""
        job = self._job(request)
        state = job.remote.state
        if state in ("completed", "failed", "expired"):
            raise RefusedError(f"Cannot cancel a batch with status '{state}'.", status=409)
        if (runner := self._runners.get(job.remote.id)) is not None:
            runner.cancel()
        return json_response(job.encoded())

    async def aclose(self) -> None:
        """Stop all batches."""
        await asyncio.gather(*(runner.aclose() for runner in self._runners.values()))

    # --- a new batch -----------------------------------------------------------------------

    async def _accept(self, request: Request, order: BatchOrder) -> BatchJob:
        world = self._world
        file = self._files.get(request.key, order.input_file_id)
        subject = await self._subject(order, file)
        now = world.clock.now()
        remote = RemoteBatch(
            id=world.ids.hexadecimal("batch_", 32),
            provider="openai",
            key=request.key,
            model="",
            created_at=now,
            expires_at=now + _WINDOW_SECONDS,
            subject=subject,
            faults=self._draw_faults(request, file, subject),
        )
        job = BatchJob(remote, order)
        identity = world.chance.digest("openai batch", request.body)
        world.books.note_create("openai", "batch", remote.id, identity)
        self._jobs.put(request.key, remote.id, now, job)
        self._start(job, file)
        return job

    def _start(self, job: BatchJob, file: StoredFile | None) -> None:
        endpoint = self._endpoints[job.order.endpoint]
        work = BatchLines(self._world, self._dialect, endpoint, job, self._files)
        lines: list[InputLine] = []

        async def prepare() -> None:
            lines.extend(await self._checked_lines(job, file))

        def finish(remote: RemoteBatch, state: BatchState) -> None:
            if state != "failed":
                work.finish(remote)
            del self._runners[remote.id]

        runner = BatchRunner(self._world, job.remote, lines, work.execute, finish, prepare)
        self._runners[job.remote.id] = runner
        runner.start()

    async def _checked_lines(self, job: BatchJob, file: StoredFile | None) -> list[InputLine]:
        """Return the lines of a batch; none, and a failure of the batch, if they are wrong."""
        remote, order = job.remote, job.order
        if file is None:
            job.errors.append(_no_file(order.input_file_id))
        elif file.purpose != "batch":
            message = f"The file {file.id} has the purpose {file.purpose}; it must be 'batch'."
            job.errors.append(InputProblem("invalid_file_purpose", message, param="input_file_id"))
        else:
            found = await read_input(file.content, order.endpoint, partial(is_model, self._world))
            remote.model = "" if found.model is None else facts_of(found.model).snapshot
            job.errors.extend(found.errors)
            if not job.errors and found.model is not None:
                await self._enqueue(job, found.lines, found.model)
            if not job.errors:
                remote.custom_ids.extend(line.custom_id for line in found.lines)
                return found.lines
        remote.failure = (job.errors[0].code, job.errors[0].message)
        return []

    async def _enqueue(self, job: BatchJob, lines: list[InputLine], model: str) -> None:
        """Count the tokens of all lines against the limit of what may wait."""
        remote, endpoint = job.remote, self._endpoints[job.order.endpoint]
        for number, line in enumerate(lines):
            if number % _LINES_AT_A_STRETCH == 0:
                await asyncio.sleep(0)
            try:
                call = endpoint.first_call(line.body, sender_of(remote.key, line))
            except RefusedError:  # the line will fail when it runs, and costs nothing
                continue
            remote.input_tokens += call.input_tokens
        limits = self._world.limits
        limit = limits.enqueue("openai", model, remote.key, remote.id, remote.input_tokens)
        if limit is not None:
            message = (
                f"Enqueued token limit reached for {model} in organization {ORGANIZATION}. "
                f"Limit: {limit:,} enqueued tokens. Please try again once some in_progress "
                f"batches have been completed."
            )
            job.errors.append(InputProblem("token_limit_exceeded", message))

    async def _subject(self, order: BatchOrder, file: StoredFile | None) -> bytes:
        """Return what chance depends on: the lines, as a file's id goes by the order of files."""
        content = b"" if file is None else file.content
        identity = await digest_of(content, f"openai batch\0{order.endpoint}\0".encode())
        return self._world.occurrences.subject(identity)

    def _draw_faults(
        self, request: Request, file: StoredFile | None, subject: bytes
    ) -> list[Fault]:
        """Return what will go wrong with a batch."""
        model = "" if file is None else model_of_first_line(file.content)
        call = ModelCall("openai", "batches.create", model, request.key, ())
        return self._world.faults.for_batch(call, request.headers, subject)

    # --- one batch -------------------------------------------------------------------------

    def _job(self, request: Request) -> BatchJob:
        job = self._jobs.get(request.key, request.params["id"])
        if job is None:
            raise _no_batch(request.params["id"])
        return job


def _no_batch(identifier: str) -> RefusedError:
    return RefusedError(f"No batch found with id '{identifier}'.", status=404)


def _no_file(identifier: str) -> InputProblem:
    message = f"Cannot find file {identifier}, or organization {ORGANIZATION} does not have access"
    message += " to it."
    return InputProblem("invalid_request", message, param="file_id")
