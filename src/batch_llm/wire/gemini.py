"""A request in the JSON of Gemini's `generateContent`."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, NotRequired, TypedDict
from urllib.parse import urlsplit

from ..base.request import TextPart
from .inline_data import inline_data

if TYPE_CHECKING:
    from ..base.request import FilePart, ImagePart, LLMRequest, Message, Part

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
