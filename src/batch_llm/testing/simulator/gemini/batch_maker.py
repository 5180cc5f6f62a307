"""New batches: what a client asks for is checked, begun, and its results are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..batches import BatchRunner, RemoteBatch, drawn_lines
from ..call import ModelCall
from ..faults import FaultKind
from .batch_input import decode_file, decode_input
from .batch_job import BatchJob
from .batch_lines import BatchLines
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..batches import BatchState
    from ..exchange import Request
    from ..faults import Fault
    from ..world import World
    from .batch_input import BatchInput, BatchLine
    from .batch_job import BatchKind
    from .batch_lines import Answering
    from .dialect import GeminiDialect
    from .file_store import FileStore, StoredFile
    from .models import Models

LIFE_SECONDS: Final = 48 * 3_600.0
"""A batch that has not ended by then expires."""

_WITH_RESULTS: Final[frozenset[BatchState]] = frozenset({"completed"})
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
        params = request.params
        embeds = kind == "embedContent"
        self._models.named(params["model"], _ACTIONS[kind], params["version"], embeds=embeds)
        wanted = decode_input(request.body)
        file = self._file(request, wanted)
        lines, failure = await self._lines(wanted, file)
        job = self._job(request, kind, wanted, self._subject(request, kind, lines, file))
        job.batch.custom_ids = [line.key or "" for line in lines]
        job.batch.failure = failure
        job.batch.faults = self._faults(request, kind, job.batch.subject)
        job.bare = self._bare(job)
        identity = self._world.chance.digest("gemini batch", request.path.encode() + request.body)
        self._world.books.note_create("gemini", "batch", job.name, identity)
        self._start(job, lines)
        return job

    async def aclose(self) -> None:
        """Stop all that run."""
        for runner in tuple(self._runners):
            await runner.aclose()

    # --- what is asked for -----------------------------------------------------------------

    def _file(self, request: Request, wanted: BatchInput) -> StoredFile | None:
        """Return the file that holds the lines; None where they came with the request."""
        if wanted.file_name is None:
            return None
        file_id = wanted.file_name.removeprefix("files/")
        return self._files.usable(request.key, file_id)

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

    def _subject(
        self,
        request: Request,
        kind: BatchKind,
        lines: Sequence[BatchLine],
        file: StoredFile | None,
    ) -> bytes:
        """Return what chance depends on: the lines, as a file's id goes by the order of files."""
        parts = [kind.encode(), request.params["model"].encode()]
        if file is not None:
            parts.append(file.sha256_hash.encode())
        else:
            parts.extend(line.request + (line.metadata or b"") for line in lines)
        identity = self._world.chance.digest("gemini lines", b"\0".join(parts))
        return self._world.occurrences.subject(identity)

    def _job(
        self, request: Request, kind: BatchKind, wanted: BatchInput, subject: bytes
    ) -> BatchJob:
        now = self._world.clock.now()
        batch = RemoteBatch(
            self._world.ids.small_letters(_ID_CHARACTERS),
            "gemini",
            request.key,
            request.params["model"],
            created_at=now,
            expires_at=now + LIFE_SECONDS,
            subject=subject,
        )
        return BatchJob(batch, kind, wanted.display_name, wanted.file_name)

    def _faults(self, request: Request, kind: BatchKind, subject: bytes) -> list[Fault]:
        call = ModelCall("gemini", kind, request.params["model"], request.key, ())
        return self._world.faults.for_batch(call, request.headers, subject)

    def _bare(self, job: BatchJob) -> frozenset[int]:
        """Return the numbers of the lines whose results lose their metadata."""
        fault = job.batch.fault(FaultKind.BATCH_NO_METADATA)
        if fault is None:
            return frozenset()
        return drawn_lines(self._world, job.batch, fault.share, "metadata")

    def _start(self, job: BatchJob, lines: list[BatchLine]) -> None:
        line_runner = BatchLines(self._world, self._dialect, job, self._answering[job.kind])

        def finish(batch: RemoteBatch, state: BatchState) -> None:
            if state == "completed" and not (job.is_inline or batch.deleted):
                self._write_results(job, batch)
            if job.runner is not None:
                self._runners.discard(job.runner)
                job.runner = None

        job.runner = BatchRunner(
            self._world,
            job.batch,
            lines,
            line_runner.execute,
            finish,
            with_results=_WITH_RESULTS,
        )
        self._runners.add(job.runner)
        job.runner.start()

    def _write_results(self, job: BatchJob, batch: RemoteBatch) -> None:
        """Put the results into a file, as the lines came from one."""
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
