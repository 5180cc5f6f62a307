"""Anthropic's Messages API.

`encode_message` makes the body of `POST /v1/messages`, which is also the `params` of a request in
a batch; `decode_message` reads a message, wherever it came from.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

import msgspec

from ..base.request import ImagePart, TextPart
from ..base.usage import complete_usage
from ..exceptions import AnswerError, InputError, MalformedAnswerError, RefusalError
from .answer import ChatAnswer, describe_unreadable
from .anthropic_errors import error_from_report
from .anthropic_schema import closed_schema
from .cited_span import CitedSpan
from .inline_data import inline_data
from .json_reading import UNREADABLE, read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..base.request import FilePart, LLMRequest, Message, Part
    from ..base.schema import OutputSchema
    from ..base.usage import TokenUsage
    from .inline_data import InlineData

USUAL_OUTPUT_TOKENS: Final = 16_384
"""The limit of output tokens where a request has none: the API demands one.

Thinking counts towards it. It is below what any model from Claude 3.7 on can write.
"""

# platform.claude.com/docs/en/build-with-claude/structured-outputs names Opus 4.1 as the oldest.
_BEFORE_STRUCTURED_OUTPUT: Final = re.compile(
    r"claude-(?:instant|[23]\b|(?:sonnet|opus)-4-(?:0|20250514)\b)"
)

CacheTTL = Literal["5m", "1h"]
"""How long the API keeps a cached prefix after it was last used."""


# --- the request ---------------------------------------------------------------------------


def encode_message(
    request: LLMRequest, model: str, *, system_cache_ttl: CacheTTL | None = None
) -> dict[str, object]:
    """Return the JSON-ready body that asks `model` for `request`.

    What the request leaves open is left out, but for the limit of output tokens, which is
    `USUAL_OUTPUT_TOKENS` then. The API has no seed: it is not sent. A schema that structured
    outputs cannot take, or that the model is too old for, is put into words, at the end of the
    system prompt. The dictionaries under
    "output_config" are shared between calls and must not be changed.

    Args:
        request: what is asked.
        model: the model.
        system_cache_ttl: mark the system prompt, and tools before it, as a prefix to be cached.

    Raises:
        InputError: for a part that cannot be read.
    """
    # Structured output and citations exclude each other: a schema is told in words then.
    cites = is_citing(request)
    in_words = cites or _BEFORE_STRUCTURED_OUTPUT.search(model) is not None
    asked = _asked_output(request.output_schema, in_words=in_words)
    body: dict[str, object] = {
        "model": model,
        "max_tokens": request.max_output_tokens or USUAL_OUTPUT_TOKENS,
        "messages": [_turn(message, cites) for message in request.messages],
    }
    if system := "\n\n".join(filter(None, (request.system, asked.in_words))):
        body["system"] = _system(system, system_cache_ttl)
    if asked.format is not None:
        body["output_config"] = {"format": asked.format}
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.top_p is not None:
        body["top_p"] = request.top_p
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    return body


def _system(text: str, cache_ttl: CacheTTL | None) -> str | list[dict[str, object]]:
    if cache_ttl is None:
        return text
    # Tools stand before the system prompt: one mark behind it covers both.
    mark = {"type": "ephemeral"} if cache_ttl == "5m" else {"type": "ephemeral", "ttl": cache_ttl}
    return [{"type": "text", "text": text, "cache_control": mark}]


def is_citing(request: LLMRequest) -> bool:
    """Return whether the passages are asked for that the answer rests on."""
    return bool(getattr(request, "citations", False))


def _turn(message: Message, cites: bool) -> dict[str, object]:
    content = message.content
    if isinstance(content, str):
        return {"role": message.role, "content": content}
    return {"role": message.role, "content": [_block(part, cites) for part in content]}


def _block(part: Part, cites: bool) -> dict[str, object]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    inline = inline_data(part)
    if isinstance(part, ImagePart):
        source = _by_address(part) if inline is None else _base64(inline)
        return {"type": "image", "source": source}
    block: dict[str, object] = {"type": "document", "source": _document(part, inline)}
    if part.name:
        block["title"] = part.name
    if cites:
        block["citations"] = {"enabled": True}
    return block


def _by_address(part: ImagePart | FilePart) -> dict[str, object]:
    return {"type": "url", "url": part.url}


def _base64(inline: InlineData) -> dict[str, object]:
    return {"type": "base64", "media_type": inline.media_type, "data": inline.base64}


def _document(part: FilePart, inline: InlineData | None) -> dict[str, object]:
    if inline is None:
        return _by_address(part)
    if not inline.media_type.startswith("text/"):
        return _base64(inline)
    try:
        text = inline.data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # `from None`: the codec's error holds the whole text.
        raise InputError(
            f"The file {part.name or 'without a name'} ({inline.media_type}) is not UTF-8 at byte "
            f"{error.start}; Anthropic takes text in no other encoding."
        ) from None
    # The API knows no other kind of text, and reads Markdown, CSV and HTML as well.
    return {"type": "text", "media_type": "text/plain", "data": text}


@dataclass(frozen=True, slots=True)
class _AskedOutput:
    """How the shape of the answer is asked for: one of the two, or neither.

    Attributes:
        format: structured output, which the API holds the model to.
        in_words: instructions, which it does not.
    """

    format: dict[str, object] | None = None
    in_words: str | None = None


@lru_cache(maxsize=128)  # a strategy's schema is one object for all its calls
def _asked_output(schema: OutputSchema | None, *, in_words: bool) -> _AskedOutput:
    if schema is None:
        return _AskedOutput()
    closed = None if in_words else closed_schema(schema.json_schema)
    if closed is not None:
        return _AskedOutput(format={"type": "json_schema", "schema": closed})
    return _AskedOutput(
        in_words="Answer with JSON and nothing else: no words around it, no code fence. It must "
        f"fit this JSON schema:\n{json.dumps(schema.json_schema, ensure_ascii=False)}"
    )


# --- the answer ----------------------------------------------------------------------------


class _CacheCreation(msgspec.Struct):
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


class _Block(msgspec.Struct):
    type: str | None = None
    text: Any = None
    citations: Any = None


class _StopDetails(msgspec.Struct):
    category: str | None = None


class _Message(msgspec.Struct):
    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[_Block] | None = None
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None
    usage: _Usage | None = None
    error: Any = None


class _Billed(msgspec.Struct):
    """The part of an unreadable message that must not be lost."""

    usage: _Usage | None = None


class _Event(msgspec.Struct):
    """An event of a stream: the first one holds the message, later ones the output so far."""

    message: _Billed | None = None
    usage: _Usage | None = None


# Lax, since gateways write counts as 12.0 and "12" too.
_MESSAGES = msgspec.json.Decoder(_Message, strict=False)
_BILLS = msgspec.json.Decoder(_Billed, strict=False)
_EVENTS = msgspec.json.Decoder(_Event, strict=False)

# The words of other providers for the same.
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
}
_MAY_BE_EMPTY = frozenset({"max_tokens", "model_context_window_exceeded", "stop_sequence"})
# The answer would go on after a further request, which nobody makes here.
_UNFINISHED = frozenset({"pause_turn", "tool_use"})


def decode_message(
    body: bytes, *, request_id: str | None = None, private: Iterable[str] = ()
) -> ChatAnswer:
    """Return the answer in a message, which is the body of a 2xx response.

    Its finish reason is "stop" (the model's own end, or a stop sequence) or "length" (the limit
    of tokens, or a full context window); any other stands as the API says it. Thinking is left
    out of the text. The input tokens of its usage are all of them, those written to a cache and
    those read from one included.

    Args:
        body: the whole body.
        request_id: the API's id of the request; by default that of the message.
        private: prompts and keys, of which an error's message must hold no part.

    Raises:
        MalformedAnswerError: if the body is not whole JSON of the right form, or holds no text.
        RefusalError: if the model or a safety filter declined; `code` is the category, if any.
        AnswerError: if the answer waits for the result of a tool.
        ProviderError: of the kind that fits, if it reports an error in spite of its status.

    The errors carry the tokens billed, where the body names them.
    """
    try:
        message = read_json(_MESSAGES, body, beside=("usage", "id", "model", "stop_details"))
    except UNREADABLE as error:
        said = describe_unreadable("a message of Anthropic's", body, error)
        billed = billed_tokens(body)
        raise MalformedAnswerError(said, usage=billed, request_id=request_id) from None
    request_id = request_id or message.id
    if message.type == "error" or message.error:
        reported = error_from_report(body, private=private)
        reported.usage = _bill(message.usage)
        reported.is_bill_final = reported.usage is not None
        reported.request_id = reported.request_id or request_id
        raise reported
    _check(message, request_id)
    reason = message.stop_reason
    return ChatAnswer(
        _text(message) or "",
        _FINISH_REASONS.get(reason or "", reason),
        _usage(message.usage),
        message.model,
        request_id,
        _cited(message.content or []),
    )


def _check(message: _Message, request_id: str | None) -> None:
    """Refuse a message that holds no answer."""

    def reject(kind: type[AnswerError], said: str, code: str | None = None) -> NoReturn:
        raise kind(said, code=code, usage=_bill(message.usage), request_id=request_id)

    reason = message.stop_reason
    if reason == "refusal":
        category = message.stop_details.category if message.stop_details is not None else None
        of_what = f" ({category})" if category else ""
        reject(RefusalError, f"The model declined to answer{of_what}.", category or reason)
    if reason in _UNFINISHED:
        reject(
            AnswerError,
            f"The answer is not complete: it waits for a tool (stop_reason {reason!r}). Tools are "
            f"not run here; leave them out of the request.",
            reason,
        )
    if _text(message) is None:
        reject(MalformedAnswerError, f"The answer holds no text (stop_reason {reason!r}).")


def _text(message: _Message) -> str | None:
    """Return the text, or None where there should be some and is none."""
    blocks = message.content
    if blocks is None:
        return None
    texts = [block.text for block in blocks if block.type == "text" and isinstance(block.text, str)]
    # A limit may be spent on thinking, and the first words may be a stop sequence.
    may_be_empty = message.stop_reason in _MAY_BE_EMPTY
    return "".join(texts) if texts or may_be_empty else None


def _cited(blocks: list[_Block]) -> Sequence[CitedSpan]:
    """Return the passages that cite a document: each is one block of the text."""
    spans: list[CitedSpan] = []
    end = 0
    for block in blocks:
        if block.type != "text" or not isinstance(block.text, str):
            continue
        start, end = end, end + len(block.text)
        if isinstance(block.citations, list) and block.citations:
            locations = [place for place in block.citations if isinstance(place, dict)]
            spans.append(CitedSpan(start, end, locations))
    return spans or ()


def _usage(usage: _Usage | None) -> TokenUsage:
    if usage is None:
        return complete_usage(None)
    # The API's own input_tokens are those behind the last mark of a cache, and no others.
    read = usage.cache_read_input_tokens or 0
    written = usage.cache_creation_input_tokens or 0
    creation, thought = usage.cache_creation, usage.output_tokens_details
    return complete_usage(
        {
            "input_tokens": (usage.input_tokens or 0) + read + written,
            "output_tokens": usage.output_tokens,
            "cached_input_tokens": read,
            "cache_write_tokens": written,
            "hour_cache_write_tokens": creation.ephemeral_1h_input_tokens if creation else None,
            "reasoning_tokens": thought.thinking_tokens if thought else None,
        }
    )


def _bill(usage: _Usage | None) -> TokenUsage | None:
    return None if usage is None else _usage(usage)


def billed_tokens(body: bytes) -> TokenUsage | None:
    """Return the tokens that a body says were billed, whatever else can be read of it, if any."""
    try:
        return _bill(read_json(_BILLS, body).usage)
    except UNREADABLE:
        return None


def billed_tokens_of_stream(body: bytes) -> TokenUsage | None:
    """Return the tokens that the events of a stream say were billed so far, if any.

    Args:
        body: the stream, from its beginning to wherever it ended.
    """
    counts: dict[str, Any] = {}
    for line in body.splitlines():
        if line.startswith(b"data:"):
            counts.update(_counts_of_event(line.removeprefix(b"data:")))
    return _usage(_Usage(**counts)) if counts else None


def _counts_of_event(data: bytes) -> dict[str, Any]:
    """Return the counts that an event states; each stands for all of the message so far."""
    try:
        event = read_json(_EVENTS, data)
    except UNREADABLE:
        return {}
    usage = event.usage or (event.message.usage if event.message is not None else None)
    counts = {} if usage is None else msgspec.structs.asdict(usage)
    return {name: count for name, count in counts.items() if count is not None}
