"""Lines of a batch on their way from the input file to the result files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ..batches import DoneLine, kept_from_running
from ..call import Sender
from ..faults import FaultKind
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..batches import RemoteBatch
    from ..exchange import Response
    from ..faults import Fault
    from ..world import World
    from .batch_input import InputLine
    from .batch_job import BatchJob
    from .dialect import OpenAIDialect
    from .endpoint import ModelEndpoint
    from .file_store import FileStore

_NOT_RUN: Final[dict[str, tuple[str, str]]] = {
    "expired": (
        "batch_expired",
        "This request could not be executed before the completion window expired.",
    ),
    "canceled": ("batch_cancelled", "The batch was cancelled before this request was executed."),
}


class _Response(msgspec.Struct):
    status_code: int
    request_id: str
    body: msgspec.Raw


class _Error(msgspec.Struct):
    code: str
    message: str


class _ResultLine(msgspec.Struct):
    id: str
    custom_id: str
    response: _Response | None
    error: _Error | None


_ENCODER: Final = msgspec.json.Encoder()


def sender_of(key: str, line: InputLine) -> Sender:
    """Return where the call of a line comes from."""
    return Sender(key, lane="batch", custom_id=line.custom_id)


class BatchLines:
    """Runs the lines of one batch, and writes its result files.

    Args:
        world: where it happens.
        dialect: how errors are said.
        endpoint: answers the lines.
        job: the batch.
        files: takes the result files.
    """

    def __init__(
        self,
        world: World,
        dialect: OpenAIDialect,
        endpoint: ModelEndpoint,
        job: BatchJob,
        files: FileStore,
    ) -> None:
        self._world = world
        self._dialect = dialect
        self._endpoint = endpoint
        self._job = job
        self._files = files
        self._all_fail = job.remote.fault(FaultKind.BATCH_ONLY_ERRORS)

    async def execute(self, line: InputLine) -> DoneLine:
        """Run one line, and bill it.

        A response of status 200 is a line that completed, also where its body reports an error:
        OpenAI tells lines apart by their status alone.
        """
        response = await self._respond(line)
        record = response.record
        if record is not None and record.executed:
            self._job.usage.add(record.usage)
        return DoneLine(
            line.custom_id,
            "succeeded" if response.status < 400 else "errored",
            self._encode(line.custom_id, response),
            record,
            response.status,
        )

    def finish(self, remote: RemoteBatch) -> None:
        """Write the result files; one without a line is not made."""
        output: list[bytes] = []
        errors: list[bytes] = []
        for line in remote.done:
            if line.end == "succeeded":
                output.append(line.encoded)
            else:
                errors.append(line.encoded or self._not_run(line))
        self._job.output_file_id = self._keep(output, "output")
        self._job.error_file_id = self._keep(errors, "error")
        # The files hold the results now.
        remote.done.clear()

    async def _respond(self, line: InputLine) -> Response:
        if (fault := self._all_fail) is not None:
            return self._failed(line, fault)
        return await self._endpoint.answer(line.body, sender_of(self._job.remote.key, line))

    def _failed(self, line: InputLine, fault: Fault) -> Response:
        """Return the error of a line that a fault keeps from running."""
        try:
            call = self._endpoint.first_call(line.body, sender_of(self._job.remote.key, line))
        except RefusedError as error:
            return self._dialect.refused(error)
        return kept_from_running(self._world, self._dialect, call, fault)

    def _encode(self, custom_id: str, response: Response) -> bytes:
        request_id = self._world.ids.hexadecimal(length=32)
        body = _Response(response.status, request_id, msgspec.Raw(response.body))
        return _ENCODER.encode(_ResultLine(self._new_id(), custom_id, body, None))

    def _not_run(self, line: DoneLine) -> bytes:
        code, message = _NOT_RUN[line.end]
        error = _Error(code, message)
        return _ENCODER.encode(_ResultLine(self._new_id(), line.custom_id, None, error))

    def _new_id(self) -> str:
        return self._world.ids.hexadecimal("batch_req_", 32)

    def _keep(self, lines: list[bytes], kind: Literal["output", "error"]) -> str | None:
        if not lines:
            return None
        remote, life = self._job.remote, self._job.order.output_life_seconds
        lines.append(b"")
        content, name = b"\n".join(lines), f"{remote.id}_{kind}.jsonl"
        return self._files.put(remote.key, name, "batch_output", content, life).id
