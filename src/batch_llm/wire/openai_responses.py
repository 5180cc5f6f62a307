"""OpenAI's Responses.

`encode_response` makes the body of `POST …/responses`, and `decode_response` reads the answer;
`billed_tokens` reads the bill alone, of an answer that is of no other use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from ..base.request import ImagePart, TextPart
from ..base.usage import complete_usage
from ..exceptions import AnswerError, InputError, MalformedAnswerError, RefusalError
from .answer import ChatAnswer, describe_unreadable
from .http_errors import short_message
from .json_reading import UNREADABLE, read_json
from .openai_errors import error_from_code
from .openai_parts import address_of, file_name_of, named_schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..base.request import FilePart, LLMRequest, Message, Part
    from ..base.usage import TokenUsage


LEAST_OUTPUT_TOKENS: Final = 16
"""The lowest limit of output tokens that this API takes."""

# --- the request ---------------------------------------------------------------------------


def encode_response(request: LLMRequest, model: str) -> dict[str, object]:
    """Return the JSON-ready body that asks `model` for `request`.

    What the request leaves open is left out. The API has no seed: it is not sent. The dictionary
    under "schema" is shared between calls and must not be changed.

    Raises:
        InputError: for stop texts, which this API does not know, and for a limit of output tokens
            that it takes for a mistake.
    """
    if request.stop:
        raise InputError(
            "OpenAI's Responses know no stop texts. Leave `stop` out, or ask by Chat Completions."
        )
    limit = request.max_output_tokens
    if limit is not None and limit < LEAST_OUTPUT_TOKENS:
        raise InputError(
            f"OpenAI's Responses take a limit of {LEAST_OUTPUT_TOKENS} output tokens or more, not "
            f"{limit}. Raise it, or ask by Chat Completions."
        )
    body: dict[str, object] = {
        "model": model,
        "input": [_turn(message) for message in request.messages],
    }
    if request.system is not None:
        body["instructions"] = request.system
    if request.output_schema is not None:
        body["text"] = {"format": {"type": "json_schema", **named_schema(request.output_schema)}}
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if limit is not None:
        body["max_output_tokens"] = limit
    return body


def _turn(message: Message) -> dict[str, object]:
    content = message.content
    if isinstance(content, str):
        return {"role": message.role, "content": content}
    text_type = "output_text" if message.role == "assistant" else "input_text"
    return {"role": message.role, "content": [_part(part, text_type) for part in content]}


def _part(part: Part, text_type: str) -> dict[str, object]:
    if isinstance(part, TextPart):
        return {"type": text_type, "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "input_image", "image_url": address_of(part)}
    return _file(part)


def _file(part: FilePart) -> dict[str, object]:
    if part.url is not None and not part.url.startswith("data:"):
        return {"type": "input_file", "file_url": part.url}
    return {
        "type": "input_file",
        "filename": file_name_of(part),
        "file_data": address_of(part),
    }


# --- the answer ----------------------------------------------------------------------------


class _CachedTokens(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _ReasoningTokens(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: _CachedTokens | None = None
    output_tokens_details: _ReasoningTokens | None = None


class _Billed(msgspec.Struct):
    usage: _Usage | None = None


class _Piece(msgspec.Struct):
    type: str | None = None
    text: str | None = None


class _Item(msgspec.Struct):
    type: str | None = None
    content: list[_Piece] | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Error(msgspec.Struct):
    message: str | None = None
    code: Any = None
    type: Any = None


class _Answer(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[_Item] | None = None
    incomplete_details: _Incomplete | None = None
    error: _Error | None = None
    usage: _Usage | None = None


# Lax, since servers write counts as 12.0 and "12" too.
_ANSWERS = msgspec.json.Decoder(_Answer, strict=False)
_BILLS = msgspec.json.Decoder(_Billed, strict=False)
_LIMIT: Final = "max_output_tokens"
_FILTER: Final = "content_filter"


def decode_response(body: bytes, *, private: Iterable[str] = ()) -> ChatAnswer:
    """Return the answer in a response, which is the body of a 2xx answer.

    Its finish reason is "stop" or "length"; any other stands as the API says it.

    Args:
        body: the whole body.
        private: prompts and keys, of which an error's message must hold no part.

    Raises:
        MalformedAnswerError: if the body is not whole JSON of the right form, or holds no text.
        RefusalError: if the model or a safety filter declined.
        AnswerError: if the answer waits for the result of a tool.
        ProviderError: of the kind that fits, if it reports an error in spite of its status.

    The errors carry the tokens billed, where the body names them.
    """
    try:
        answer = read_json(_ANSWERS, body, beside=("usage", "id", "model"))
    except UNREADABLE as error:
        said = describe_unreadable("a response of OpenAI's", body, error)
        raise MalformedAnswerError(said, usage=billed_tokens(body)) from None
    if answer.error is not None or answer.status == "failed":
        raise _reported(answer, private)
    reason = _reason(answer)
    pieces = [
        piece
        for item in answer.output or ()
        if item.type == "message"
        for piece in item.content or ()
    ]
    if reason == _FILTER or any(piece.type == "refusal" for piece in pieces):
        # The model's own words of refusal are part of an answer, and stay out.
        what = "safety filter" if reason == _FILTER else "model"
        _reject(RefusalError, f"The {what} declined to answer.", answer)
    texts = [piece.text for piece in pieces if piece.type == "output_text" and piece.text]
    if not texts and reason != "length":
        _reject(*_missing_text(answer), answer)
    return ChatAnswer("".join(texts), reason, _usage(answer.usage), answer.model, answer.id)


def _reason(answer: _Answer) -> str | None:
    if answer.status != "incomplete":
        return "stop" if answer.status in ("completed", None) else answer.status
    reason = answer.incomplete_details.reason if answer.incomplete_details is not None else None
    return "length" if reason == _LIMIT else reason


def _reported(answer: _Answer, private: Iterable[str]) -> Exception:
    error = answer.error or _Error()
    code = next((word for word in (error.code, error.type) if isinstance(word, str)), None)
    said = short_message(error.message or "", private) or "without a message"
    reported = error_from_code(code, f"The answer reports an error: {said}")
    reported.usage = None if answer.usage is None else _usage(answer.usage)
    reported.is_bill_final = reported.usage is not None
    reported.request_id = answer.id
    return reported


def _missing_text(answer: _Answer) -> tuple[type[AnswerError], str]:
    kinds = {item.type or "" for item in answer.output or ()}
    if any(kind.endswith("_call") for kind in kinds):
        return AnswerError, (
            "The answer is not complete: it waits for a tool. Tools are not run here; leave them "
            "out of the request."
        )
    return MalformedAnswerError, f"The answer holds no text (status {answer.status!r})."


def _reject(kind: type[AnswerError], message: str, answer: _Answer) -> NoReturn:
    usage = None if answer.usage is None else _usage(answer.usage)
    raise kind(message, usage=usage, request_id=answer.id)


def _usage(usage: _Usage | None) -> TokenUsage:
    if usage is None:
        return complete_usage(None)
    details, thought = usage.input_tokens_details, usage.output_tokens_details
    return complete_usage(
        {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
            "cached_input_tokens": details.cached_tokens if details is not None else None,
            "cache_write_tokens": details.cache_write_tokens if details is not None else None,
            "reasoning_tokens": thought.reasoning_tokens if thought is not None else None,
        }
    )


def billed_tokens(body: bytes) -> TokenUsage | None:
    """Return the tokens that a body says were billed, whatever else can be read of it, if any."""
    try:
        usage = read_json(_BILLS, body).usage
    except UNREADABLE:
        return None
    return None if usage is None else _usage(usage)
