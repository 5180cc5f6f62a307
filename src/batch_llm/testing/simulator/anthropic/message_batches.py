"""Batches of messages."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..batches import BatchRunner, DoneLine, RemoteBatch
from ..call import ModelCall
from ..clock import rfc3339
from ..exchange import Response, json_response
from ..faults import BEFORE, FaultKind
from ..shelf import Shelf
from .asked import Sender
from .invalid import InvalidRequestError, decode, missing, wrong_kind
from .pages import PageRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..batches import LineEnd
    from ..exchange import Request
    from ..world import World
    from .asked import Asked
    from .dialect import AnthropicDialect
    from .messages import Messages

_MOST_REQUESTS: Final = 100_000
_MOST_BYTES: Final = 256 * 1024 * 1024
_DAY_SECONDS: Final = 24 * 3_600
_KEPT_SECONDS: Final = 29 * _DAY_SECONDS
_CUSTOM_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_WITHOUT_RESULT: Final = ("canceled", "expired")


class _Line(msgspec.Struct):
    """One request of a batch; its params are read when it is executed."""

    custom_id: str
    params: msgspec.Raw


class _Envelope(msgspec.Struct):
    """The body of a create."""

    requests: list[_Line]


_ENVELOPES: Final = msgspec.json.Decoder(_Envelope)


@dataclass(slots=True)
class _Kept:
    """A batch, and what runs it."""

    batch: RemoteBatch
    runner: BatchRunner[_Line]


class MessageBatches:
    """Takes batches, runs them, and gives their results.

    Args:
        world: where it happens.
        dialect: how errors are said.
        messages: answers the single requests.
    """

    def __init__(self, world: World, dialect: AnthropicDialect, messages: Messages) -> None:
        self._world = world
        self._dialect = dialect
        self._messages = messages
        self._shelf: Shelf[_Kept] = Shelf()

    async def create(self, request: Request) -> Response:
        """Answer POST /v1/messages/batches."""
        lines = _read_lines(request.body)
        batch = self._new_batch(request, lines)

        async def execute(line: _Line) -> DoneLine:
            return await self._execute(batch, line)

        def finish(batch: RemoteBatch) -> None:
            self._give_failed_results(batch)
            lines.clear()  # they hold the whole body of the create

        runner = BatchRunner(self._world, batch, lines, execute, finish)
        self._shelf.put(request.key, batch.id, batch.created_at, _Kept(batch, runner))
        self._world.books.note_create(
            "anthropic",
            "batch",
            batch.id,
            self._world.chance.digest("anthropic batch", request.body),
        )
        runner.start()
        return json_response(self._encode(batch, request.origin))

    async def retrieve(self, request: Request) -> Response:
        """Answer GET /v1/messages/batches/{message_batch_id}."""
        return json_response(self._encode(self._kept(request).batch, request.origin))

    async def list(self, request: Request) -> Response:
        """Answer GET /v1/messages/batches."""
        page = PageRequest.of(request.query)
        before = self._world.visible_before("anthropic", "batches.list", request.key)
        # What a cursor names was seen already: it stays where the list lags behind.
        seen = [
            (name, self._encode(kept.batch, request.origin))
            for name, kept in self._shelf.newest_first(request.key, math.inf)
            if kept.batch.created_at <= before or name in (page.after, page.before)
        ]
        return page.cut(seen)

    async def cancel(self, request: Request) -> Response:
        """Answer POST /v1/messages/batches/{message_batch_id}/cancel."""
        kept = self._kept(request)
        if kept.batch.has_ended:
            raise InvalidRequestError(
                f"Batch {kept.batch.id} cannot be canceled because it has already ended."
            )
        kept.runner.cancel()
        return json_response(self._encode(kept.batch, request.origin))

    async def delete(self, request: Request) -> Response:
        """Answer DELETE /v1/messages/batches/{message_batch_id}."""
        batch = self._kept(request).batch
        if not batch.has_ended:
            raise InvalidRequestError(
                f"Batch {batch.id} cannot be deleted while it is still processing; cancel it "
                f"first, and wait until it has ended."
            )
        self._shelf.delete(request.key, batch.id)
        return json_response({"id": batch.id, "type": "message_batch_deleted"})

    async def results(self, request: Request) -> Response:
        """Answer GET /v1/messages/batches/{message_batch_id}/results."""
        batch = self._kept(request).batch
        if not batch.has_ended:
            raise InvalidRequestError(
                f"Batch {batch.id} has no results yet: it is still processing.", 404
            )
        if self._is_archived(batch):
            raise InvalidRequestError(
                f"The results of batch {batch.id} are gone: they are kept for 29 days.", 404
            )
        body = b"".join(_result_line(line) for line in batch.done)
        return Response(200, body, content_type="application/x-jsonl")

    async def aclose(self) -> None:
        """Stop the batches that run."""
        for kept in self._shelf:
            await kept.runner.aclose()

    # --- one batch -------------------------------------------------------------------------

    def _kept(self, request: Request) -> _Kept:
        name = request.params["message_batch_id"]
        kept = self._shelf.get(request.key, name)
        if kept is None:
            raise InvalidRequestError(f"Batch not found: {name}", 404)
        return kept

    def _new_batch(self, request: Request, lines: Sequence[_Line]) -> RemoteBatch:
        now = self._world.clock.now()
        batch = RemoteBatch(
            self._world.ids.letters("msgbatch_01", 22),
            "anthropic",
            request.key,
            "",
            now,
            now + _DAY_SECONDS,
            [line.custom_id for line in lines],
        )
        first = self._first_call(request.key, lines[0])
        batch.model = first.model
        subject = self._world.chance.digest("anthropic batch", batch.id.encode())
        batch.faults = self._world.faults.for_batch(first, request.headers, subject)
        return batch

    def _first_call(self, key: str, line: _Line) -> ModelCall:
        """Return what the first line asks for; of a broken line, only whose it is."""
        try:
            return self._read(key, line).call
        except InvalidRequestError:
            return ModelCall("anthropic", "messages", "", key, ())

    def _read(self, key: str, line: _Line) -> Asked:
        """Return what a line asks for.

        Raises:
            InvalidRequestError: for what the API does not take.
        """
        sender = Sender(key, {}, "batch", line.custom_id)
        asked = self._messages.reader.read(bytes(line.params), sender)
        if asked.call.streamed:
            raise InvalidRequestError("stream: requests of a batch cannot be streamed")
        return asked

    async def _execute(self, batch: RemoteBatch, line: _Line) -> DoneLine:
        try:
            asked = self._read(batch.key, line)
        except InvalidRequestError as error:
            return self._errored(line, error.status, error.message, error.error_type)
        if batch.fault(FaultKind.BATCH_ONLY_ERRORS) is not None:
            return self._errored(line, 500)
        response = await self._messages.answer(asked)
        if response.fault is not None and response.fault.kind in BEFORE:
            done = self._errored(line, 500)
        elif response.status < 400 and _is_message(response):
            done = _done(line, "succeeded", b'"message":' + response.body)
        else:
            done = _done(line, "errored", b'"error":' + response.body, response.status)
        done.record = response.record
        return done

    def _errored(
        self, line: _Line, status: int, message: str | None = None, error_type: str | None = None
    ) -> DoneLine:
        body = self._dialect.error_body(status, message, error_type=error_type)
        return _done(line, "errored", b'"error":' + msgspec.json.encode(body), status)

    def _give_failed_results(self, batch: RemoteBatch) -> None:
        """Give a batch that failed as a whole its results: this API knows only failed lines."""
        if batch.failure is None:
            return
        encoded = b'"error":' + msgspec.json.encode(
            self._dialect.error_body(500, batch.failure[1], error_type="api_error")
        )
        for custom_id in batch.custom_ids[len(batch.done) :]:
            batch.add(_done(_Line(custom_id, msgspec.Raw()), "errored", encoded, 500))

    def _is_archived(self, batch: RemoteBatch) -> bool:
        return self._world.clock.now() >= batch.created_at + _KEPT_SECONDS

    def _encode(self, batch: RemoteBatch, origin: str) -> dict[str, Any]:
        """Return a batch as the API shows it."""
        ended, archived = batch.has_ended, self._is_archived(batch)
        cancelled_at = batch.reached.get("cancelling")
        results = f"{origin}/v1/messages/batches/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": _processing_status(batch),
            "request_counts": _request_counts(batch),
            "created_at": rfc3339(batch.created_at),
            "expires_at": rfc3339(batch.expires_at),
            "ended_at": rfc3339(batch.reached[batch.state]) if ended else None,
            "cancel_initiated_at": None if cancelled_at is None else rfc3339(cancelled_at),
            "archived_at": rfc3339(batch.created_at + _KEPT_SECONDS) if archived else None,
            "results_url": results if ended and not archived else None,
        }


def _read_lines(body: bytes) -> list[_Line]:
    """Return the requests of a batch: their envelopes are checked at once, their params later."""
    if len(body) > _MOST_BYTES:
        raise InvalidRequestError("Request exceeds the maximum size", 413)
    lines = decode(_ENVELOPES, body).requests
    if not lines:
        raise InvalidRequestError(
            "requests: List should have at least 1 item after validation, not 0"
        )
    if len(lines) > _MOST_REQUESTS:
        raise InvalidRequestError(
            f"requests: List should have at most {_MOST_REQUESTS} items after validation, not "
            f"{len(lines)}",
            413,
        )
    places: dict[str, int] = {}
    for index, line in enumerate(lines):
        _check_line(line, index)
        first = places.setdefault(line.custom_id, index)
        if first != index:
            raise InvalidRequestError(
                f"requests.{index}.custom_id: must be unique within the batch; requests.{first} "
                f"has the same, '{line.custom_id}'"
            )
    return lines


def _check_line(line: _Line, index: int) -> None:
    if _CUSTOM_ID.fullmatch(line.custom_id) is None:
        raise InvalidRequestError(
            f"requests.{index}.custom_id: String should match pattern '^{_CUSTOM_ID.pattern}$'"
        )
    start = bytes(memoryview(line.params)[:1])
    if not start:
        raise missing(f"requests.{index}.params")
    if start != b"{":
        raise wrong_kind(f"requests.{index}.params", "dictionary")


def _is_message(response: Response) -> bool:
    record = response.record
    return record is not None and record.fault is not FaultKind.ERROR_IN_200


def _done(line: _Line, end: LineEnd, result: bytes, status: int = 200) -> DoneLine:
    return DoneLine(line.custom_id, end, result, status=status)


def _result_line(line: DoneLine) -> bytes:
    """Return a line of the results file."""
    inner = b"" if line.end in _WITHOUT_RESULT else b"," + line.encoded
    head = f'{{"custom_id":"{line.custom_id}","result":{{"type":"{line.end}"'.encode()
    return head + inner + b"}}\n"


def _processing_status(batch: RemoteBatch) -> str:
    if batch.has_ended:
        return "ended"
    return "canceling" if batch.state == "cancelling" else "in_progress"


def _request_counts(batch: RemoteBatch) -> dict[str, int]:
    """Return how many requests ended how: all of them are processing until the batch ends."""
    total, ended = len(batch.custom_ids), batch.has_ended
    counts = {
        "succeeded": batch.count("succeeded") if ended else 0,
        "canceled": batch.count("canceled") if ended else 0,
        "expired": batch.count("expired") if ended else 0,
    }
    errored = total - sum(counts.values()) if ended else 0
    return {"processing": 0 if ended else total, "errored": errored, **counts}
