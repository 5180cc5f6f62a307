"""A request in the JSON of Gemini's `generateContent`, and the bill in its answer."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, NotRequired, TypedDict
from urllib.parse import urlsplit

import msgspec

from ..base.request import TextPart
from ..base.usage import complete_usage
from .answer import UNREADABLE
from .inline_data import inline_data

if TYPE_CHECKING:
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


_BILLS = msgspec.json.Decoder(_Billed, strict=False)


def billed_tokens(body: bytes) -> TokenUsage | None:
    """Return the tokens that a body says were billed, whatever else can be read of it, if any.

    Thoughts are output; what tools gave back to the model is input.
    """
    try:
        usage = _BILLS.decode(body).usage_metadata
    except UNREADABLE:
        return None
    if usage is None:
        return None
    return complete_usage(
        {
            "input_tokens": (usage.prompt_token_count or 0)
            + (usage.tool_use_prompt_token_count or 0),
            "output_tokens": (usage.candidates_token_count or 0)
            + (usage.thoughts_token_count or 0),
            "total_tokens": usage.total_token_count,
            "cached_input_tokens": usage.cached_content_token_count,
        }
    )
