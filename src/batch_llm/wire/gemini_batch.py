"""Gemini's Batch API: requests inline and in a file, their results, and the operation itself.

The SDK drops the operation's `error` and `batchStats`; here the raw body is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import msgspec

from ..base.usage import complete_usage
from ..exceptions import InputError, MalformedAnswerError
from .answer import decoded
from .batch_item import answer_failed, answer_read, encode_of, no_private_texts
from .embedding import Embedding, EmbeddingText
from .gemini import decode_generated, encode_request
from .gemini_errors import error_from_report
from .http_errors import short_message
from .json_body import encode_body
from .remote_status import (
    RemoteCounts,
    RemoteError,
    RemotePage,
    RemoteStatus,
    unix_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .batch_item import BatchAnswer, BatchRequestLine, PrivateTexts
    from .custom_ids import CustomIds
    from .remote_status import RemoteEnd, RemoteState

GeminiEndpoint = Literal["generateContent", "embedContent"]
"""What the requests of one batch ask for."""

GEMINI_ENDPOINTS: Final[tuple[GeminiEndpoint, ...]] = get_args(GeminiEndpoint)

NAME_PREFIX: Final = "batch-llm-"
"""Before the nonce, in the display name of a batch."""
_INVALID: Final = "INVALID_ARGUMENT"
LIFE_SECONDS: Final = 48 * 3_600
"""After which Google gives a batch up (docs); the operation itself does not say."""


# --- the requests --------------------------------------------------------------------------


def encode_line(line: BatchRequestLine, custom_ids: CustomIds, endpoint: GeminiEndpoint) -> bytes:
    """Return a line of an input file, its end included.

    Raises:
        InputError: for a request that this endpoint cannot be asked, naming the job.
    """

    def whole() -> dict[str, object]:
        return {"key": custom_ids.sent_for(line.custom_id), "request": _request(line, endpoint)}

    return encode_of(line, whole) + b"\n"


def encode_lines(
    lines: Iterable[BatchRequestLine], custom_ids: CustomIds, endpoint: GeminiEndpoint
) -> Iterator[bytes]:
    """Yield the lines of an input file; see `encode_line`."""
    for line in lines:
        yield encode_line(line, custom_ids, endpoint)


def encode_inline(
    lines: Iterable[BatchRequestLine],
    custom_ids: CustomIds,
    endpoint: GeminiEndpoint,
    nonce: str,
) -> Iterator[bytes]:
    """Yield the body of a create that brings its requests along, piece by piece."""
    name = encode_body({"displayName": f"{NAME_PREFIX}{nonce}"})[:-1]
    before = b'{"batch":' + name + b',"inputConfig":{"requests":{"requests":['
    for line in lines:
        yield before + _inlined(line, custom_ids, endpoint)
        before = b","
    yield b"]}}}}"


def encode_create(file_name: str, nonce: str) -> dict[str, object]:
    """Return the JSON-ready body that makes a batch of an uploaded file."""
    return {
        "batch": {
            "displayName": f"{NAME_PREFIX}{nonce}",
            "inputConfig": {"fileName": file_name},
        }
    }


def _inlined(line: BatchRequestLine, custom_ids: CustomIds, endpoint: GeminiEndpoint) -> bytes:
    def whole() -> dict[str, object]:
        return {
            "request": _request(line, endpoint),
            "metadata": {"key": custom_ids.sent_for(line.custom_id)},
        }

    return encode_of(line, whole)


def _request(line: BatchRequestLine, endpoint: GeminiEndpoint) -> dict[str, object]:
    request = line.request
    if isinstance(request, EmbeddingText):
        if endpoint != "embedContent":
            raise InputError("A vector of a text is asked for by embedContent.")
        return _embedding_request(request)
    if endpoint != "generateContent":
        raise InputError("A request to a chat model is asked for by generateContent.")
    return dict(encode_request(request))


def _embedding_request(asked: EmbeddingText) -> dict[str, object]:
    request: dict[str, object] = {"content": {"parts": [{"text": asked.text}]}}
    if asked.dimensions is not None:
        request["outputDimensionality"] = asked.dimensions
    return request


# --- the results ---------------------------------------------------------------------------


class _Metadata(msgspec.Struct):
    key: str | None = None


class _Result(msgspec.Struct):
    key: str | None = None
    metadata: _Metadata | None = None
    response: msgspec.Raw = msgspec.Raw(b"")
    error: dict[str, Any] | None = None


class _Vector(msgspec.Struct):
    values: list[float] | None = None


class _Embedded(msgspec.Struct, rename="camel"):
    embedding: _Vector | None = None
    token_count: int | None = None


_RESULTS = msgspec.json.Decoder(_Result)
# Lax, since Google writes large counts as texts.
_EMBEDDED = msgspec.json.Decoder(_Embedded, strict=False)


def line_decoder(
    endpoint: GeminiEndpoint, private: PrivateTexts = no_private_texts
) -> Callable[[bytes], BatchAnswer]:
    """Return what reads a line of a results file, or one of the inline results.

    Its answers bear the keys that were sent. It raises `MalformedAnswerError` for a result
    without its key: inline results came back in another order, so that their place says nothing.
    """

    def decode(line: bytes) -> BatchAnswer:
        result = decoded(_RESULTS, line, "a result of Gemini's")
        key = result.key
        if key is None and result.metadata is not None:
            key = result.metadata.key
        if key is None:
            raise MalformedAnswerError("A result of Gemini's came without its key.")
        return _answer(key, result, line, endpoint, private)

    return decode


def _answer(
    key: str, result: _Result, line: bytes, endpoint: GeminiEndpoint, private: PrivateTexts
) -> BatchAnswer:
    if result.error is not None:
        return answer_failed(key, line, error_from_report(result.error, private=private(key)))
    response = bytes(result.response)
    if not response:
        missing = MalformedAnswerError("The result holds neither a response nor an error.")
        return answer_failed(key, line, missing, may_be_billed=True)
    if endpoint == "embedContent":
        return answer_read(key, line, lambda: _decode_embedding(response))
    return answer_read(key, line, lambda: decode_generated(response, private=private(key)))


def _decode_embedding(body: bytes) -> Embedding:
    embedded = decoded(_EMBEDDED, body, "a vector of Gemini's")
    if embedded.embedding is None or not embedded.embedding.values:
        raise MalformedAnswerError("The answer holds no vector.")
    usage = complete_usage({"input_tokens": embedded.token_count})
    return Embedding(embedded.embedding.values, usage, None)


# --- the batch -----------------------------------------------------------------------------


class _Inlined(msgspec.Struct, rename="camel"):
    inlined_responses: list[msgspec.Raw] | None = None


class _Output(msgspec.Struct, rename="camel"):
    responses_file: str | None = None
    inlined_responses: _Inlined | None = None
    # So the SDK calls it for vectors.
    inlined_embed_content_responses: _Inlined | None = None

    @property
    def inlined(self) -> list[msgspec.Raw]:
        """The results that came with the operation."""
        found = self.inlined_responses or self.inlined_embed_content_responses
        return (found.inlined_responses if found is not None else None) or []


class _Stats(msgspec.Struct, rename="camel"):
    request_count: int = 0
    successful_request_count: int = 0
    failed_request_count: int = 0


class _Input(msgspec.Struct, rename="camel"):
    file_name: str | None = None


class _Job(msgspec.Struct, rename="camel"):
    state: str = ""
    display_name: str | None = None
    create_time: Any = None
    end_time: Any = None
    output: _Output | None = None
    input_config: _Input | None = None
    batch_stats: _Stats | None = None


class _Status(msgspec.Struct):
    code: int | None = None
    message: str | None = None


class _Operation(msgspec.Struct):
    name: str
    metadata: _Job | None = None
    done: bool = False
    response: _Output | None = None
    error: _Status | None = None


class _Page(msgspec.Struct, rename="camel"):
    operations: list[_Operation] = []
    next_page_token: str | None = None


_OPERATIONS = msgspec.json.Decoder(_Operation, strict=False)
_PAGES = msgspec.json.Decoder(_Page, strict=False)
_ENDED_AS: Final[dict[str, RemoteEnd]] = {
    "SUCCEEDED": "completed",
    "PARTIALLY_SUCCEEDED": "completed",
    "FAILED": "failed",
    "CANCELLED": "cancelled",
    "EXPIRED": "expired",
}


def decode_operation(body: bytes) -> RemoteStatus:
    """Return how a batch stands. Its outputs are a file, or its own name for inline results.

    Raises:
        MalformedAnswerError: for a body that is no operation.
    """
    return _status(_read_operation(body))


def decode_page(body: bytes) -> RemotePage:
    """Return a part of the list of batches.

    Raises:
        MalformedAnswerError: for a body that is no list of operations.
    """
    page = decoded(_PAGES, body, "a list of Gemini's batches")
    return RemotePage(tuple(map(_status, page.operations)), page.next_page_token or None)


def inline_results(body: bytes) -> Iterator[bytes]:
    """Yield the results that stand in an operation.

    Raises:
        MalformedAnswerError: for a body that is no operation.
    """
    operation = _read_operation(body)
    yield from (bytes(result) for result in _output(operation).inlined)


def _read_operation(body: bytes) -> _Operation:
    return decoded(_OPERATIONS, body, "a batch of Gemini's")


def _output(operation: _Operation) -> _Output:
    """Return the output, which stands in two places."""
    job = operation.metadata or _Job()
    for output in (operation.response, job.output):
        if output is not None and (output.responses_file or output.inlined):
            return output
    return _Output()


def _status(operation: _Operation) -> RemoteStatus:
    job = operation.metadata or _Job()
    word = job.state.removeprefix("BATCH_STATE_").removeprefix("JOB_STATE_")
    end = _end(operation, word)
    stats, created_at = job.batch_stats or _Stats(), unix_seconds(job.create_time)
    source = job.input_config.file_name if job.input_config is not None else None
    return RemoteStatus(
        id=operation.name,
        state=_state(word, end),
        ended_as=end,
        provider_state=job.state,
        counts=RemoteCounts(
            stats.request_count, stats.successful_request_count, stats.failed_request_count
        ),
        created_at=created_at,
        ended_at=unix_seconds(job.end_time),
        expires_at=None if created_at is None else created_at + LIFE_SECONDS,
        error=_error(operation.error, end, has_run=stats.successful_request_count > 0),
        outputs=_outputs(operation),
        inputs=(source,) if source else (),
        name=_nonce_in(job.display_name),
    )


def _end(operation: _Operation, word: str) -> RemoteEnd | None:
    if word in _ENDED_AS:
        return _ENDED_AS[word]
    if not operation.done:
        return None
    return "completed" if operation.response is not None else "failed"


def _state(word: str, end: RemoteEnd | None) -> RemoteState:
    if end is not None:
        return "ended"
    return "canceling" if word == "CANCELLING" else "in_progress"


def _outputs(operation: _Operation) -> tuple[str, ...]:
    output = _output(operation)
    if output.responses_file:
        return (output.responses_file,)
    return (operation.name,) if output.inlined else ()


def _error(error: _Status | None, end: RemoteEnd | None, *, has_run: bool) -> RemoteError | None:
    if error is None or end == "completed":
        return None
    code = None if error.code is None else error_from_report({"code": error.code}).code
    is_refusal = code == _INVALID and not has_run
    return RemoteError(short_message(error.message or ""), code, is_refusal=is_refusal)


def _nonce_in(display_name: str | None) -> str | None:
    if display_name is None or not display_name.startswith(NAME_PREFIX):
        return None
    return display_name.removeprefix(NAME_PREFIX)
