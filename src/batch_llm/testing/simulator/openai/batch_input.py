"""The lines of a batch's input file, checked as OpenAI checks them before the first one runs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..decoding import UNREADABLE
from .refusal import RefusedError, missing, wrong_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_LINES: Final = 50_000
MOST_BYTES: Final = 200 * 1024 * 1024
_MOST_EMBEDDING_INPUTS: Final = 50_000
_MOST_ERRORS: Final = 100
# Between so many bytes, other requests get their turn.
_BYTES_AT_A_STRETCH: Final = 64 * 1024
_STREAMED: Final = {"/v1/chat/completions": "Chat Completions", "/v1/responses": "Responses"}


class _Line(msgspec.Struct):
    """Types are checked by hand, since OpenAI names the parameter that is wrong."""

    custom_id: Any = None
    method: Any = None
    url: Any = None
    body: msgspec.Raw = msgspec.Raw(b"")


class _Body(msgspec.Struct):
    model: Any = None
    stream: Any = None
    messages: msgspec.Raw = msgspec.Raw(b"")


class _EmbeddingBody(msgspec.Struct):
    input: Any = None


_LINES: Final = msgspec.json.Decoder(_Line)
_BODIES: Final = msgspec.json.Decoder(_Body)
_EMBEDDING_BODIES: Final = msgspec.json.Decoder(_EmbeddingBody)


@dataclass(frozen=True, slots=True)
class InputLine:
    """One request of a batch.

    Attributes:
        custom_id: the client's name for it.
        body: JSON.
    """

    custom_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class InputProblem:
    """Why a batch cannot run.

    Attributes:
        code: OpenAI's own word for it.
        message: for the client.
        line: number of the line in the file, from 1; None where it is no single one.
        param: what is wrong in it; None where it is no single parameter.
    """

    code: str
    message: str
    line: int | None = None
    param: str | None = None

    def encoded(self) -> dict[str, Any]:
        """Return it as OpenAI shows it."""
        return {
            "code": self.code,
            "line": self.line,
            "message": self.message,
            "param": self.param,
        }


@dataclass(slots=True)
class BatchInput:
    """A file's lines, and what is wrong with them.

    Attributes:
        lines: those that are right.
        errors: of the others, and of the file; the first 100.
        model: that of all lines; None where no line names one.
    """

    lines: list[InputLine] = field(default_factory=list)
    errors: list[InputProblem] = field(default_factory=list)
    model: str | None = None


async def read_input(
    content: bytes,
    endpoint: str,
    is_model: Callable[[str], bool],
    *,
    most_lines: int = MOST_LINES,
    most_bytes: int = MOST_BYTES,
) -> BatchInput:
    """Return the lines of a file; while it reads, other requests get their turn.

    Args:
        content: of the file.
        endpoint: of the batch; each line's address must be equal.
        is_model: whether there is a model of this name.
        most_lines: the most requests.
        most_bytes: the largest file.
    """
    reader = _Reader(endpoint, is_model, most_lines)
    if len(content) > most_bytes:
        await reader.read(content[: content.find(b"\n") + 1])
        message = f"The batch input file is larger than the {most_bytes} maximum"
        error = InputProblem("file_too_large", f"{message} for the {reader.found.model} model.")
        return BatchInput(errors=[error], model=reader.found.model)
    return await reader.read(content)


def model_of_first_line(content: bytes) -> str:
    """Return the model that a file's first line names; "" where there is none to be read."""
    for _, line in _numbered(content):
        try:
            model = _BODIES.decode(_LINES.decode(line).body).model
        except UNREADABLE:
            return ""
        return model if isinstance(model, str) else ""
    return ""


class _Reader:
    """Reads one file."""

    def __init__(self, endpoint: str, is_model: Callable[[str], bool], most_lines: int) -> None:
        self.found = BatchInput()
        self._endpoint = endpoint
        self._is_model = is_model
        self._most_lines = most_lines
        self._seen: set[str] = set()
        self._embedding_inputs = 0

    async def read(self, content: bytes) -> BatchInput:
        found, taken_bytes, requests = self.found, 0, 0
        for number, line in _numbered(content):
            requests += 1
            if requests > self._most_lines:
                message = f"A batch holds at most {self._most_lines} requests; this file has more."
                found.errors.append(InputProblem("too_many_tasks", message))
                break
            self._take(number, line)
            if len(found.errors) >= _MOST_ERRORS:
                break
            taken_bytes += len(line)
            if taken_bytes > _BYTES_AT_A_STRETCH:
                taken_bytes = 0
                await asyncio.sleep(0)
        if not requests:
            message = "The input file is empty. A batch needs at least one request."
            found.errors.append(InputProblem("empty_file", message))
        if self._embedding_inputs > _MOST_EMBEDDING_INPUTS:
            message = f"A batch holds at most {_MOST_EMBEDDING_INPUTS} embedding inputs."
            found.errors.append(InputProblem("too_many_tasks", message))
        return found

    def _take(self, number: int, line: bytes) -> None:
        try:
            self.found.lines.append(self._checked(line))
        except RefusedError as error:
            code = error.code or "invalid_request"
            self.found.errors.append(InputProblem(code, error.message, number, error.param))

    def _checked(self, line: bytes) -> InputLine:
        try:
            parsed = _LINES.decode(line)
            custom_id = self._custom_id(parsed.custom_id)
            self._check_address(parsed)
            # A copy, since what is decoded holds on to the whole line.
            body = bytes(parsed.body)
            self._check_body(body)
        except UNREADABLE as error:
            message = "This line is not parseable as valid JSON."
            raise RefusedError(message, code="invalid_json_line") from error
        return InputLine(custom_id, body)

    def _custom_id(self, value: object) -> str:
        if value is None:
            raise missing("custom_id")
        if not isinstance(value, str):
            raise wrong_type("custom_id", "a string", value)
        if value in self._seen:
            message = (
                f"The custom_id '{value}' for this request is a duplicate of another request. "
                f"The custom_id parameter must be unique for each request in a batch."
            )
            raise RefusedError(message, param="custom_id", code="duplicate_custom_id")
        self._seen.add(value)
        return value

    def _check_address(self, line: _Line) -> None:
        if line.method is None:
            raise missing("method")
        if line.method != "POST":
            message = f"Invalid method: '{line.method}'. Only 'POST' is supported."
            raise RefusedError(message, param="method", code="invalid_method")
        if line.url is None:
            raise missing("url")
        if line.url != self._endpoint:
            message = "The URL provided for this request does not match the batch endpoint."
            raise RefusedError(message, param="url", code="invalid_url")

    def _check_body(self, body: bytes) -> None:
        if body in (b"", b"null"):
            raise missing("body")
        if not body.startswith(b"{"):
            raise wrong_type("body", "an object", msgspec.json.decode(body))
        parsed = _BODIES.decode(body)
        self._check_model(parsed.model)
        if parsed.stream is True and self._endpoint in _STREAMED:
            message = f"{_STREAMED[self._endpoint]}: Streaming is not supported in the Batch API."
            raise RefusedError(message, param="body.stream", code="streaming_unsupported")
        if self._endpoint == "/v1/chat/completions" and not bytes(parsed.messages):
            raise RefusedError("Messages parameter is required.", param="body.messages")
        if self._endpoint == "/v1/embeddings":
            self._embedding_inputs += _count_inputs(_EMBEDDING_BODIES.decode(body).input)

    def _check_model(self, model: object) -> None:
        if model is None:
            raise RefusedError("Model parameter is required.", param="body.model")
        if not isinstance(model, str):
            raise wrong_type("body.model", "a string", model)
        if not self._is_model(model):
            message = f"The provided model '{model}' is not supported by the Batch API."
            raise RefusedError(message, param="body.model", code="model_not_found")
        if self.found.model is None:
            self.found.model = model
        if model != self.found.model:
            message = (
                f"The model '{model}' for this request does not match the rest of the batch. "
                f"Each batch must contain requests for a single model."
            )
            raise RefusedError(message, param="body.model", code="mismatched_model")


def _numbered(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (number, line) of all lines that are not blank."""
    start, number, end = 0, 0, len(content)
    while start < end:
        stop = content.find(b"\n", start)
        stop = end if stop < 0 else stop
        number += 1
        line = content[start:stop]
        if line and not line.isspace():
            yield number, line
        start = stop + 1


def _count_inputs(value: object) -> int:
    """Return how many texts are embedded: one text, or one list of tokens, is one."""
    if isinstance(value, list) and value and not isinstance(value[0], int):
        return len(value)
    return 1
