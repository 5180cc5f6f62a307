"""Anthropic's Message Batches: the body of a create, lines of the results, and the batch itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..exceptions import InputError, ProviderError
from .answer import decoded
from .anthropic import decode_message, encode_message
from .anthropic_errors import error_from_report
from .batch_item import answer_failed, answer_read, encode_of, no_private_texts
from .embedding import EmbeddingText
from .json_reading import UNREADABLE, read_json
from .remote_status import RemoteCounts, RemotePage, RemoteStatus, unix_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .batch_item import BatchAnswer, BatchOutcome, BatchRequestLine, PrivateTexts
    from .custom_ids import CustomIds
    from .remote_status import RemoteEnd, RemoteState

MESSAGES: Final = "/v1/messages"
"""What the requests of a batch ask for."""


# --- the request ---------------------------------------------------------------------------


def encode_request(line: BatchRequestLine, custom_ids: CustomIds) -> bytes:
    """Return one of the requests of a create.

    Raises:
        InputError: for a request that this API cannot be asked, naming the job.
    """
    request = line.request
    if isinstance(request, EmbeddingText):
        raise InputError(f"Job {line.custom_id!r}: Anthropic makes no vectors of texts.")

    def whole() -> dict[str, object]:
        return {
            "custom_id": custom_ids.sent_for(line.custom_id),
            "params": encode_message(request, line.model),
        }

    return encode_of(line, whole)


def encode_create(lines: Iterable[BatchRequestLine], custom_ids: CustomIds) -> Iterator[bytes]:
    """Yield the body of a create, piece by piece; see `encode_request`."""
    before = b'{"requests":['
    for line in lines:
        yield before + encode_request(line, custom_ids)
        before = b","
    yield b"]}"


# --- the results ---------------------------------------------------------------------------


class _Outcome(msgspec.Struct):
    type: str
    message: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


class _Result(msgspec.Struct):
    custom_id: str
    result: _Outcome


_RESULTS = msgspec.json.Decoder(_Result)
_NOT_RUN: Final[dict[str, tuple[BatchOutcome, str]]] = {
    "expired": ("expired", "The batch expired before this request was executed."),
    "canceled": ("canceled", "The batch was cancelled before this request was executed."),
}


def line_decoder(private: PrivateTexts = no_private_texts) -> Callable[[bytes], BatchAnswer]:
    """Return what reads a line of the results.

    Its answers bear the ids that were sent. It raises `MalformedAnswerError` for a line of which
    not even the id can be read.
    """

    def decode(line: bytes) -> BatchAnswer:
        read = decoded(_RESULTS, line, "a result of Anthropic's")
        custom_id, result = read.custom_id, read.result
        if result.type == "succeeded":
            message = bytes(result.message)
            return answer_read(
                custom_id, line, lambda: decode_message(message, private=private(custom_id))
            )
        if result.type in _NOT_RUN:
            outcome, said = _NOT_RUN[result.type]
            return answer_failed(custom_id, line, ProviderError(said, code=result.type), outcome)
        reported = error_from_report(bytes(result.error), private=private(custom_id))
        return answer_failed(custom_id, line, reported)

    return decode


def sent_id_of(line: bytes) -> str | None:
    """Return the id that a line of the results names; None where it cannot be read."""
    try:
        return read_json(_RESULTS, line).custom_id
    except UNREADABLE:
        return None


# --- the batch -----------------------------------------------------------------------------


class _Counts(msgspec.Struct):
    processing: int = 0
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0


class _Batch(msgspec.Struct):
    id: str
    processing_status: str
    request_counts: _Counts
    created_at: Any = None
    ended_at: Any = None
    expires_at: Any = None
    results_url: str | None = None


class _Page(msgspec.Struct):
    data: list[_Batch] = []
    has_more: bool = False
    last_id: str | None = None


_BATCHES = msgspec.json.Decoder(_Batch)
_PAGES = msgspec.json.Decoder(_Page)
_STATES: Final[dict[str, RemoteState]] = {"ended": "ended", "canceling": "canceling"}


def decode_batch(body: bytes) -> RemoteStatus:
    """Return how a batch stands.

    Raises:
        MalformedAnswerError: for a body that is no batch.
    """
    return _status(decoded(_BATCHES, body, "a batch of Anthropic's"))


def decode_page(body: bytes) -> RemotePage:
    """Return a part of the list of batches.

    Raises:
        MalformedAnswerError: for a body that is no list of batches.
    """
    page = decoded(_PAGES, body, "a list of Anthropic's batches")
    batches = tuple(_status(batch) for batch in page.data)
    last = page.last_id or (batches[-1].id if batches else None)
    return RemotePage(batches, last if page.has_more else None)


def _status(batch: _Batch) -> RemoteStatus:
    counts = batch.request_counts
    done = counts.succeeded + counts.errored + counts.canceled + counts.expired
    state = _STATES.get(batch.processing_status, "in_progress")
    return RemoteStatus(
        id=batch.id,
        state=state,
        ended_as=_end(counts) if state == "ended" else None,
        provider_state=batch.processing_status,
        counts=RemoteCounts(
            counts.processing + done,
            counts.succeeded,
            counts.errored,
            counts.expired,
            counts.canceled,
        ),
        created_at=unix_seconds(batch.created_at),
        ended_at=unix_seconds(batch.ended_at),
        expires_at=unix_seconds(batch.expires_at),
        outputs=(batch.results_url,) if batch.results_url else (),
    )


def _end(counts: _Counts) -> RemoteEnd:
    """Return how a batch ended: the API says it of the requests alone."""
    if counts.canceled:
        return "cancelled"
    return "expired" if counts.expired else "completed"
