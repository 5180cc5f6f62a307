"""POST and GET /batches."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ..batches import BatchRunner, RemoteBatch
from ..call import ModelCall
from ..exchange import json_response
from ..shelf import Shelf
from .batch_input import InputError, InputLine, model_of_first_line, read_input
from .batch_job import BatchJob
from .batch_lines import BatchLines
from .batch_order import read_order
from .catalogue import facts_of, is_openai_model
from .dialect import ORGANIZATION
from .paging import PageRequest
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        try:
            order = read_order(request.body)
        except RefusedError as error:
            return error.response(self._dialect)
        if order.endpoint not in self._endpoints:
            message = f"The simulator runs no batches for {order.endpoint}."
            return self._dialect.error(400, message, param="endpoint", code="invalid_value")
        job = self._accept(request, order)
        return json_response(job.encoded())

    async def retrieve(self, request: Request) -> Response:
        """Return one batch."""
        job = self._find(request)
        return self._not_found(request) if job is None else json_response(job.encoded())

    async def page(self, request: Request) -> Response:
        """Return a page of the batches of this key, newest first."""
        before = self._world.visible_before("openai", "batches.list", request.key)
        try:
            page = PageRequest.of(request.query, most=100, usual=20)
            jobs = self._jobs.newest_first(request.key, before)
            return page.cut(jobs, BatchJob.encoded, _no_batch)
        except RefusedError as error:
            return error.response(self._dialect)

    async def cancel(self, request: Request) -> Response:
        """Ask a batch to stop; one that is cancelled already stays so."""
        job = self._find(request)
        if job is None:
            return self._not_found(request)
        state = job.remote.state
        if state in ("completed", "failed", "expired"):
            message = f"Cannot cancel a batch with status '{state}'."
            return self._dialect.error(409, message)
        if (runner := self._runners.get(job.remote.id)) is not None:
            runner.cancel()
        return json_response(job.encoded())

    async def aclose(self) -> None:
        """Stop all batches."""
        await asyncio.gather(*(runner.aclose() for runner in self._runners.values()))

    # --- a new batch -----------------------------------------------------------------------

    def _accept(self, request: Request, order: BatchOrder) -> BatchJob:
        world, now = self._world, self._world.clock.now()
        file = self._files.get(request.key, order.input_file_id)
        remote = RemoteBatch(
            id=world.ids.hexadecimal("batch_", 32),
            provider="openai",
            key=request.key,
            model="",
            created_at=now,
            expires_at=now + _WINDOW_SECONDS,
            faults=self._draw_faults(request, file),
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

        def finish(remote: RemoteBatch) -> None:
            if remote.failure is None:
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
            job.errors.append(InputError("invalid_file_purpose", message, param="input_file_id"))
        else:
            found = await read_input(file.content, order.endpoint, self._is_model)
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
                call = endpoint.first_call(line.body, key=remote.key, custom_id=line.custom_id)
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
            job.errors.append(InputError("token_limit_exceeded", message))

    def _is_model(self, name: str) -> bool:
        return is_openai_model(name) or name in self._world.settings.models

    def _draw_faults(self, request: Request, file: StoredFile | None) -> list[Fault]:
        """Return what will go wrong with a batch."""
        world = self._world
        subject = world.chance.digest("openai batch", request.body)
        subject += str(world.occurrences.next(subject)).encode()
        model = "" if file is None else model_of_first_line(file.content)
        call = ModelCall("openai", "batches.create", model, request.key, ())
        return world.faults.for_batch(call, request.headers, subject)

    # --- one batch -------------------------------------------------------------------------

    def _find(self, request: Request) -> BatchJob | None:
        return self._jobs.get(request.key, request.params["id"])

    def _not_found(self, request: Request) -> Response:
        return _no_batch(request.params["id"]).response(self._dialect)


def _no_batch(identifier: str) -> RefusedError:
    return RefusedError(f"No batch found with id '{identifier}'.", status=404)


def _no_file(identifier: str) -> InputError:
    message = f"Cannot find file {identifier}, or organization {ORGANIZATION} does not have access"
    message += " to it."
    return InputError("invalid_request", message, param="file_id")
