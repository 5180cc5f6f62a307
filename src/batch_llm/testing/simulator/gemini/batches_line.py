"""What becomes of one line of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from ..batches import DoneLine
from ..faults import BEFORE, FaultKind
from .codes import grpc_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..exchange import Response
    from ..world import World
    from .batches_input import BatchLine
    from .batches_job import BatchJob
    from .dialect import GeminiDialect

_ENCODER: Final = msgspec.json.Encoder()


class Answering(Protocol):
    """What answers the requests of one operation, live and in batches."""

    async def answer(
        self,
        model: str,
        request: bytes,
        *,
        key: str,
        headers: Mapping[str, str] = ...,
        custom_id: str | None = ...,
    ) -> Response:
        """Return the answer to one request.

        Args:
            model: without "models/".
            request: in JSON.
            key: the API key.
            headers: of a live request.
            custom_id: of a line of a batch; the call's lane is "batch" even where it is "".
        """
        ...


class _Error(msgspec.Struct):
    message: str = ""
    status: str = ""


class _Failure(msgspec.Struct):
    error: _Error | None = None


_FAILURES: Final = msgspec.json.Decoder(_Failure)
_OBJECTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class LineRunner:
    """Executes the lines of one batch.

    Args:
        world: where it happens.
        dialect: how errors are said.
        job: whose lines they are.
        answering: what answers them.
    """

    def __init__(
        self, world: World, dialect: GeminiDialect, job: BatchJob, answering: Answering
    ) -> None:
        self._world = world
        self._dialect = dialect
        self._job = job
        self._answering = answering

    async def execute(self, line: BatchLine) -> DoneLine:
        """Return the result of a line, as it stands in the batch's output."""
        response = await self._response(line)
        error = _error_of(response)
        result = {"error": error} if error is not None else {"response": self._body(response)}
        return DoneLine(
            line.key or "",
            "errored" if error is not None else "succeeded",
            _ENCODER.encode({**result, **self._named(line)}),
            response.record,
            response.status,
        )

    async def _response(self, line: BatchLine) -> Response:
        batch = self._job.batch
        if batch.fault(FaultKind.BATCH_ONLY_ERRORS) is not None:
            return self._dialect.error(500)
        response = await self._answering.answer(
            batch.model, line.request, key=batch.key, custom_id=line.key or ""
        )
        fault = response.fault
        if fault is None or fault.kind is FaultKind.SLOW_BODY:
            return response
        return self._not_arrived(response, executed=fault.kind not in BEFORE)

    def _not_arrived(self, response: Response, *, executed: bool) -> Response:
        """Return the error in the place of an answer that the connection would have lost."""
        failed = self._dialect.error(500 if executed else 503)
        failed.record = response.record
        if executed and failed.record is not None:
            self._world.books.close(failed.record, "lost", failed.status)
        return failed

    def _body(self, response: Response) -> msgspec.Raw | dict[str, object]:
        if self._job.kind == "generateContent":
            return msgspec.Raw(response.body)
        tokens = response.record.usage.input_tokens if response.record is not None else 0
        embedding = _OBJECTS.decode(response.body).get("embedding")
        told = {} if embedding is None else {"embedding": embedding}
        return {**told, "tokenCount": str(tokens)}

    def _named(self, line: BatchLine) -> dict[str, object]:
        """Return what tells whose result it is."""
        if self._job.is_inline:
            bare = line.metadata is None or line.number in self._job.bare
            return {} if bare else {"metadata": msgspec.Raw(line.metadata or b"")}
        return {} if line.key is None else {"key": line.key}


def _error_of(response: Response) -> dict[str, object] | None:
    """Return what a line's output says of a failure, a `google.rpc.Status`; None for none.

    Its code is one of gRPC, not of HTTP. Details are left out: `google.genai.types.JobError`
    reads them as texts, and fails on the objects that the service has elsewhere.
    """
    if response.status < 400 and not response.body.startswith(b'{"error"'):
        return None
    error = _FAILURES.decode(response.body).error or _Error()
    return {"code": grpc_code(error.status), "message": error.message}
