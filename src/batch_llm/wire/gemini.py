"""Gemini's `generateContent`.

`encode_request` makes its body, which is also a request of a batch, and `decode_generated` reads
the answer; `billed_tokens` reads the bill alone, of an answer that is of no other use.
"""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, Any, Final, NoReturn, NotRequired, TypedDict
from urllib.parse import urlsplit

import msgspec

from ..base.request import TextPart
from ..base.usage import complete_usage
from ..exceptions import AnswerError, MalformedAnswerError, RefusalError
from .answer import ChatAnswer, describe_unreadable
from .cited_span import CitedSpan
from .gemini_errors import error_from_report
from .inline_data import inline_data
from .json_reading import UNREADABLE, read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..base.request import FilePart, ImagePart, LLMRequest, Message, Part
    from ..base.usage import TokenUsage

JSON_MEDIA_TYPE = "application/json"
"""What an answer with a schema is asked to be."""


class GeminiRequestBody(TypedDict):
    """The body of `POST …/models/{model}:generateContent`, and of a request in a Gemini batch."""

    contents: list[dict[str, object]]
    systemInstruction: NotRequired[dict[str, object]]
    generationConfig: NotRequired[dict[str, object]]


def encode_request(request: LLMRequest) -> GeminiRequestBody:
    """Return the JSON-ready body for `request`; what it leaves open is left out.

    Gemini takes no file names: that of a `FilePart` is not sent.

    Raises:
        InputError: for a part whose "data:" address cannot be read.
    """
    body: GeminiRequestBody = {"contents": [_turn(message) for message in request.messages]}
    if request.system is not None:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    if settings := _generation_config(request):
        body["generationConfig"] = settings
    return body


def _turn(message: Message) -> dict[str, object]:
    role = "model" if message.role == "assistant" else "user"
    return {"role": role, "parts": [_part(part) for part in message.parts]}


def _part(part: Part) -> dict[str, object]:
    if isinstance(part, TextPart):
        return {"text": part.text}
    inline = inline_data(part)
    if inline is None:
        return _by_address(part.url or "", part)
    return {"inlineData": {"mimeType": inline.media_type, "data": inline.base64}}


def _by_address(url: str, part: ImagePart | FilePart) -> dict[str, object]:
    media_type = part.media_type or mimetypes.guess_type(urlsplit(url).path)[0]
    file: dict[str, object] = {"fileUri": url}
    if media_type:
        file["mimeType"] = media_type
    return {"fileData": file}


def _generation_config(request: LLMRequest) -> dict[str, object]:
    settings: dict[str, object] = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "maxOutputTokens": request.max_output_tokens,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
    }
    if request.output_schema is not None:
        settings["responseMimeType"] = JSON_MEDIA_TYPE
        settings["responseJsonSchema"] = request.output_schema.json_schema
    return {name: value for name, value in settings.items() if value is not None}


# --- the answer ----------------------------------------------------------------------------


class _Usage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None
    cached_content_token_count: int | None = None


class _Billed(msgspec.Struct, rename="camel"):
    usage_metadata: _Usage | None = None


class _Part(msgspec.Struct):
    text: str | None = None
    thought: bool | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Segment(msgspec.Struct, rename="camel"):
    start_index: int = 0
    end_index: int = 0


class _Support(msgspec.Struct, rename="camel"):
    segment: _Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class _Grounding(msgspec.Struct, rename="camel"):
    grounding_chunks: list[dict[str, Any]] | None = None
    grounding_supports: list[_Support] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    grounding_metadata: _Grounding | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: dict[str, Any] | None = None


DECLINED: Final = frozenset(
    {
        "BLOCKLIST",
        "ESCALATION",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "IMAGE_SAFETY",
        "LANGUAGE",
        "MODEL_ARMOR",
        "PROHIBITED_CONTENT",
        "PUP_LIMITED_DISABLED",
        "RECITATION",
        "SAFETY",
        "SPII",
    }
)
"""Finish reasons of an answer that a filter withheld."""
TRUNCATED: Final = "MAX_TOKENS"
"""Finish reason of an answer that the limit of tokens cut."""

# The words of other providers for the same.
_FINISH_REASONS: Final = {"STOP": "stop", TRUNCATED: "length"}
_ANSWERS = msgspec.json.Decoder(_Answer, strict=False)
_BILLS = msgspec.json.Decoder(_Billed, strict=False)


def decode_generated(body: bytes, *, private: Iterable[str] = ()) -> ChatAnswer:
    """Return the answer in a `GenerateContentResponse`, which is the body of a 2xx answer.

    Its finish reason is "stop" or "length"; any other stands as Google says it. Thoughts are left
    out of the text. Places of grounding are Google's `groundingChunks`.

    Args:
        body: the whole body.
        private: prompts and keys, of which an error's message must hold no part.

    Raises:
        MalformedAnswerError: if the body is not whole JSON of the right form, or holds no text.
        RefusalError: if the prompt or the answer was blocked; `code` is Google's word for it.
        ProviderError: of the kind that fits, if it reports an error in spite of its status.

    The errors carry the tokens billed, where the body names them.
    """
    try:
        answer = read_json(_ANSWERS, body, beside=("usageMetadata", "modelVersion", "responseId"))
    except UNREADABLE as error:
        said = describe_unreadable("a response of Gemini's", body, error)
        raise MalformedAnswerError(said, usage=billed_tokens(body)) from None
    if answer.error is not None:
        reported = error_from_report(answer.error, private=private)
        reported.usage = _bill(answer.usage_metadata)
        reported.is_bill_final = reported.usage is not None
        raise reported
    candidate = answer.candidates[0] if answer.candidates else _Candidate()
    text = _text(answer, candidate)
    return ChatAnswer(
        text,
        _FINISH_REASONS.get(candidate.finish_reason or "", candidate.finish_reason),
        _usage(answer.usage_metadata),
        answer.model_version,
        answer.response_id,
        _cited(text, candidate.grounding_metadata),
    )


def _text(answer: _Answer, candidate: _Candidate) -> str:
    """Return the text; refuse an answer that holds none."""
    parts = (candidate.content.parts if candidate.content is not None else None) or ()
    texts = [part.text for part in parts if part.text is not None and not part.thought]
    reason = candidate.finish_reason
    # The limit may be spent on thoughts.
    if reason in DECLINED or not (texts or reason == TRUNCATED):
        _reject(answer, reason)
    return "".join(texts)


def _reject(answer: _Answer, reason: str | None) -> NoReturn:
    blocked = answer.prompt_feedback.block_reason if answer.prompt_feedback is not None else None
    kind: type[AnswerError] = RefusalError
    code = reason if reason in DECLINED else blocked or reason
    if reason in DECLINED:
        said = f"Gemini declined to answer ({reason})."
    elif blocked:
        said = f"Gemini blocked the prompt ({blocked})."
    else:
        kind, said = (
            MalformedAnswerError,
            f"Gemini's answer holds no text (finish reason {reason}).",
        )
    raise kind(said, code=code, usage=_bill(answer.usage_metadata), request_id=answer.response_id)


def _cited(text: str, grounding: _Grounding | None) -> Sequence[CitedSpan]:
    """Return the passages that rest on a source; Google counts them in bytes of UTF-8."""
    if grounding is None or not grounding.grounding_supports:
        return ()
    encoded, chunks = text.encode("utf-8", "surrogatepass"), grounding.grounding_chunks or []

    def characters(count: int) -> int:
        return len(encoded[:count].decode("utf-8", "ignore"))

    spans: list[CitedSpan] = []
    for support in grounding.grounding_supports:
        places = [
            chunks[index]
            for index in support.grounding_chunk_indices or ()
            if 0 <= index < len(chunks)
        ]
        if places and support.segment is not None:
            start, end = support.segment.start_index, support.segment.end_index
            spans.append(CitedSpan(characters(start), characters(end), places))
    return spans


def _usage(usage: _Usage | None) -> TokenUsage:
    if usage is None:
        return complete_usage(None)
    return complete_usage(
        {
            "input_tokens": (usage.prompt_token_count or 0)
            + (usage.tool_use_prompt_token_count or 0),
            "output_tokens": (usage.candidates_token_count or 0)
            + (usage.thoughts_token_count or 0),
            "total_tokens": usage.total_token_count,
            "cached_input_tokens": usage.cached_content_token_count,
            "reasoning_tokens": usage.thoughts_token_count,
        }
    )


def _bill(usage: _Usage | None) -> TokenUsage | None:
    return None if usage is None else _usage(usage)


def billed_tokens(body: bytes) -> TokenUsage | None:
    """Return the tokens that a body says were billed, whatever else can be read of it, if any.

    Thoughts are output; what tools gave back to the model is input.
    """
    try:
        return _bill(read_json(_BILLS, body).usage_metadata)
    except UNREADABLE:
        return None
