"""OpenAI's Batch API: lines of the input file, lines of both result files, and the batch itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import msgspec

from ..exceptions import InputError
from .answer import decoded
from .batch_item import (
    BatchAnswer,
    answer_failed,
    answer_read,
    encode_of,
    no_private_texts,
)
from .embedding import EmbeddingText
from .http_errors import error_details, short_message
from .openai_chat import decode_chat, encode_chat
from .openai_embeddings import decode_embedding, encode_embedding
from .openai_errors import error_from_code, error_from_response
from .openai_responses import decode_response, encode_response
from .remote_status import RemoteCounts, RemoteError, RemotePage, RemoteStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .batch_item import BatchOutcome, BatchRequestLine, PrivateTexts
    from .custom_ids import CustomIds
    from .openai_chat import TokenLimitField
    from .remote_status import RemoteEnd, RemoteState

OpenAIEndpoint = Literal["/v1/chat/completions", "/v1/responses", "/v1/embeddings"]
"""What the lines of one batch ask for."""

OPENAI_ENDPOINTS: Final[tuple[OpenAIEndpoint, ...]] = get_args(OpenAIEndpoint)

INTENT_KEY: Final = "batch_llm_intent"
"""Under this key the metadata of a batch carry the nonce of the intent that it was made for."""


# --- the input file ------------------------------------------------------------------------


def encode_line(
    line: BatchRequestLine,
    custom_ids: CustomIds,
    endpoint: OpenAIEndpoint,
    *,
    token_limit_field: TokenLimitField = "max_completion_tokens",  # noqa: S107 - a field's name
) -> bytes:
    """Return a line of the input file, its end included.

    Raises:
        InputError: for a request that this endpoint cannot be asked, naming the job.
    """

    def whole() -> dict[str, object]:
        return {
            "custom_id": custom_ids.sent_for(line.custom_id),
            "method": "POST",
            "url": endpoint,
            "body": _body(line, endpoint, token_limit_field),
        }

    return encode_of(line, whole) + b"\n"


def encode_lines(
    lines: Iterable[BatchRequestLine],
    custom_ids: CustomIds,
    endpoint: OpenAIEndpoint,
    *,
    token_limit_field: TokenLimitField = "max_completion_tokens",  # noqa: S107 - a field's name
) -> Iterator[bytes]:
    """Yield the lines of the input file; see `encode_line`."""
    for line in lines:
        yield encode_line(line, custom_ids, endpoint, token_limit_field=token_limit_field)


def _body(
    line: BatchRequestLine, endpoint: OpenAIEndpoint, token_limit_field: TokenLimitField
) -> dict[str, object]:
    request = line.request
    if isinstance(request, EmbeddingText):
        if endpoint != "/v1/embeddings":
            raise InputError(f"A vector of a text cannot be asked for at {endpoint}.")
        return encode_embedding(request, line.model)
    if endpoint == "/v1/embeddings":
        raise InputError("A request to a chat model cannot be asked for at /v1/embeddings.")
    if endpoint == "/v1/responses":
        return encode_response(request, line.model)
    return encode_chat(request, line.model, token_limit_field=token_limit_field)


# --- the result files ----------------------------------------------------------------------


class _Response(msgspec.Struct):
    status_code: int
    body: msgspec.Raw = msgspec.Raw(b"null")
    request_id: Any = None


class _Result(msgspec.Struct):
    custom_id: str
    response: _Response | None = None
    error: Any = None


# Lax, since servers write a status as a text too.
_RESULTS = msgspec.json.Decoder(_Result, strict=False)
_ENDS: Final[dict[str | None, BatchOutcome]] = {
    "batch_expired": "expired",
    "batch_cancelled": "canceled",
}


def line_decoder(
    endpoint: OpenAIEndpoint, private: PrivateTexts = no_private_texts
) -> Callable[[bytes], BatchAnswer]:
    """Return what reads a line of the output file or of the error file.

    Its answers bear the ids that were sent. It raises `MalformedAnswerError` for a line of which
    not even the id can be read.
    """
    read = _readers[endpoint]

    def decode(line: bytes) -> BatchAnswer:
        result = decoded(_RESULTS, line, "a result of OpenAI's")
        response = result.response
        if response is not None and 200 <= response.status_code < 300:
            return read(result.custom_id, line, bytes(response.body), private)
        return _failed(result, line, private)

    return decode


def _failed(result: _Result, line: bytes, private: PrivateTexts) -> BatchAnswer:
    hidden, response = private(result.custom_id), result.response
    if response is not None:
        refusal = error_from_response(
            response.status_code, {}, bytes(response.body), private=hidden
        )
        if isinstance(response.request_id, str):
            refusal.request_id = response.request_id
        return answer_failed(result.custom_id, line, refusal)
    message, code = error_details({"error": result.error})
    said = short_message(message, hidden) or "The provider gives no answer and no reason."
    end = _ENDS.get(code, "errored")
    return answer_failed(result.custom_id, line, error_from_code(code, said), end)


def _read_chat(custom_id: str, line: bytes, body: bytes, private: PrivateTexts) -> BatchAnswer:
    return answer_read(custom_id, line, lambda: decode_chat(body, private=private(custom_id)))


def _read_response(custom_id: str, line: bytes, body: bytes, private: PrivateTexts) -> BatchAnswer:
    return answer_read(custom_id, line, lambda: decode_response(body, private=private(custom_id)))


def _read_embedding(custom_id: str, line: bytes, body: bytes, private: PrivateTexts) -> BatchAnswer:
    return answer_read(custom_id, line, lambda: decode_embedding(body, private=private(custom_id)))


_readers: Final[dict[OpenAIEndpoint, Callable[[str, bytes, bytes, PrivateTexts], BatchAnswer]]] = {
    "/v1/chat/completions": _read_chat,
    "/v1/responses": _read_response,
    "/v1/embeddings": _read_embedding,
}


# --- the batch -----------------------------------------------------------------------------


class _Counts(msgspec.Struct):
    total: int = 0
    completed: int = 0
    failed: int = 0


class _Problem(msgspec.Struct):
    code: str | None = None
    line: int | None = None
    message: str | None = None


class _Problems(msgspec.Struct):
    data: list[_Problem] | None = None


class _Created(msgspec.Struct):
    id: str


class _Batch(msgspec.Struct):
    id: str
    status: Any
    input_file_id: str | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    created_at: float | None = None
    expires_at: float | None = None
    completed_at: float | None = None
    failed_at: float | None = None
    expired_at: float | None = None
    cancelled_at: float | None = None
    request_counts: _Counts | None = None
    errors: _Problems | None = None
    metadata: dict[str, Any] | None = None


class _Page(msgspec.Struct):
    data: list[_Batch] = []
    has_more: bool = False
    last_id: str | None = None


_CREATED = msgspec.json.Decoder(_Created)
_BATCHES = msgspec.json.Decoder(_Batch)
_PAGES = msgspec.json.Decoder(_Page)
# OpenAI's own words, and those of servers that speak its Batch API in their own way.
_STATES: Final[dict[str, RemoteState]] = {
    **dict.fromkeys(("validating", "in_progress", "finalizing"), "in_progress"),
    **dict.fromkeys(("created", "pending", "queued", "running", "processing"), "in_progress"),
    **dict.fromkeys(("cancelling", "canceling"), "canceling"),
}
_ENDED_AS: Final[dict[str, RemoteEnd]] = {
    **dict.fromkeys(("completed", "succeeded", "success", "done"), "completed"),
    **dict.fromkeys(("failed", "error", "errored"), "failed"),
    "expired": "expired",
    **dict.fromkeys(("cancelled", "canceled"), "cancelled"),
}


_DEFECTS: Final = frozenset({"internal_error", "server_error"})
"""Codes of batches that failed for no fault of theirs."""


def encode_create(
    input_file_id: str, endpoint: str, nonce: str, *, completion_window: str = "24h"
) -> dict[str, object]:
    """Return the JSON-ready body that makes a batch of an uploaded file."""
    return {
        "input_file_id": input_file_id,
        "endpoint": endpoint,
        "completion_window": completion_window,
        "metadata": {INTENT_KEY: nonce},
    }


def decode_created(body: bytes) -> str:
    """Return the id of a batch that was made: who names one has made it, whatever else he says.

    Raises:
        MalformedAnswerError: for a body without an id.
    """
    return decoded(_CREATED, body, "a batch of OpenAI's").id


def decode_batch(body: bytes) -> RemoteStatus:
    """Return how a batch stands; a state that is no word counts as one that is not known.

    Raises:
        MalformedAnswerError: for a body that is no batch.
    """
    return _status(decoded(_BATCHES, body, "a batch of OpenAI's"))


def decode_page(body: bytes) -> RemotePage:
    """Return a part of the list of batches.

    Raises:
        MalformedAnswerError: for a body that is no list of batches.
    """
    page = decoded(_PAGES, body, "a list of OpenAI's batches")
    batches = tuple(_status(batch) for batch in page.data)
    last = page.last_id or (batches[-1].id if batches else None)
    return RemotePage(batches, last if page.has_more else None)


def _status(batch: _Batch) -> RemoteStatus:
    counts = batch.request_counts or _Counts()
    status: object = batch.status
    told = status if isinstance(status, str) else msgspec.json.encode(status).decode()
    word = told.lower()
    end = _ENDED_AS.get(word)
    moments = (batch.completed_at, batch.failed_at, batch.expired_at, batch.cancelled_at)
    outputs = (batch.output_file_id, batch.error_file_id)
    name = (batch.metadata or {}).get(INTENT_KEY)
    return RemoteStatus(
        id=batch.id,
        state="ended" if end is not None else _STATES.get(word, "in_progress"),
        ended_as=end,
        provider_state=told,
        is_state_known=end is not None or word in _STATES,
        counts=RemoteCounts(counts.total, counts.completed, counts.failed),
        created_at=batch.created_at,
        ended_at=next((moment for moment in moments if moment is not None), None),
        expires_at=batch.expires_at,
        error=_error(batch.errors, has_run=counts.completed + counts.failed > 0),
        outputs=tuple(file for file in outputs if file),
        inputs=(batch.input_file_id,) if batch.input_file_id else (),
        name=name if isinstance(name, str) else None,
    )


def _error(problems: _Problems | None, *, has_run: bool) -> RemoteError | None:
    """Return the first problem, how many there are, and those of single lines.

    OpenAI says so of a file that it has checked before it runs anything of it.
    """
    if problems is None or not problems.data:
        return None
    first, more = problems.data[0], len(problems.data) - 1
    place = "" if first.line is None else f"Line {first.line}: "
    rest = f" (and {more} more)" if more else ""
    return RemoteError(
        f"{place}{short_message(first.message or '')}{rest}",
        first.code,
        is_refusal=not has_run and first.code not in _DEFECTS,
        lines={
            problem.line - 1: short_message(problem.message or "") or problem.code or ""
            for problem in problems.data
            if problem.line is not None and problem.line > 0
        },
    )
