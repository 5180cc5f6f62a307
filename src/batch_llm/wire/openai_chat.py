"""OpenAI's Chat Completions, which nearly every server of models speaks.

`encode_chat` makes the body of `POST …/chat/completions`, and `decode_chat` reads the answer;
`billed_tokens` reads the bill alone, of an answer that is of no other use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NoReturn

import msgspec

from ..base.request import ImagePart, TextPart
from ..base.usage import complete_usage
from ..exceptions import AnswerError, MalformedAnswerError, RefusalError
from .answer import ChatAnswer, describe_unreadable
from .http_errors import error_details, short_message
from .json_reading import UNREADABLE, read_json
from .openai_errors import error_from_response
from .openai_parts import address_of, file_name_of, named_schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..base.request import LLMRequest, Message, Part
    from ..base.usage import TokenUsage

TokenLimitField = Literal["max_completion_tokens", "max_tokens"]
"""How a server calls the limit of output tokens: OpenAI's own models refuse the older name."""


# --- the request ---------------------------------------------------------------------------


def encode_chat(
    request: LLMRequest,
    model: str,
    *,
    token_limit_field: TokenLimitField = "max_completion_tokens",  # noqa: S107 - a field's name
) -> dict[str, object]:
    """Return the JSON-ready body that asks `model` for `request`.

    What the request leaves open is left out. The dictionary under "json_schema" is shared
    between calls and must not be changed.
    """
    body: dict[str, object] = {"model": model, "messages": _messages(request)}
    if request.output_schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": named_schema(request.output_schema),
        }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if request.max_output_tokens is not None:
        body[token_limit_field] = request.max_output_tokens
    if request.stop:
        body["stop"] = list(request.stop)
    if request.seed is not None:
        body["seed"] = request.seed
    return body


def _messages(request: LLMRequest) -> list[dict[str, object]]:
    turns: list[dict[str, object]] = [
        {"role": message.role, "content": _content(message)} for message in request.messages
    ]
    if request.system is not None:
        turns.insert(0, {"role": "system", "content": request.system})
    return turns


def _content(message: Message) -> str | list[dict[str, object]]:
    content = message.content
    return content if isinstance(content, str) else [_part(part) for part in content]


def _part(part: Part) -> dict[str, object]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    if isinstance(part, ImagePart):
        return {"type": "image_url", "image_url": {"url": address_of(part)}}
    file = {"filename": file_name_of(part), "file_data": address_of(part)}
    return {"type": "file", "file": file}


# --- the answer ----------------------------------------------------------------------------


class _CachedTokens(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class _ReasoningTokens(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _CachedTokens | None = None
    completion_tokens_details: _ReasoningTokens | None = None


class _TextPart(msgspec.Struct):
    text: str | None = None


class _Message(msgspec.Struct):
    content: str | list[_TextPart] | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    id: str | None = None
    model: str | None = None
    error: Any = None


class _Billed(msgspec.Struct):
    """The part of an unreadable answer that must not be lost."""

    usage: _Usage | None = None


# Lax, since servers write counts as 12.0 and "12" too.
_ANSWERS = msgspec.json.Decoder(_Answer, strict=False)
_BILLS = msgspec.json.Decoder(_Billed, strict=False)


def decode_chat(body: bytes, *, private: Iterable[str] = ()) -> ChatAnswer:
    """Return the answer in the body of a 2xx response.

    Args:
        body: the whole body.
        private: prompts and keys, of which an error's message must hold no part.

    Raises:
        MalformedAnswerError: if the body is not whole JSON of the right form, holds no choice or
            no text, or reports an error in spite of its status.
        RefusalError: if the model or a safety filter declined.

    The errors carry the tokens billed, where the body names them.
    """
    try:
        answer = read_json(_ANSWERS, body, beside=("usage", "id", "model"))
    except UNREADABLE as error:
        said = describe_unreadable("a chat completion", body, error)
        raise MalformedAnswerError(said, usage=billed_tokens(body)) from None
    if (status := _status_in(answer.error)) is not None:
        # Gateways answer 200 and put the status of what lies behind them into the body.
        reported = error_from_response(status, {}, body, private=private)
        reported.usage = None if answer.usage is None else _usage(answer.usage)
        reported.is_bill_final = reported.usage is not None
        reported.request_id = answer.id
        raise reported
    if answer.error or not answer.choices:
        _reject(MalformedAnswerError, _missing_choice(answer, private), answer)
    choice = answer.choices[0]
    message = choice.message
    if choice.finish_reason == "content_filter" or (message is not None and message.refusal):
        _reject(RefusalError, _refusal(choice), answer)
    text = _text(choice)
    if text is None:
        _reject(MalformedAnswerError, _missing_text(choice), answer)
    return ChatAnswer(text, choice.finish_reason, _usage(answer.usage), answer.model, answer.id)


def _status_in(error: object) -> int | None:
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) and 400 <= code <= 599 else None


def _text(choice: _Choice) -> str | None:
    content = choice.message.content if choice.message is not None else None
    if choice.finish_reason == "error":
        return None
    if content is None:
        # A reasoning model may spend the whole limit before its first word.
        return "" if choice.finish_reason == "length" else None
    if isinstance(content, str):
        return content
    return "".join(part.text or "" for part in content)


def _usage(usage: _Usage | None) -> TokenUsage:
    if usage is None:
        return complete_usage(None)
    details, thought = usage.prompt_tokens_details, usage.completion_tokens_details
    return complete_usage(
        {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": _billed_output(usage),
            "total_tokens": usage.total_tokens,
            "cached_input_tokens": details.cached_tokens if details is not None else None,
            "cache_write_tokens": details.cache_write_tokens if details is not None else None,
            "reasoning_tokens": thought.reasoning_tokens if thought is not None else None,
        }
    )


def _billed_output(usage: _Usage) -> int:
    """Return the output tokens, reasoning included.

    xAI and Gemini leave reasoning out of the completion, and bill it: the total alone has it.
    """
    completion = usage.completion_tokens or 0
    if usage.prompt_tokens is None or usage.total_tokens is None:
        return completion
    return max(completion, usage.total_tokens - usage.prompt_tokens)


def billed_tokens(body: bytes) -> TokenUsage | None:
    """Return the tokens that a body says were billed, whatever else can be read of it, if any."""
    try:
        usage = read_json(_BILLS, body).usage
    except UNREADABLE:
        return None
    return None if usage is None else _usage(usage)


def _reject(kind: type[AnswerError], message: str, answer: _Answer) -> NoReturn:
    usage = None if answer.usage is None else _usage(answer.usage)
    code = error_details({"error": answer.error})[1] if answer.error else None
    raise kind(message, usage=usage, code=code, request_id=answer.id)


def _missing_choice(answer: _Answer, private: Iterable[str]) -> str:
    if not answer.error:
        return "The answer holds no choice."
    message, _ = error_details({"error": answer.error})
    return f"The answer reports an error: {short_message(message, private) or 'without a message'}"


def _refusal(choice: _Choice) -> str:
    # The model's own words of refusal are part of an answer, and stay out.
    what = "safety filter" if choice.finish_reason == "content_filter" else "model"
    return f"The {what} declined to answer."


def _missing_text(choice: _Choice) -> str:
    return f"The answer holds no text (finish_reason {choice.finish_reason!r})."
