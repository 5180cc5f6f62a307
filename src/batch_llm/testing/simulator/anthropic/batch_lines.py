"""Lines of a batch on their way from the request to their results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..batches import DoneLine, kept_from_running
from ..call import ModelCall, Sender
from ..faults import FaultKind
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..batches import LineEnd, RemoteBatch
    from ..exchange import Response
    from ..world import World
    from .batch_input import BatchLine
    from .dialect import AnthropicDialect
    from .messages import Messages
    from .reader import Asked


class BatchLines:
    """Executes lines, and gives their results.

    Args:
        world: where it happens.
        dialect: how errors are said.
        messages: answers the single requests.
    """

    def __init__(self, world: World, dialect: AnthropicDialect, messages: Messages) -> None:
        self._world = world
        self._dialect = dialect
        self._messages = messages

    def first_call(self, key: str, line: BatchLine) -> ModelCall:
        """Return what a line asks for; of a broken one, only whose it is."""
        try:
            return self._read(key, line).call
        except RefusedError:
            return ModelCall("anthropic", "messages", "", key, ())

    async def execute(self, batch: RemoteBatch, line: BatchLine) -> DoneLine:
        """Run one line."""
        try:
            asked = self._read(batch.key, line)
        except RefusedError as error:
            return self._errored(line, error.status, error.message, error.error_type)
        if (fault := batch.fault(FaultKind.BATCH_ONLY_ERRORS)) is not None:
            response = kept_from_running(self._world, self._dialect, asked.call, fault)
        else:
            response = await self._messages.answer(asked)
        if response.status < 400 and _is_message(response):
            done = _done(line, "succeeded", b'"message":' + response.body)
        else:
            done = _done(line, "errored", b'"error":' + response.body, response.status)
        done.record = response.record
        return done

    def finish(self, batch: RemoteBatch) -> None:
        """Give a batch that failed as a whole its results: this API knows only failed lines."""
        if batch.failure is None:
            return
        encoded = b'"error":' + msgspec.json.encode(
            self._dialect.error_body(500, batch.failure[1], error_type="api_error")
        )
        for custom_id in batch.custom_ids[len(batch.done) :]:
            batch.add(DoneLine(custom_id, "errored", encoded, status=500))

    def _read(self, key: str, line: BatchLine) -> Asked:
        asked = self._messages.reader.read(
            bytes(line.params), Sender(key, lane="batch", custom_id=line.custom_id)
        )
        if asked.call.streamed:
            raise RefusedError("stream: requests of a batch cannot be streamed")
        return asked

    def _errored(
        self,
        line: BatchLine,
        status: int,
        message: str | None = None,
        error_type: str | None = None,
    ) -> DoneLine:
        body = self._dialect.error_body(status, message, error_type=error_type)
        return _done(line, "errored", b'"error":' + msgspec.json.encode(body), status)


def _is_message(response: Response) -> bool:
    record = response.record
    return record is not None and record.fault is not FaultKind.ERROR_IN_200


def _done(line: BatchLine, end: LineEnd, result: bytes, status: int = 200) -> DoneLine:
    return DoneLine(line.custom_id, end, result, status=status)
