"""New batches: what a client asks for is checked, begun, and its results are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..batches import BatchRunner, RemoteBatch
from ..call import ModelCall
from ..faults import FaultKind
from .batches_input import decode_file, decode_input
from .batches_job import BatchJob
from .batches_line import LineRunner
from .files import no_file
from .files_store import new_id
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..exchange import Request
    from ..faults import Fault
    from ..world import World
    from .batches_input import BatchInput, BatchLine
    from .batches_job import BatchKind
    from .batches_line import Answering
    from .dialect import GeminiDialect
    from .files_store import FileStore, StoredFile
    from .models import Models

LIFE_SECONDS: Final = 48 * 3_600.0
"""A batch that has not ended by then expires."""

_ID_CHARACTERS: Final = 36
_RESULTS_TYPE: Final = "application/jsonl"
_ACTIONS: Final[dict[BatchKind, str]] = {
    "generateContent": "batchGenerateContent",
    "embedContent": "asyncBatchEmbedContent",
}


class BatchMaker:
    """Begins batches, and lets them run.

    Args:
        world: where it happens.
        dialect: how errors are said.
        models: which models there are.
        files: where files of lines come from, and files of results go.
        answering: what answers the lines, by what they ask for.
    """

    def __init__(
        self,
        world: World,
        dialect: GeminiDialect,
        models: Models,
        files: FileStore,
        answering: dict[BatchKind, Answering],
    ) -> None:
        self._world = world
        self._dialect = dialect
        self._models = models
        self._files = files
        self._answering = answering
        self._runners: set[BatchRunner[BatchLine]] = set()

    async def make(self, request: Request, kind: BatchKind) -> BatchJob:
        """Return a batch that has begun.

        Raises:
            RefusedError: for a request of which no batch can be made.
        """
        self._check_model(request, kind)
        wanted = decode_input(request.body)
        lines, failure = await self._lines(wanted, self._file(request, wanted))
        identity = self._world.chance.digest("gemini batch", request.path.encode() + request.body)
        job = self._job(request, kind, wanted)
        job.batch.custom_ids = [line.key or "" for line in lines]
        job.batch.failure = failure
        job.batch.faults = self._faults(request, kind, identity)
        job.bare = self._bare(job)
        self._world.books.note_create("gemini", "batch", job.name, identity)
        self._start(job, lines)
        return job

    async def aclose(self) -> None:
        """Stop all that run."""
        for runner in tuple(self._runners):
            await runner.aclose()

    # --- what is asked for -----------------------------------------------------------------

    def _check_model(self, request: Request, kind: BatchKind) -> None:
        name, version = request.params["model"], request.params["version"]
        model = self._models.find(name)
        if model is None or model.embeds is not (kind == "embedContent"):
            raise self._models.refusal(name, _ACTIONS[kind], version)

    def _file(self, request: Request, wanted: BatchInput) -> StoredFile | None:
        """Return the file that holds the lines; None where they came with the request."""
        if wanted.file_name is None:
            return None
        file_id = wanted.file_name.removeprefix("files/")
        file = self._files.get(request.key, file_id)
        if file is None:
            raise RefusedError(no_file(file_id), status=403)
        if file.state(self._world.clock.now()) != "ACTIVE":
            raise RefusedError(
                f"The File {file_id} is not in an ACTIVE state and usage is not allowed.",
                error_type="FAILED_PRECONDITION",
            )
        return file

    async def _lines(
        self, wanted: BatchInput, file: StoredFile | None
    ) -> tuple[list[BatchLine], tuple[str, str] | None]:
        """Return the lines, and why the batch will fail: a bad file is found out later."""
        if file is None:
            return wanted.lines, None
        try:
            return await decode_file(file.content), None
        except RefusedError as refused:
            return [], ("INVALID_ARGUMENT", f"{file.name}: {refused}")

    # --- the batch -------------------------------------------------------------------------

    def _job(self, request: Request, kind: BatchKind, wanted: BatchInput) -> BatchJob:
        now = self._world.clock.now()
        batch = RemoteBatch(
            new_id(self._world, _ID_CHARACTERS),
            "gemini",
            request.key,
            request.params["model"],
            created_at=now,
            expires_at=now + LIFE_SECONDS,
        )
        return BatchJob(batch, kind, wanted.display_name, wanted.file_name)

    def _faults(self, request: Request, kind: BatchKind, identity: bytes) -> list[Fault]:
        call = ModelCall("gemini", kind, request.params["model"], request.key, ())
        occurrence = self._world.occurrences.next(identity)
        subject = identity + occurrence.to_bytes(4, "big")
        return self._world.faults.for_batch(call, request.headers, subject)

    def _bare(self, job: BatchJob) -> frozenset[int]:
        """Return the numbers of the lines whose results lose their metadata."""
        fault = job.batch.fault(FaultKind.BATCH_NO_METADATA)
        if fault is None:
            return frozenset()
        chance, name = self._world.chance, job.batch.id

        def drawn(number: int) -> float:
            return chance.uniform("metadata", f"{name}\0{number}".encode())

        numbers = sorted(range(len(job.batch.custom_ids)), key=drawn)
        return frozenset(numbers[: round(len(numbers) * fault.share)])

    def _start(self, job: BatchJob, lines: list[BatchLine]) -> None:
        line_runner = LineRunner(self._world, self._dialect, job, self._answering[job.kind])

        def finish(batch: RemoteBatch) -> None:
            self._write_results(job, batch)
            if job.runner is not None:
                self._runners.discard(job.runner)
                job.runner = None

        job.runner = BatchRunner(self._world, job.batch, lines, line_runner.execute, finish)
        self._runners.add(job.runner)
        job.runner.start()

    def _write_results(self, job: BatchJob, batch: RemoteBatch) -> None:
        """Put the results into a file, where the lines came from one and all of them ran."""
        ran_through = "finalizing" in batch.reached and "cancelling" not in batch.reached
        if job.is_inline or not ran_through:
            return
        content = b"".join(line.encoded + b"\n" for line in batch.done)
        file = self._files.add(
            batch.key,
            content,
            _RESULTS_TYPE,
            file_id=f"batch-{batch.id}",
            source="GENERATED",
        )
        job.output_file = file.name
        batch.done = []
