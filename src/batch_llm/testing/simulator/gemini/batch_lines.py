"""What becomes of one line of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from ..batches import DoneLine, kept_from_running
from ..call import Sender
from ..faults import FaultKind
from .codes import grpc_code
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..call import ModelCall
    from ..exchange import Response
    from ..faults import Fault
    from ..world import World
    from .batch_input import BatchLine
    from .batch_job import BatchJob
    from .dialect import GeminiDialect

_ENCODER: Final = msgspec.json.Encoder()


class Answering(Protocol):
    """What answers the lines of one kind of batch."""

    async def answer(self, model: str, request: bytes, sender: Sender) -> Response:
        """Return the answer to one line.

        Args:
            model: without "models/".
            request: in JSON.
            sender: whose line it is.
        """
        ...

    def first_call(self, model: str, request: bytes, sender: Sender) -> ModelCall:
        """Return what a line asks of a model, which is not run; arguments are those of `answer`.

        Raises:
            RefusedError: for a line that is refused.
        """
        ...


class _Error(msgspec.Struct):
    message: str = ""
    status: str = ""


class _Failure(msgspec.Struct):
    error: _Error | None = None


_FAILURES: Final = msgspec.json.Decoder(_Failure)
_OBJECTS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class BatchLines:
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
        if (fault := batch.fault(FaultKind.BATCH_ONLY_ERRORS)) is not None:
            return self._failed(line, fault)
        return await self._answering.answer(batch.model, line.request, self._sender_of(line))

    def _failed(self, line: BatchLine, fault: Fault) -> Response:
        """Return the error of a line that a fault keeps from running."""
        batch = self._job.batch
        try:
            call = self._answering.first_call(batch.model, line.request, self._sender_of(line))
        except RefusedError as refused:
            return self._dialect.refused(refused)
        return kept_from_running(self._world, self._dialect, call, fault)

    def _sender_of(self, line: BatchLine) -> Sender:
        return Sender(self._job.batch.key, lane="batch", custom_id=line.key or "")

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
